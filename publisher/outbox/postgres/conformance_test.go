package postgres_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn-go/events/publisher/outbox/postgres"
	"github.com/altinn-go/events/testutil/outboxtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	outboxtest.Run(t, outboxtest.Harness{
		NewStore: func(tb testing.TB) outboxtest.Store {
			tb.Helper()
			return store(migrated(tb))
		},
		Unit: 400 * time.Millisecond, // River writes a retry up to 250 ms after it was decided
	})
}

// store is a migrated database.
func store(pool *pgxpool.Pool) outboxtest.Store {
	return outboxtest.Store{
		Persistent: true,
		Open: func(tb testing.TB, cfg outboxtest.Config) outboxtest.Queue {
			tb.Helper()
			q, err := postgres.New(tb.Context(), pool,
				postgres.Config{Workers: cfg.Workers, Capacity: cfg.Capacity, WhenFull: cfg.WhenFull})
			if err != nil {
				tb.Fatalf("New: %v", err)
			}
			return q
		},
		Begin: func(tb testing.TB, q outboxtest.Queue) outboxtest.Tx {
			tb.Helper()
			tx, err := pool.Begin(tb.Context())
			if err != nil {
				tb.Fatalf("Begin: %v", err)
			}
			tb.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(tb.Context())) })
			return outboxtest.Tx{
				PublishTx: func(ctx context.Context, events ...event.Event) error {
					return q.(*postgres.Queue).PublishTx(ctx, tx, events...)
				},
				Commit:   func() error { return tx.Commit(tb.Context()) },
				Rollback: func() error { return tx.Rollback(tb.Context()) },
			}
		},
		Crash: func(tb testing.TB) outboxtest.Store {
			tb.Helper()
			crashed := migrated(tb) // where nobody holds the lease of whoever is at work here
			copyJobs(tb, pool, crashed)
			return store(crashed)
		},
	}
}

// copyJobs copies what one database holds into another, empty one.
func copyJobs(tb testing.TB, from, to *pgxpool.Pool) {
	tb.Helper()
	const table = "altinn_outbox.river_job"
	source, err := from.Acquire(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	defer source.Release()
	target, err := to.Acquire(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	defer target.Release()
	var rows bytes.Buffer
	if _, err := source.Conn().PgConn().CopyTo(tb.Context(), &rows, "COPY "+table+" TO STDOUT"); err != nil {
		tb.Fatal(err)
	}
	if _, err := target.Conn().PgConn().CopyFrom(tb.Context(), &rows, "COPY "+table+" FROM STDIN"); err != nil {
		tb.Fatal(err)
	}
	_, err = target.Exec(tb.Context(), "SELECT setval('"+table+"_id_seq', (SELECT max(id) FROM "+table+"))")
	if err != nil {
		tb.Fatal(err)
	}
}
