package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

func newEvent(id string) event.Event {
	ev := event.New()
	ev.SetID(id)
	ev.SetSource("https://example.com/broker")
	ev.SetType("test.outbox")
	ev.SetSubject("/party/50019855")
	ev.SetExtension(models.ExtResource, "urn:altinn:resource:test")
	ev.SetExtension(models.ExtResourceInstance, "k")
	return ev
}

func begin(tb testing.TB, db *sql.DB) *sql.Tx {
	tb.Helper()
	tx, err := db.BeginTx(tb.Context(), nil)
	if err != nil {
		tb.Fatalf("BeginTx: %v", err)
	}
	tb.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

func TestQueue_PublishTx(t *testing.T) {
	t.Parallel()
	t.Run("CommitsWithTheAppsTables", func(t *testing.T) {
		t.Parallel()
		q, db := setup(t, sqlite.Config{})
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE instances (id TEXT)"); err != nil {
			t.Fatal(err)
		}
		got := make(collector)
		run(t, q, got.deliver)
		for _, commit := range []bool{false, true} {
			tx := begin(t, db)
			if _, err := tx.ExecContext(t.Context(), "INSERT INTO instances VALUES ('x')"); err != nil {
				t.Fatal(err)
			}
			if err := q.PublishTx(t.Context(), tx, newEvent(map[bool]string{false: "undone", true: "done"}[commit])); err != nil {
				t.Fatalf("PublishTx: %v", err)
			}
			if commit {
				if err := tx.Commit(); err != nil {
					t.Fatal(err)
				}
			} else if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"done"}, got.next(t, 1)); diff != "" {
			t.Errorf("delivered (-want +got):\n%s", diff)
		}
		if s := stats(t, q); s.Pending+s.Sending+s.Delivered > 1 {
			t.Errorf("Stats = %+v, want one event", s)
		}
	})
	for name, refuse := range map[string]func(*testing.T, *sql.DB, string){
		"WritesAllOrNone": func(t *testing.T, db *sql.DB, condition string) {
			t.Helper()
			refuse(t, db, "BEFORE INSERT", condition)
		},
		"WritesAllOrNoneHalfWay": refuseHalfWay,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, db := setup(t, sqlite.Config{})
			refuse(t, db, "NEW.id = 'bad'")
			tx := begin(t, db)
			if err := q.PublishTx(t.Context(), tx, newEvent("good"), newEvent("bad")); err == nil {
				t.Error("PublishTx = nil, want why the second was not written")
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			if err := q.Enqueue(t.Context(), item("good", "key"), item("bad", "key")); err == nil {
				t.Error("Enqueue = nil, want why the second was not written")
			}
			if s := stats(t, q); s != (outbox.Stats{}) {
				t.Errorf("Stats = %+v, want nothing", s)
			}
			if err := q.Enqueue(t.Context(), item("good", "key")); err != nil {
				t.Errorf("Enqueue = %v", err)
			}
			if s := stats(t, q); s.Pending != 1 {
				t.Errorf("Stats = %+v, want one event", s)
			}
		})
	}
	t.Run("NothingToPublish", func(t *testing.T) {
		t.Parallel()
		q, _ := setup(t, sqlite.Config{})
		if err := q.PublishTx(t.Context(), nil); err != nil {
			t.Errorf("PublishTx of no events = %v", err)
		}
	})
}

func TestQueue_PublishTx_Refuses(t *testing.T) {
	t.Parallel()
	q, db := setup(t, sqlite.Config{Capacity: 1})
	_, other := setup(t, sqlite.Config{})
	plain := openDB(t, filepath.Join(t.TempDir(), "plain.db"))
	var path string
	if err := db.QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path); err != nil {
		t.Fatal(err)
	}
	unsafe, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(NORMAL)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unsafe.Close() })

	refused := func(name string, tx *sql.Tx, want string, events ...event.Event) error {
		t.Helper()
		defer func() { _ = tx.Rollback() }()
		err := q.PublishTx(t.Context(), tx, events...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: PublishTx = %v, want an error with %q", name, err, want)
		}
		return err
	}
	_ = refused("another queue's file", begin(t, other), "another file", newEvent("1"))
	_ = refused("a file without a queue", begin(t, plain), "not of the queue's file", newEvent("1"))
	_ = refused("a less safe connection", begin(t, unsafe), "PRAGMA synchronous = 1", newEvent("1"))
	if err := refused("beyond the capacity", begin(t, db), "capacity of 1", newEvent("1"), newEvent("2")); !errors.Is(err, outbox.ErrFull) {
		t.Errorf("%v is not ErrFull", err)
	}
	ended := begin(t, db)
	if err := ended.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := refused("an ended transaction", ended, "already", newEvent("1")); !errors.Is(err, sql.ErrTxDone) {
		t.Errorf("%v is not sql.ErrTxDone", err)
	}
	faulty := newEvent("1")
	faulty.SetType("")
	if err := refused("a faulty event", begin(t, db), "type", faulty); err != nil {
		invalid, isEvent := errors.AsType[*publisher.EventError](err)
		if _, ok := errors.AsType[*models.ValidationError](err); !ok || !isEvent || invalid.ID != "1" {
			t.Errorf("%v: want an EventError of event 1 that wraps a ValidationError", err)
		}
	}
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := refused("a closed queue", begin(t, db), "closed", newEvent("1")); !errors.Is(err, outbox.ErrClosed) {
		t.Errorf("%v is not ErrClosed", err)
	}
}

// observer writes down what it is told.
type observer struct {
	publisher.NopObserver
	mu    sync.Mutex
	calls []string
}

type traceKey struct{}

func (o *observer) Publishing(ctx context.Context, ev event.Event) (context.Context, string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, "publishing "+ev.ID())
	return context.WithValue(ctx, traceKey{}, ev.ID()), "trace of " + ev.ID()
}

func (o *observer) Published(ctx context.Context, it outbox.Item, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	outcome := "written"
	if err != nil {
		outcome = "refused"
	}
	same := map[bool]string{true: "same", false: "other"}[ctx.Value(traceKey{}) == it.ID]
	o.calls = append(o.calls, "published "+it.ID+" "+outcome+" in the "+same+" context")
}

func TestQueue_PublishTx_IsObserved(t *testing.T) {
	t.Parallel()
	o := &observer{}
	q, db := setup(t, sqlite.Config{Observer: o})
	tx := begin(t, db)
	faulty := newEvent("2")
	faulty.SetType("")
	if err := q.PublishTx(t.Context(), tx, newEvent("1")); err != nil {
		t.Fatal(err)
	}
	if err := q.PublishTx(t.Context(), tx, faulty); err == nil {
		t.Error("a faulty event was published")
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"publishing 1", "published 1 written in the same context",
		"publishing 2", "published 2 refused in the same context",
	}
	if diff := cmp.Diff(want, o.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	records, err := q.List(t.Context(), outbox.StatusPending, outbox.Page{})
	if err != nil || len(records) != 1 || records[0].TraceParent != "trace of 1" {
		t.Errorf("List = %+v, %v; want event 1 with its trace", records, err)
	}
}
