package webhook

import (
	"context"
	"fmt"
	"sync"
)

const defaultInboxSize = 100_000

// Inbox remembers which events were done, so that each has its effect once.
// sqlite.NewInbox and postgres.NewInbox remember it in the transaction of the effect.
type Inbox interface {
	// Once calls do unless the event of an id and source was done before, and
	// remembers it if do returns nil; else it returns do's error. It is called for
	// one event at a time of those that have a resource instance or source in common.
	Once(ctx context.Context, id, source string, do func(ctx context.Context) error) error
}

// NewMemoryInbox returns an Inbox in memory that remembers the newest size events;
// about 200 bytes each. It forgets them when the program ends: Altinn Events sends an
// event again whose answer it did not get, so some are handled twice then.
func NewMemoryInbox(size int) Inbox {
	if size <= 0 {
		panic(fmt.Sprintf("webhook: an inbox of %d events remembers nothing", size))
	}
	return &memoryInbox{size: size, done: map[inboxKey]struct{}{}}
}

type inboxKey struct{ id, source string }

type memoryInbox struct {
	size int

	mu    sync.Mutex
	done  map[inboxKey]struct{}
	order []inboxKey // oldest first, a ring once it is full
	next  int
}

// Once implements Inbox.
func (b *memoryInbox) Once(ctx context.Context, id, source string, do func(context.Context) error) error {
	key := inboxKey{id, source}
	b.mu.Lock()
	_, done := b.done[key]
	b.mu.Unlock()
	if done {
		return nil
	}
	if err := do(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, done := b.done[key]; done {
		return nil
	}
	b.done[key] = struct{}{}
	if len(b.order) < b.size {
		b.order = append(b.order, key)
		return nil
	}
	delete(b.done, b.order[b.next])
	b.order[b.next] = key
	b.next = (b.next + 1) % b.size
	return nil
}
