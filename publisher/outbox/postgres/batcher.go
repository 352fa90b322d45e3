package postgres

import (
	"sync"
	"time"
)

// gatherFor is how long a busy batcher lets callers gather before the next flush: as
// long as River pauses between fetches, because what it fetches comes together.
const gatherFor = fetchCooldown

// batcher folds what many goroutines ask for into one call of flush at a time.
// Who comes alone is served at once; under load, who comes together is served
// together.
type batcher[T any] struct {
	flush func([]T)

	mu      sync.Mutex
	waiting []T
	busy    bool
	idle    sync.Cond
}

func newBatcher[T any](flush func([]T)) *batcher[T] {
	b := &batcher[T]{flush: flush}
	b.idle.L = &b.mu
	return b
}

func (b *batcher[T]) add(items ...T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, items...)
	if !b.busy && len(b.waiting) > 0 {
		b.busy = true
		go b.run()
	}
}

func (b *batcher[T]) run() {
	for last := 0; ; {
		if last > 1 {
			<-time.After(gatherFor)
		}
		batch := b.take()
		if batch == nil {
			return
		}
		b.flush(batch)
		last = len(batch)
	}
}

// take returns what waits. When that is nothing, the batcher is idle.
func (b *batcher[T]) take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	batch := b.waiting
	b.waiting = nil
	if batch == nil {
		b.busy = false
		b.idle.Broadcast()
	}
	return batch
}

// wait returns when everything that was added has been flushed.
func (b *batcher[T]) wait() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.busy {
		b.idle.Wait()
	}
}
