package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

// change makes a change of the app's and publishes id in one transaction.
func change(q *sqlite.Queue, db *sql.DB, id, key string) error {
	ctx := context.Background()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, "INSERT INTO changes VALUES (?)", id); err != nil {
		return err
	}
	ev := newEvent(id)
	ev.SetExtension("resourceinstance", key)
	if err := q.PublishTx(ctx, tx, ev); err != nil {
		return err
	}
	return tx.Commit()
}

// publishTorn publishes until it is killed and acknowledges each event with the
// size of the WAL.
func publishTorn(q *sqlite.Queue) int {
	for n := range 60 { // before the first checkpoint
		if err := q.Enqueue(context.Background(), item(strconv.Itoa(n), "k")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		info, err := os.Stat(os.Getenv(pathEnv) + "-wal")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(info.Size())
	}
	select {}
}

// TestTornWAL cuts the WAL of a killed process at random places. What opens holds
// every event whose commit lies before the cut, and of the others none without
// those before it.
func TestTornWAL(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	var sizes []int64 // of the WAL when an event was acknowledged
	enough := make(chan struct{})
	once := sync.OnceFunc(func() { close(enough) })
	kill := startChild(t, []string{childEnv + "=torn", pathEnv + "=" + path}, func(line string) {
		size, err := strconv.ParseInt(line, 10, 64)
		if err != nil {
			t.Errorf("line %q: %v", line, err)
		}
		if sizes = append(sizes, size); len(sizes) == 40 {
			once()
		}
	})
	<-enough
	kill()
	wal, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	cuts := []int64{0, 1, 31, 32, 33, int64(len(wal))}
	for range 30 {
		cuts = append(cuts, rand.Int64N(int64(len(wal))))
	}
	for _, cut := range cuts {
		torn := filepath.Join(t.TempDir(), "torn.db")
		copyFile(t, path, torn)
		if err := os.WriteFile(torn+"-wal", wal[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, size := range sizes {
			if size <= cut {
				want++
			}
		}
		checkTorn(t, torn, cut, want)
	}
}

// checkTorn opens a torn file: it holds at least the first want events, no gap, and
// goes on.
func checkTorn(t *testing.T, path string, cut int64, want int) {
	t.Helper()
	q := newQueue(t, openDB(t, path), sqlite.Config{})
	records, err := q.List(t.Context(), outbox.StatusPending, outbox.Page{Limit: 1000})
	if err != nil {
		t.Fatalf("cut at %d: %v", cut, err)
	}
	var ids []string
	for n := range records {
		ids = append(ids, records[n].ID)
		if records[n].ID != strconv.Itoa(n) {
			t.Errorf("cut at %d: events %s, want no gap", cut, strings.Join(ids, " "))
			break
		}
	}
	if len(records) < want {
		t.Errorf("cut at %d: %d events, want the %d whose bytes were on disk", cut, len(records), want)
	}
	enqueue(t, q, item("after", "k"))
	got := make(collector)
	stop := run(t, q, got.deliver)
	if all := got.next(t, len(records)+1); all[len(records)] != "after" {
		t.Errorf("cut at %d: the last delivery is %s, want the one that was published afterwards", cut, all[len(records)])
	}
	stop()
}
