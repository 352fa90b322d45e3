package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
	"github.com/altinn-go/events/testutil/pgtest"
)

// newPool opens a pool for the database at address and closes it when the test
// ends.
func newPool(tb testing.TB, address string) *pgxpool.Pool {
	tb.Helper()
	cfg, err := pgxpool.ParseConfig(address)
	if err != nil {
		tb.Fatal(err)
	}
	cfg.MaxConns = 12
	pool, err := pgxpool.NewWithConfig(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

// migrated opens a pool for a new database with the queue's tables.
func migrated(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	pool := newPool(tb, pgtest.URL(tb))
	if err := postgres.Migrate(tb.Context(), pool, postgres.Config{}); err != nil {
		tb.Fatal(err)
	}
	return pool
}

// open opens the queue and closes it when the test ends.
func open(tb testing.TB, pool *pgxpool.Pool, cfg postgres.Config) *postgres.Queue {
	tb.Helper()
	q, err := postgres.New(tb.Context(), pool, cfg)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	tb.Cleanup(func() {
		if err := q.Close(context.WithoutCancel(tb.Context())); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return q
}

type deliver = func(context.Context, outbox.Item) outbox.Outcome

// run runs q until the returned function is called, or the test ends.
func run(tb testing.TB, q *postgres.Queue, d deliver) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := q.Run(ctx, d); err != nil {
			tb.Errorf("Run: %v", err)
		}
	}()
	stop = func() {
		cancel()
		<-done
	}
	tb.Cleanup(stop)
	return stop
}

func enqueue(tb testing.TB, q *postgres.Queue, items ...outbox.Item) {
	tb.Helper()
	if err := q.Enqueue(tb.Context(), items...); err != nil {
		tb.Fatal(err)
	}
}

// item is an event of key that was published now.
func item(id, key string) outbox.Item {
	return outbox.Item{
		ID: id, Source: "https://example.com/" + key, Type: "test.outbox", Key: key, Endpoint: "/events",
		Body: []byte(`{"id":"` + id + `"}`), PublishedAt: time.Now(),
	}
}

// items are n events of key.
func items(n int, key string) []outbox.Item {
	all := make([]outbox.Item, n)
	for i := range all {
		all[i] = item(fmt.Sprint(key, "-", i), key)
	}
	return all
}

// newEvent is an event of instance, which is its key.
func newEvent(id, instance string) event.Event {
	ev := event.New()
	ev.SetID(id)
	ev.SetSource("https://example.com/broker")
	ev.SetType("test.outbox")
	ev.SetSubject("/party/50019855")
	ev.SetExtension(models.ExtResource, "urn:altinn:resource:test")
	ev.SetExtension(models.ExtResourceInstance, instance)
	return ev
}

// eventually waits until condition holds, for as long as the test has.
func eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(60 * time.Second); !condition(); {
		if time.Now().After(deadline) {
			tb.Fatalf("never: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// settled waits until q's depth is as want says; times are not compared.
func settled(tb testing.TB, q *postgres.Queue, want outbox.Stats) {
	tb.Helper()
	eventually(tb, fmt.Sprintf("Stats %+v", want), func() bool {
		got, err := q.Stats(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		got.OldestPending = time.Time{}
		return got == want
	})
}

// parked is how many events are parked.
func parked(tb testing.TB, pool *pgxpool.Pool) int {
	tb.Helper()
	var n int
	err := pool.QueryRow(tb.Context(),
		"SELECT count(*) FROM altinn_outbox.river_job WHERE state = 'scheduled' AND metadata @> '{\"parked\": true}'").Scan(&n)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}
