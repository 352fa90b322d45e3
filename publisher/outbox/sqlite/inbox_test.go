package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/altinn-go/events/middleware/webhook"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

var _ webhook.Inbox = (*sqlite.Inbox)(nil)

// Effect and mark are there together or not at all, also after a restart, and each
// event has its effect once.
func TestInbox(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	db, err := sqlite.OpenDB(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE effects (id TEXT)"); err != nil {
		t.Fatal(err)
	}
	inbox, err := sqlite.NewInbox(db, sqlite.InboxConfig{})
	if err != nil {
		t.Fatal(err)
	}
	effect := func(id string, result error) func(context.Context) error {
		return func(ctx context.Context) error {
			tx, ok := sqlite.InboxTx(ctx)
			if !ok {
				return errors.New("no transaction")
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO effects VALUES (?)", id); err != nil {
				return err
			}
			return result
		}
	}
	broken := errors.New("broken")
	for n, want := range []error{broken, nil, nil} {
		if err := inbox.Once(t.Context(), "e1", "s", effect("e1", want)); !errors.Is(err, want) {
			t.Errorf("time %d: %v, want %v", n, err, want)
		}
	}
	func() {
		defer func() { _ = recover() }()
		_ = inbox.Once(t.Context(), "e2", "s", func(ctx context.Context) error { _ = effect("e2", nil)(ctx); panic("gone") })
	}()
	var calls atomic.Int64
	var running sync.WaitGroup
	for n := range 64 {
		running.Go(func() {
			err := inbox.Once(t.Context(), fmt.Sprint("p", n%8), "s", func(ctx context.Context) error {
				if calls.Add(1)%3 == 0 {
					return broken
				}
				return effect(fmt.Sprint("p", n%8), nil)(ctx)
			})
			if err != nil && !errors.Is(err, broken) {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = sqlite.OpenDB(path); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if inbox, err = sqlite.NewInbox(db, sqlite.InboxConfig{}); err != nil {
		t.Fatal(err)
	}
	if err := inbox.Once(t.Context(), "e1", "s", effect("e1", nil)); err != nil {
		t.Fatal(err)
	}
	if err := inbox.Once(t.Context(), "e1", "another source", effect("other", nil)); err != nil {
		t.Fatal(err)
	}
	var all, distinct int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*), count(DISTINCT id) FROM effects").Scan(&all, &distinct); err != nil {
		t.Fatal(err)
	}
	if all != distinct || all != 10 {
		t.Errorf("%d effects of %d events, want 10 of 10: e1, other, p0 to p7 and not e2", all, distinct)
	}
}

// What is older than Keep is forgotten.
func TestInbox_Forgets(t *testing.T) {
	t.Parallel()
	db, err := sqlite.OpenDB(filepath.Join(t.TempDir(), "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	inbox, err := sqlite.NewInbox(db, sqlite.InboxConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "INSERT INTO altinn_inbox VALUES ('s', 'old', 0), ('s', 'new', unixepoch())"); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if err := inbox.Once(t.Context(), "new", "s", func(context.Context) error { t.Error("it was done"); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	done := false
	if err := inbox.Once(t.Context(), "old", "s", func(context.Context) error { done = true; return nil }); err != nil || !done {
		t.Errorf("after 1000 events the old mark is still there: %v", err)
	}
	if _, err := sqlite.NewInbox(db, sqlite.InboxConfig{Keep: -1}); err == nil {
		t.Error("Keep -1 was taken")
	}
}
