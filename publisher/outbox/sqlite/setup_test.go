package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

// setup opens a queue in a new file, with the app's database.
func setup(tb testing.TB, cfg sqlite.Config) (*sqlite.Queue, *sql.DB) {
	tb.Helper()
	db := openDB(tb, filepath.Join(tb.TempDir(), "app.db"))
	return newQueue(tb, db, cfg), db
}

// newQueue opens the queue in db's file and closes it when the test ends.
func newQueue(tb testing.TB, db *sql.DB, cfg sqlite.Config) *sqlite.Queue {
	tb.Helper()
	q, err := sqlite.New(db, cfg)
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

// run runs q until the returned function is called, or the test ends.
func run(tb testing.TB, q *sqlite.Queue, deliver func(context.Context, outbox.Item) outbox.Outcome) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx, deliver) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, outbox.ErrClosed) {
			tb.Errorf("Run: %v", err)
		}
	})
	tb.Cleanup(stop)
	return stop
}

func item(id, key string) outbox.Item {
	return outbox.Item{
		ID: id, Source: "https://example.com/" + key, Type: "test.outbox", Key: key, Endpoint: "/events",
		Body: fmt.Appendf(nil, `{"id":%q}`, id), PublishedAt: time.Now(),
	}
}

func enqueue(tb testing.TB, q outbox.Queue, items ...outbox.Item) {
	tb.Helper()
	if err := q.Enqueue(tb.Context(), items...); err != nil {
		tb.Fatalf("Enqueue: %v", err)
	}
}

func stats(tb testing.TB, q *sqlite.Queue) outbox.Stats {
	tb.Helper()
	s, err := q.Stats(tb.Context())
	if err != nil {
		tb.Fatalf("Stats: %v", err)
	}
	return s
}

// collector delivers everything and tells it on a channel.
type collector chan outbox.Item

func (c collector) deliver(_ context.Context, it outbox.Item) outbox.Outcome {
	c <- it
	return outbox.Outcome{}
}

// next returns the ids of the next n deliveries.
func (c collector) next(tb testing.TB, n int) []string {
	tb.Helper()
	var ids []string
	for range n {
		select {
		case it := <-c:
			ids = append(ids, it.ID)
		case <-time.After(time.Minute):
			tb.Fatalf("%d deliveries came, want %d: %v", len(ids), n, ids)
		}
	}
	return ids
}
