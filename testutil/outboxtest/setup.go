package outboxtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/publisher/outbox"
)

// patience is for how many units a test waits for what should come at once.
const patience = 1000

// setup is one test's surroundings.
type setup struct {
	testing.TB
	store Store
	unit  time.Duration
}

// open opens the queue and closes it when the test ends.
func (s *setup) open(cfg Config) Queue {
	s.Helper()
	q := s.store.Open(s.TB, cfg)
	s.Cleanup(func() { _ = q.Close(context.WithoutCancel(s.Context())) })
	return q
}

// durable opens the queue of a persistent store.
func (s *setup) durable(cfg Config) outbox.Durable {
	s.Helper()
	q, ok := s.open(cfg).(outbox.Durable)
	if !ok {
		s.Fatal("the queue of a persistent store is no outbox.Durable")
	}
	return q
}

// ctx is a context that ends when a test has waited too long.
func (s *setup) ctx() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), patience*s.unit)
	s.Cleanup(cancel)
	return ctx
}

// units is n units of time.
func (s *setup) units(n int) time.Duration { return time.Duration(n) * s.unit }

// sleep lets n units pass.
func (s *setup) sleep(n int) { <-time.After(s.units(n)) }

// run runs q until the returned function is called, or the test ends.
func (s *setup) run(q Queue, deliver func(context.Context, outbox.Item) outbox.Outcome) (stop func()) {
	s.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.Context()))
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx, deliver) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, outbox.ErrClosed) {
			s.Errorf("Run: %v", err)
		}
	})
	s.Cleanup(stop)
	return stop
}

func (s *setup) enqueue(q Queue, items ...outbox.Item) {
	s.Helper()
	if err := q.Enqueue(s.ctx(), items...); err != nil {
		s.Fatalf("Enqueue: %v", err)
	}
}

func (s *setup) stats(q Queue) outbox.Stats {
	s.Helper()
	stats, err := q.Stats(s.Context())
	if err != nil {
		s.Fatalf("Stats: %v", err)
	}
	return stats
}

// eventually waits until q's depth is as want says. Times are not compared.
func (s *setup) eventually(q Queue, want outbox.Stats) {
	s.Helper()
	var got outbox.Stats
	for range patience {
		got = s.stats(q)
		got.OldestPending = time.Time{}
		if !s.store.Persistent {
			got.Delivered = want.Delivered // it keeps none
		}
		if got == want {
			return
		}
		<-time.After(s.unit / 2)
	}
	s.Fatalf("Stats never came to (-want +got):\n%s", cmp.Diff(want, got))
}

func (s *setup) close(q Queue) {
	s.Helper()
	if err := q.Close(s.ctx()); err != nil && s.store.Persistent {
		s.Fatalf("Close: %v", err)
	}
}

func (s *setup) discarded(q Queue, page outbox.Page) []outbox.DiscardedItem {
	s.Helper()
	items, err := q.Discarded(s.Context(), page)
	if err != nil {
		s.Fatalf("Discarded: %v", err)
	}
	return items
}

// item is an event of key that was published now.
func item(id, key string) outbox.Item {
	return outbox.Item{
		ID: id, Source: "https://example.com/" + key, Type: "test.outbox", Key: key, Endpoint: "/events",
		Body: []byte(`{"id":"` + id + `"}`), PublishedAt: time.Now(),
	}
}

// delivery is one call of deliver.
type delivery struct {
	id      string
	attempt int
	at      time.Time
	item    outbox.Item
}

func (d *delivery) String() string { return fmt.Sprintf("%s#%d", d.id, d.attempt) }

// recorder is a deliver function that remembers its calls.
type recorder struct {
	// decide says what comes of a delivery; nil delivers everything.
	decide func(outbox.Item) outbox.Outcome

	mu    sync.Mutex
	calls []delivery
	more  chan struct{} // closed at the next call
}

func (r *recorder) deliver(_ context.Context, it outbox.Item) outbox.Outcome {
	r.mu.Lock()
	r.calls = append(r.calls, delivery{it.ID, it.Attempt, time.Now(), it})
	if r.more != nil {
		close(r.more)
		r.more = nil
	}
	r.mu.Unlock()
	if r.decide == nil {
		return outbox.Outcome{}
	}
	return r.decide(it)
}

// await waits for n calls and returns all there are.
func (r *recorder) await(s *setup, n int) []delivery {
	s.Helper()
	ctx := s.ctx()
	for {
		r.mu.Lock()
		calls := slices.Clone(r.calls)
		if r.more == nil {
			r.more = make(chan struct{})
		}
		more := r.more
		r.mu.Unlock()
		if len(calls) >= n {
			return calls
		}
		select {
		case <-more:
		case <-ctx.Done():
			s.Fatalf("%d deliveries came, want %d: %v", len(calls), n, texts(calls[max(0, len(calls)-20):]))
		}
	}
}

// want waits for the deliveries, which are written "id#attempt", and sees that no
// other comes within a few units.
func (r *recorder) want(s *setup, want ...string) []delivery {
	s.Helper()
	r.await(s, len(want))
	s.sleep(3)
	calls := r.await(s, 0)
	if diff := cmp.Diff(want, texts(calls)); diff != "" {
		s.Errorf("deliveries (-want +got):\n%s", diff)
	}
	return calls
}

func texts(calls []delivery) []string {
	var out []string
	for i := range calls {
		out = append(out, calls[i].String())
	}
	return out
}

// gate holds deliveries up until it is opened. Have a Cleanup open it that is
// registered after run's, or a test that fails never ends.
type gate struct {
	opened chan struct{}
	open   func()
}

func newGate() gate {
	opened := make(chan struct{})
	return gate{opened, sync.OnceFunc(func() { close(opened) })}
}

func (g gate) wait() { <-g.opened }

// discardIf discards the items that it names, at their first attempt.
func discardIf(ids ...string) func(outbox.Item) outbox.Outcome {
	return func(it outbox.Item) outbox.Outcome {
		if slices.Contains(ids, it.ID) {
			return outbox.Outcome{State: outbox.Discard, Reason: "rejected " + it.ID}
		}
		return outbox.Outcome{}
	}
}
