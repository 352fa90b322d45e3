package sqlite_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

func TestQueue_Close(t *testing.T) {
	t.Parallel()
	q, db := setup(t, sqlite.Config{})
	if err := q.Close(t.Context()); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if err := db.PingContext(t.Context()); err != nil {
		t.Errorf("the app's database was closed too: %v", err)
	}
	if _, err := q.Requeue(t.Context(), 1); !errors.Is(err, outbox.ErrClosed) {
		t.Errorf("Requeue = %v, want ErrClosed", err)
	}
	if _, err := q.Purge(t.Context(), outbox.StatusDelivered, 0); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Purge = %v, want an error", err)
	}
}

func TestQueue_EnqueueNothing(t *testing.T) {
	t.Parallel()
	q, _ := setup(t, sqlite.Config{})
	enqueue(t, q)
	if s := stats(t, q); s != (outbox.Stats{}) {
		t.Errorf("Stats = %+v, want nothing", s)
	}
}
