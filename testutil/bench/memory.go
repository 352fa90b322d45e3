package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
)

// deep is how many events wait in goal 7.
const deep = 100_000

// items returns n events as Publish hands them to a queue, each of an instance of
// its own, and so with a key of its own. They are of other instances on each call.
func (s *supply) items(n int) ([]outbox.Item, error) {
	items := make([]outbox.Item, n)
	for i := range items {
		s.made++
		instance := testInstance
		instance.ID = fmt.Sprintf("50019855/428a4575-2c04-4400-89a3-%012x", s.made)
		var err error
		if items[i], err = (publisher.Encoder{}).Encode(testApp.Created(instance), testTime, ""); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// supply makes events that differ.
type supply struct{ made int }

func newQueue() *outbox.Memory { return outbox.NewMemory(outbox.Config{Capacity: 1 << 24}) }

// fill puts n events into q, without keeping them for itself.
func (s *supply) fill(q *outbox.Memory, n int) error {
	const batch = 1000
	for ; n > 0; n -= batch {
		items, err := s.items(min(n, batch))
		if err != nil {
			return err
		}
		if err := enqueueEach(q, items); err != nil {
			return err
		}
	}
	return nil
}

func enqueueEach(q *outbox.Memory, items []outbox.Item) error {
	for i := range items {
		if err := q.Enqueue(context.Background(), items[i]); err != nil {
			return err
		}
	}
	return nil
}

// enqueueDeep compares Enqueue at a depth with Enqueue from empty, of a thousand
// events with new keys at a time. The deep queue is there while the empty one is
// measured, so that the collector works the same for both.
func enqueueDeep(l *lab) (figure, error) {
	const n = 1000
	var s supply
	full := newQueue()
	if err := s.fill(full, deep); err != nil {
		return figure{}, err
	}
	if _, err := full.Stats(context.Background()); err != nil { // sorts them by key, as a worker does
		return figure{}, err
	}
	// Each side has events that it has not seen, which are no longer in a cache.
	slices := make([][]outbox.Item, 3*l.rounds)
	for i := range slices {
		var err error
		if slices[i], err = s.items(n); err != nil {
			return figure{}, err
		}
	}
	turn := 0
	next := func() []outbox.Item {
		turn++
		return slices[turn-1]
	}
	r, err := l.run(contest{
		subject: func(int) error { return enqueueEach(full, next()) },
		peer:    func(int) error { return enqueueEach(newQueue(), next()) },
		n:       n,
	})
	runtime.KeepAlive(full)
	return r.figure(), err
}

// bytesPerEvent is what a queued event occupies, against its payload: body, id and
// source, which is the key too.
func bytesPerEvent(*lab) (figure, error) {
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	var s supply
	one, err := s.items(1)
	if err != nil {
		return figure{}, err
	}
	if one[0].Key != one[0].Source {
		return figure{}, errors.New("an event of an app is no longer ordered by its source")
	}
	payload := len(one[0].Body) + len(one[0].ID) + len(one[0].Source)
	before := heap()
	q := newQueue()
	if err := s.fill(q, deep); err != nil {
		return figure{}, err
	}
	if _, err := q.Stats(context.Background()); err != nil { // sorts them by key, as a worker does
		return figure{}, err
	}
	used := (heap() - before) / deep
	runtime.KeepAlive(q)
	return count(used / float64(payload)), nil
}
