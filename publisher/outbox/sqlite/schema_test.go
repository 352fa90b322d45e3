package sqlite_test

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

func TestMigrate_OnceForManyThatOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	db := openDB(t, path)
	queues := make([]*sqlite.Queue, 8)
	var opening sync.WaitGroup
	for i := range queues {
		opening.Go(func() {
			var err error
			if queues[i], err = sqlite.New(db, sqlite.Config{}); err != nil {
				t.Errorf("New: %v", err)
			}
		})
	}
	opening.Wait()
	for i, q := range queues {
		if q == nil {
			continue
		}
		tx := begin(t, db)
		if err := q.PublishTx(t.Context(), tx, newEvent(string(rune('a'+i)))); err != nil {
			t.Errorf("queue %d has another name than the file: %v", i, err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := q.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

func TestMigrate_OwnsOnlyItsTables(t *testing.T) {
	t.Parallel()
	_, db := setup(t, sqlite.Config{})
	rows, err := db.QueryContext(t.Context(), "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if n++; !strings.HasPrefix(name, "altinn_outbox_") {
			t.Errorf("%s could clash with the app's", name)
		}
	}
	if err := rows.Err(); err != nil || n < 8 {
		t.Errorf("%d tables, indexes and triggers, %v", n, err)
	}
	var version int
	if err := db.QueryRowContext(t.Context(), "PRAGMA user_version").Scan(&version); err != nil || version != 0 {
		t.Errorf("user_version = %d, %v; it is the app's to use", version, err)
	}
}

// What an operator does by hand keeps depth and lines right.
func TestSchema_SurvivesHandsOnDeletes(t *testing.T) {
	t.Parallel()
	q, db := setup(t, sqlite.Config{})
	enqueue(t, q, item("1", "k"), item("2", "k"), item("3", "k"), item("4", "other"))
	for _, id := range []string{"2", "1"} {
		if _, err := db.ExecContext(t.Context(), "DELETE FROM altinn_outbox_events WHERE id = ?", id); err != nil {
			t.Fatal(err)
		}
	}
	if s := stats(t, q); s.Pending != 2 {
		t.Errorf("Stats = %+v, want 2 pending", s)
	}
	got := make(collector)
	run(t, q, got.deliver)
	if ids := strings.Join(got.next(t, 2), ""); ids != "34" && ids != "43" {
		t.Errorf("delivered %s, want 3 and 4", ids)
	}
	if _, err := db.ExecContext(t.Context(), "UPDATE altinn_outbox_events SET state = 7"); err == nil {
		t.Error("a state that does not exist was written")
	}
}
