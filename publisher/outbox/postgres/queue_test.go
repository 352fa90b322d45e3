package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
)

// A process that stops must not wait for what others keep publishing.
func TestQueue_Drain_DoesNotWaitForLaterEvents(t *testing.T) {
	t.Parallel()
	q := open(t, migrated(t), postgres.Config{})
	gate, never := make(chan struct{}), make(chan struct{})
	run(t, q, func(_ context.Context, it outbox.Item) outbox.Outcome {
		if it.Key == "later" {
			<-never
		}
		<-gate
		return outbox.Outcome{}
	})
	t.Cleanup(func() { close(never) })
	enqueue(t, q, items(20, "k")...)
	drained := make(chan error, 1)
	go func() { drained <- q.Drain(t.Context()) }()
	select {
	case err := <-drained:
		t.Fatalf("Drain = %v before anything was delivered", err)
	case <-time.After(300 * time.Millisecond):
	}
	enqueue(t, q, item("later", "later"))
	close(gate)
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
	settled(t, q, outbox.Stats{Sending: 1, Delivered: 20})
}

// What waits for a retry is kept, so Drain does not wait for it, nor for what is
// parked behind it.
func TestQueue_Drain_LeavesRetries(t *testing.T) {
	t.Parallel()
	q := open(t, migrated(t), postgres.Config{})
	run(t, q, func(context.Context, outbox.Item) outbox.Outcome {
		return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(time.Hour)}
	})
	enqueue(t, q, items(5, "k")...)
	if err := q.Drain(t.Context()); err != nil {
		t.Errorf("Drain: %v", err)
	}
	settled(t, q, outbox.Stats{Pending: 5})
}

// The whole way, with the publisher's own policy.
func TestQueue_UnderAPublisher(t *testing.T) {
	t.Parallel()
	q := open(t, migrated(t), postgres.Config{})
	sender := &flakySender{fails: 3}
	pub, err := publisher.New(sender, publisher.Config{
		Queue: q,
		Retry: publisher.RetryPolicy{Base: 10 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"1", "2", "3"} {
		if err := pub.Publish(t.Context(), newEvent(id, "k")); err != nil {
			t.Fatal(err)
		}
	}
	settled(t, q, outbox.Stats{Delivered: 3})
	if err := pub.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := pub.Publish(t.Context(), newEvent("4", "k")); !errors.Is(err, publisher.ErrClosed) {
		t.Errorf("Publish after Close = %v, want ErrClosed", err)
	}
}

// flakySender fails a few times.
type flakySender struct {
	mu    sync.Mutex
	fails int
}

func (s *flakySender) Send(context.Context, outbox.Item) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails > 0 {
		s.fails--
		return publisher.ErrUnavailable
	}
	return nil
}
