package examples_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn-go/events/middleware/webhook"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
	"github.com/altinn-go/events/testutil"
	"github.com/altinn-go/events/testutil/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.M(m).Run()) }

// store is a durable queue with all that stands beside it in its database.
type store struct {
	queue   outbox.Durable
	inbox   webhook.Inbox
	address string // as the operator's command wants it
	// publishTx publishes in a transaction, which fails if failure is not nil.
	publishTx func(ctx context.Context, failure error, events ...event.Event) error
	// exec runs a statement, as whoever broke the database did.
	exec  func(ctx context.Context, statement string) error
	fails []breakage
	// writes are breakages of what Publish, the inbox and the operator write.
	writes []breakage
	close  func(context.Context) error
}

// breakage makes the database fail, with a number in its words.
type breakage struct {
	refuse, allow string
	logs          string // what is logged then
}

type openStore func(*testing.T, *slog.Logger, publisher.Observer) *store

func openSQLite(t *testing.T, logger *slog.Logger, observer publisher.Observer) *store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.db")
	db, err := sqlite.OpenDB(path)
	if err != nil {
		t.Fatal(err)
	}
	queue, err := sqlite.New(db, sqlite.Config{Observer: observer, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := sqlite.NewInbox(db, sqlite.InboxConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return &store{
		queue: queue, inbox: inbox, address: "sqlite:" + path,
		publishTx: func(ctx context.Context, failure error, events ...event.Event) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer func() { _ = tx.Rollback() }()
			if err := queue.PublishTx(ctx, tx, events...); err != nil || failure != nil {
				return err
			}
			return tx.Commit()
		},
		exec: func(ctx context.Context, statement string) error {
			_, err := db.ExecContext(ctx, statement)
			return err
		},
		fails: []breakage{{
			refuse: `CREATE TRIGGER refuse BEFORE UPDATE OF state ON altinn_outbox_events BEGIN SELECT RAISE(ABORT, 'no disk for ` + planted[0] + `'); END`,
			allow:  `DROP TRIGGER refuse`,
			logs:   "event queue cannot write",
		}},
		writes: []breakage{
			refuseInSQLite("INSERT ON altinn_outbox_events"), refuseInSQLite("UPDATE ON altinn_outbox_events"),
			refuseInSQLite("DELETE ON altinn_outbox_events"), refuseInSQLite("INSERT ON altinn_inbox"),
		},
		close: func(ctx context.Context) error { return errors.Join(queue.Close(ctx), db.Close()) },
	}
}

func refuseInSQLite(what string) breakage {
	return breakage{
		refuse: `CREATE TRIGGER refuse BEFORE ` + what + ` BEGIN SELECT RAISE(ABORT, 'no disk for ` + planted[0] + `'); END`,
		allow:  `DROP TRIGGER refuse`,
	}
}

func openPostgres(t *testing.T, logger *slog.Logger, observer publisher.Observer) *store {
	t.Helper()
	address := pgtest.URL(t)
	pool, err := pgxpool.New(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if err := postgres.Migrate(t.Context(), pool, postgres.Config{}); err != nil {
		t.Fatal(err)
	}
	queue, err := postgres.New(t.Context(), pool, postgres.Config{Observer: observer, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := postgres.NewInbox(t.Context(), pool, postgres.InboxConfig{})
	if err != nil {
		t.Fatal(err)
	}
	exec := func(ctx context.Context, statement string) error {
		_, err := pool.Exec(ctx, statement)
		return err
	}
	if err := exec(t.Context(), `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'no disk for `+planted[0]+`'; END $$`); err != nil {
		t.Fatal(err)
	}
	refuse := func(when string) string {
		return `CREATE TRIGGER refuse BEFORE UPDATE ON altinn_outbox.river_job FOR EACH ROW WHEN (` + when + `) EXECUTE FUNCTION refuse()`
	}
	const allow = `DROP TRIGGER refuse ON altinn_outbox.river_job`
	return &store{
		queue: queue, inbox: inbox, address: address,
		publishTx: func(ctx context.Context, failure error, events ...event.Event) error {
			err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				return errors.Join(queue.PublishTx(ctx, tx, events...), failure)
			})
			if failure != nil {
				return nil //nolint:nilerr // its words are the app's
			}
			return err
		},
		exec: exec,
		fails: []breakage{
			{refuse("OLD.state = 'running' AND NEW.state <> 'running'"), allow, "event queue: the database failed"},
			{refuse("NEW.state = 'running'"), allow, "rror fetching jobs"},
		},
		writes: []breakage{
			refuseInPostgres("INSERT", "altinn_outbox.river_job"), refuseInPostgres("DELETE", "altinn_outbox.river_job"),
			refuseInPostgres("INSERT", "altinn_inbox"),
		},
		close: func(ctx context.Context) error {
			defer pool.Close()
			return queue.Close(ctx)
		},
	}
}

func refuseInPostgres(what, table string) breakage {
	return breakage{
		refuse: `CREATE TRIGGER refuse BEFORE ` + what + ` ON ` + table + ` FOR EACH ROW EXECUTE FUNCTION refuse()`,
		allow:  `DROP TRIGGER refuse ON ` + table,
	}
}

// transact publishes in transactions that succeed, break off and are refused.
func (w *world) transact(t *testing.T) {
	t.Helper()
	odd := withType(personal("tx-"+planted[0]), "test.about."+planted[1])
	if err := w.store.publishTx(t.Context(), nil, personal("tx1"), odd); err != nil {
		t.Fatal(err)
	}
	w.out.error("PublishTx", w.store.publishTx(t.Context(), errors.New("no person "+planted[0]), personal("tx2")))
	w.out.error("PublishTx", w.store.publishTx(t.Context(), nil, withType(personal("tx3"), "malformed type "+planted[1])))
	nothing := personal("tx4-" + planted[0])
	_ = nothing.SetData("application/json", []byte(`"\u0000 `+planted[0]+`"`)) // which PostgreSQL does not take as text
	w.out.error("PublishTx", w.store.publishTx(t.Context(), nil, nothing))
	w.out.error("Publish", w.pub.Publish(t.Context(), nothing))
}

// breakStore lets the database fail while the relay writes what became of an event, and
// while others write.
func (w *world) breakStore(t *testing.T, binary string) {
	t.Helper()
	for n, broken := range w.store.fails {
		if err := w.store.exec(t.Context(), broken.refuse); err != nil {
			t.Fatal(err)
		}
		w.out.error("Publish", w.pub.Publish(t.Context(), personal(fmt.Sprint("broken", n))))
		w.out.await(t, "log", broken.logs)
		if err := w.store.exec(t.Context(), broken.allow); err != nil {
			t.Fatal(err)
		}
	}
	w.awaitDiscarded(t)
	for n, broken := range w.store.writes {
		if err := w.store.exec(t.Context(), broken.refuse); err != nil {
			t.Fatal(err)
		}
		w.out.error("Publish", w.pub.Publish(t.Context(), personal(fmt.Sprint("unwritten", n))))
		w.out.error("PublishTx", w.store.publishTx(t.Context(), nil, personal(fmt.Sprint("unwritten in tx", n))))
		w.out.error("inbox", w.store.inbox.Once(t.Context(), fmt.Sprint("unwritten", n), "/s", func(context.Context) error { return nil }))
		discarded, err := w.store.queue.Discarded(t.Context(), outbox.Page{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		for i := range discarded { // until a breakage leaves requeuing alone
			_, err = w.store.queue.Requeue(t.Context(), discarded[i].Seq)
			w.out.error("Requeue", err)
		}
		_, err = w.store.queue.Purge(t.Context(), outbox.StatusDelivered, 0)
		w.out.error("Purge", err)
		w.command(t, binary, "requeue all")
		w.command(t, binary, "purge -status delivered")
		if err := w.store.exec(t.Context(), broken.allow); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitDiscarded has an event discarded, to be requeued.
func (w *world) awaitDiscarded(t *testing.T) {
	t.Helper()
	lift := w.sink.Intercept(func(r testutil.Request) testutil.Reply {
		if r.Endpoint == "/deliveries" {
			return testutil.Reply{}
		}
		return failures()[0]
	})
	defer lift()
	w.out.error("Publish", w.pub.Publish(t.Context(), personal("rejected")))
	for deadline := time.Now().Add(time.Minute); ; <-time.After(5 * time.Millisecond) {
		discarded, err := w.store.queue.Discarded(t.Context(), outbox.Page{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(discarded) > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no event is discarded")
		}
	}
}

// breakSweep lets the deletion of old events fail, which SQLite's queue does itself.
func breakSweep(t *testing.T, out *outputs) {
	t.Helper()
	db, err := sqlite.OpenDB(filepath.Join(t.TempDir(), "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewJSONHandler(out.at("log"), nil))
	queue, err := sqlite.New(db, sqlite.Config{KeepDelivered: time.Nanosecond, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), `CREATE TRIGGER refuse BEFORE DELETE ON altinn_outbox_events BEGIN SELECT RAISE(ABORT, 'no disk for `+planted[0]+`'); END`)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := publisher.New(sendFunc(func(context.Context, outbox.Item) error { return nil }), publisher.Config{Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	out.error("Publish", pub.Publish(t.Context(), personal("swept")))
	out.await(t, "log", "event queue cannot delete")
	if err := errors.Join(pub.Close(t.Context()), queue.Close(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// operate runs every command of the operator on the queue.
func (w *world) operate(t *testing.T, binary string) {
	t.Helper()
	for _, command := range []string{
		"stats", "list -status pending", "list -status delivered", "list -status discarded", "-json list -status delivered", "-json list -status discarded",
		"show 1", "-json show 1", "show 999999",
	} {
		w.command(t, binary, command)
	}
	list := w.command(t, binary, "-json -limit 1000 list -status delivered") + w.command(t, binary, "-json -limit 1000 list")
	for _, number := range regexp.MustCompile(`"number":(\d+)`).FindAllStringSubmatch(list, -1) {
		w.command(t, binary, "show "+number[1])
	}
	for _, command := range []string{"requeue all", "requeue 999999", "purge -status delivered", "purge -status nonsense", "nonsense"} {
		w.command(t, binary, command)
	}
}

// command runs a command of the operator and returns what it says.
func (w *world) command(t *testing.T, binary, command string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"-store", w.store.address}, strings.Fields(command)...)...)
	out, err := cmd.CombinedOutput()
	fmt.Fprintf(w.out.at("outbox"), "%s: %v\n%s\n", command, err, out)
	fmt.Fprintln(w.out.at("process arguments"), strings.Join(cmd.Args, "\n"))
	return string(out)
}

// arguments notes those of this process and of all that it has started and that run.
func (o *outputs) arguments() {
	parents := map[string]string{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // none but on Linux
	for _, path := range stats {
		text, err := os.ReadFile(path)
		_, after, ok := strings.Cut(string(text), ") ")
		if fields := strings.Fields(after); err == nil && ok && len(fields) > 1 {
			parents[filepath.Base(filepath.Dir(path))] = fields[1]
		}
	}
	self := strconv.Itoa(os.Getpid())
	for process := range parents {
		for ancestor := process; ancestor != ""; ancestor = parents[ancestor] {
			if ancestor == self {
				text, _ := os.ReadFile("/proc/" + process + "/cmdline")
				fmt.Fprintln(o.at("process arguments"), strings.ReplaceAll(string(text), "\x00", " "))
			}
		}
	}
	fmt.Fprintln(o.at("process arguments"), os.Args)
}

// files notes names and contents of all files below folder, but for queues, which events
// are in, and the operator's program.
func (o *outputs) files(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fmt.Fprintln(o.at("names of files"), path)
		if entry.IsDir() || entry.Name() == "outbox" || strings.HasPrefix(entry.Name(), "app.db") {
			return nil
		}
		text, err := os.ReadFile(path)
		_, _ = o.at("file " + path).Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
