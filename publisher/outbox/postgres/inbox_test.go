package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/altinn-go/events/middleware/webhook"
	"github.com/altinn-go/events/publisher/outbox/postgres"
	"github.com/altinn-go/events/testutil/pgtest"
)

var _ webhook.Inbox = (*postgres.Inbox)(nil)

// Effect and mark are there together or not at all, and of processes that are given
// one event at once, one has the effect.
func TestInbox(t *testing.T) {
	t.Parallel()
	pool := newPool(t, pgtest.URL(t))
	if _, err := pool.Exec(t.Context(), "CREATE TABLE effects (id text)"); err != nil {
		t.Fatal(err)
	}
	inboxes := make([]*postgres.Inbox, 4)
	var opening sync.WaitGroup
	for i := range inboxes {
		opening.Go(func() {
			var err error
			if inboxes[i], err = postgres.NewInbox(t.Context(), pool, postgres.InboxConfig{}); err != nil {
				t.Errorf("NewInbox: %v", err)
			}
		})
	}
	opening.Wait()
	if t.Failed() {
		return
	}
	broken := errors.New("broken")
	var calls atomic.Int64
	var running sync.WaitGroup
	for n := range 64 {
		running.Go(func() {
			id := fmt.Sprint("p", n%8)
			for again := true; again; {
				err := inboxes[n%4].Once(t.Context(), id, "s", func(ctx context.Context) error {
					tx, ok := postgres.InboxTx(ctx)
					if !ok {
						return errors.New("no transaction")
					}
					if _, err := tx.Exec(ctx, "INSERT INTO effects VALUES ($1)", id); err != nil {
						return err
					}
					if calls.Add(1)%3 == 0 {
						return broken
					}
					return nil
				})
				if again = errors.Is(err, broken); err != nil && !again {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	var all, distinct int
	if err := pool.QueryRow(t.Context(), "SELECT count(*), count(DISTINCT id) FROM effects").Scan(&all, &distinct); err != nil {
		t.Fatal(err)
	}
	if all != 8 || distinct != 8 {
		t.Errorf("%d effects of %d events, want 8 of 8", all, distinct)
	}
}

func TestInbox_Forgets(t *testing.T) {
	t.Parallel()
	pool := newPool(t, pgtest.URL(t))
	inbox, err := postgres.NewInbox(t.Context(), pool, postgres.InboxConfig{Table: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), "INSERT INTO mine VALUES ('s', 'old', now() - interval '31 days'), ('s', 'new', now())"); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if err := inbox.Once(t.Context(), "new", "s", func(context.Context) error { t.Error("it was done"); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	var left int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM mine").Scan(&left); err != nil || left != 1 {
		t.Errorf("%d marks are left, %v; want the new one", left, err)
	}
	for _, cfg := range []postgres.InboxConfig{{Table: "a b"}, {Keep: -1}} {
		if _, err := postgres.NewInbox(t.Context(), pool, cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}
