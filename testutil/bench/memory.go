package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

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

// enqueueBlocked compares Enqueue of a second event of one of very many keys that wait
// for a retry with one of few. While workers sleep, Enqueue sorts by key itself.
func enqueueBlocked(l *lab) (figure, error) {
	const n = 1000
	many, stopMany, err := blocked(deep)
	if err != nil {
		return figure{}, err
	}
	defer stopMany()
	few, stopFew, err := blocked(n)
	if err != nil {
		return figure{}, err
	}
	defer stopFew()

	var ofMany supply // makes the same keys anew
	var slices [2][][]outbox.Item
	for range l.rounds {
		var ofFew supply
		for i, s := range []*supply{&ofMany, &ofFew, {}} {
			items, err := s.items(n)
			if err != nil {
				return figure{}, err
			}
			side := min(i, 1) // the peer is its own control
			slices[side] = append(slices[side], items)
		}
		ofMany.made %= deep
	}
	next := func(side int) (items []outbox.Item) {
		items, slices[side] = slices[side][0], slices[side][1:]
		return items
	}
	r, err := l.run(contest{
		subject: func(int) error { return enqueueEach(many, next(0)) },
		peer:    func(int) error { return enqueueEach(few, next(1)) },
		n:       n,
	})
	return r.figure(), err
}

// blocked returns a queue of an event for each of n keys, which all wait for an hour,
// and what ends it.
func blocked(n int) (q *outbox.Memory, stop func(), err error) {
	q = newQueue()
	ctx, cancel := context.WithCancel(context.Background())
	var tried atomic.Int64
	all, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_ = q.Run(ctx, func(context.Context, outbox.Item) outbox.Outcome {
			if tried.Add(1) == int64(n) {
				close(all)
			}
			return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(time.Hour)}
		})
	}()
	stop = func() {
		cancel()
		<-ended
	}
	var s supply
	if err := s.fill(q, n); err != nil {
		stop()
		return nil, nil, err
	}
	<-all
	return q, stop, nil
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
	// What goals before this one have left may go while a queue is filled: the median of
	// several does not see it.
	var ratios []float64
	for range 5 {
		before := heap()
		q := newQueue()
		if err := s.fill(q, deep); err != nil {
			return figure{}, err
		}
		if _, err := q.Stats(context.Background()); err != nil { // sorts them by key, as a worker does
			return figure{}, err
		}
		ratios = append(ratios, (heap()-before)/deep/float64(payload))
		runtime.KeepAlive(q)
	}
	return count(spreadOf(ratios).Median), nil
}
