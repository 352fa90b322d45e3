package sqlite_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/publisher/outbox/sqlite"
	"github.com/altinn-go/events/testutil/outboxtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	outboxtest.Run(t, outboxtest.Harness{
		NewStore: func(tb testing.TB) outboxtest.Store {
			tb.Helper()
			return store(filepath.Join(tb.TempDir(), "app.db"))
		},
		Test: synctest.Test,
	})
}

// store is a file at path, with the app's connections to it.
func store(path string) outboxtest.Store {
	dbs := map[outboxtest.Queue]*sql.DB{}
	return outboxtest.Store{
		Persistent: true,
		Open: func(tb testing.TB, cfg outboxtest.Config) outboxtest.Queue {
			tb.Helper()
			db := openDB(tb, path)
			q, err := sqlite.New(db, sqlite.Config{Workers: cfg.Workers, Capacity: cfg.Capacity, WhenFull: cfg.WhenFull})
			if err != nil {
				tb.Fatalf("New: %v", err)
			}
			dbs[q] = db
			return q
		},
		Begin: func(tb testing.TB, q outboxtest.Queue) outboxtest.Tx {
			tb.Helper()
			tx, err := dbs[q].BeginTx(tb.Context(), nil)
			if err != nil {
				tb.Fatalf("BeginTx: %v", err)
			}
			return outboxtest.Tx{
				PublishTx: func(ctx context.Context, events ...event.Event) error {
					return q.(*sqlite.Queue).PublishTx(ctx, tx, events...)
				},
				Commit:   tx.Commit,
				Rollback: tx.Rollback,
			}
		},
		Crash: func(tb testing.TB) outboxtest.Store {
			tb.Helper()
			copied := filepath.Join(tb.TempDir(), "crashed.db")
			copyFile(tb, path, copied)
			copyFile(tb, path+"-wal", copied+"-wal")
			return store(copied)
		},
	}
}

// openDB opens the app's connections to path and closes them when the test ends.
func openDB(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	db, err := sqlite.OpenDB(path)
	if err != nil {
		tb.Fatalf("OpenDB: %v", err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("close the app's database: %v", err)
		}
	})
	return db
}

func copyFile(tb testing.TB, from, to string) {
	tb.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		tb.Fatal(err)
	}
}
