package postgres_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
	"github.com/altinn-go/events/testutil/pgtest"
)

// away is how long the database stays away: OUTBOX_AWAY, or half a second.
func away(t *testing.T) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(cmp.Or(os.Getenv("OUTBOX_AWAY"), "500ms"))
	if err != nil {
		t.Fatalf("OUTBOX_AWAY: %v", err)
	}
	return d
}

// The server crashes under load and comes back: what was accepted is delivered, in
// order, by the same Run.
func TestRun_OutlastsTheDatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.NewServer(t)
	pool := newPool(t, server.URL("postgres"))
	if err := postgres.Migrate(t.Context(), pool, postgres.Config{}); err != nil {
		t.Fatal(err)
	}
	q := open(t, pool, postgres.Config{Workers: 4})
	var (
		mu   sync.Mutex
		seen = map[string]bool{}
		sent []string
	)
	begun, release := make(chan struct{}), make(chan struct{})
	run(t, q, func(_ context.Context, it outbox.Item) outbox.Outcome {
		if it.ID == "k-0" {
			close(begun)
			<-release
		}
		mu.Lock()
		defer mu.Unlock()
		if !seen[it.ID] {
			seen[it.ID] = true
			sent = append(sent, it.ID)
		}
		return outbox.Outcome{}
	})
	enqueue(t, q, items(20, "k")...)
	<-begun
	server.Stop()
	close(release) // the outcome cannot be written yet

	back := time.After(away(t))
	for refused := false; !refused; {
		err := q.Enqueue(t.Context(), item("refused", "k"))
		if _, ok := errors.AsType[*pgconn.ConnectError](err); !ok {
			t.Errorf("Enqueue without a database = %v, want a *pgconn.ConnectError", err)
		}
		select {
		case <-back:
			refused = true
		case <-time.After(100 * time.Millisecond):
		}
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	settled(t, q, outbox.Stats{Delivered: 20})
	mu.Lock()
	defer mu.Unlock()
	var want []string
	for n := range 20 {
		want = append(want, fmt.Sprint("k-", n))
	}
	if diff := gocmp.Diff(want, sent); diff != "" {
		t.Errorf("first deliveries (-want +got):\n%s", diff)
	}
}

// Cut connections are opened again.
func TestRun_OutlastsCutConnections(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	q := open(t, pool, postgres.Config{Workers: 4})
	run(t, q, func(context.Context, outbox.Item) outbox.Outcome { return outbox.Outcome{} })
	admin := newPool(t, pool.Config().ConnString())
	for round := range 3 {
		eventually(t, "an event accepted", func() bool {
			return q.Enqueue(t.Context(), item(fmt.Sprint("x", round), "k")) == nil
		})
		eventually(t, "it is delivered", func() bool {
			stats, err := q.Stats(t.Context()) // the connection that it gets may be cut as well
			return err == nil && stats.Delivered == round+1
		})
		_, err := admin.Exec(t.Context(),
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRun_SaysThatThereIsNoDatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.NewServer(t)
	pool := newPool(t, server.URL("postgres"))
	if err := postgres.Migrate(t.Context(), pool, postgres.Config{}); err != nil {
		t.Fatal(err)
	}
	q := open(t, pool, postgres.Config{})
	server.Stop()
	err := q.Run(t.Context(), func(context.Context, outbox.Item) outbox.Outcome { return outbox.Outcome{} })
	if err == nil {
		t.Error("Run = nil without a database, want an error: the publisher starts it again")
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}
