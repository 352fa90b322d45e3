package main

import (
	"context"
	"runtime"
	"strconv"

	"github.com/altinn-go/events/publisher/outbox"
)

// deep is how many events wait in goal 7.
const deep = 100_000

// item returns the nth event of a kind of which each has a key of its own.
func item(template outbox.Item, n int) outbox.Item {
	number := strconv.Itoa(n)
	it := template
	it.ID, it.Key = template.ID+number, template.Key+number
	it.Body = append(make([]byte, 0, len(template.Body)), template.Body...)
	return it
}

// filled is a memory queue in which events wait.
func filled(template outbox.Item, depth int) (*outbox.Memory, error) {
	q := outbox.NewMemory(outbox.Config{Capacity: 1 << 24})
	for n := range depth {
		if err := q.Enqueue(context.Background(), item(template, n)); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// enqueueDeep compares Enqueue at a depth with Enqueue of an empty queue. Both hold
// the same garbage, so that the collector works the same for both.
func enqueueDeep(l *lab) (figure, error) {
	template, err := encoded()
	if err != nil {
		return figure{}, err
	}
	full, err := filled(template, deep)
	if err != nil {
		return figure{}, err
	}
	const n = 1000
	items := make([]outbox.Item, n)
	for i := range items {
		items[i] = item(template, deep+i)
	}
	empty, err := filled(template, 0)
	if err != nil {
		return figure{}, err
	}
	enqueue := func(q **outbox.Memory, fresh bool) side {
		return func(int) error {
			if fresh {
				*q = outbox.NewMemory(outbox.Config{Capacity: 1 << 24})
			}
			for i := range items {
				if err := (*q).Enqueue(context.Background(), items[i]); err != nil {
					return err
				}
			}
			return nil
		}
	}
	r, err := l.run(contest{subject: enqueue(&full, false), peer: enqueue(&empty, true), n: n})
	runtime.KeepAlive(full)
	return r.figure(), err
}

// bytesPerEvent is what a queued event occupies, against its payload: body, id,
// source and key.
func bytesPerEvent(*lab) (figure, error) {
	template, err := encoded()
	if err != nil {
		return figure{}, err
	}
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	before := heap()
	q, err := filled(template, deep)
	if err != nil {
		return figure{}, err
	}
	used := (heap() - before) / deep
	runtime.KeepAlive(q)
	payload := len(template.Body) + len(template.ID) + 5 + len(template.Key) + 5
	return count(used / float64(payload)), nil
}
