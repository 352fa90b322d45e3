package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/altinn-go/events/publisher/outbox"
)

// Run implements outbox.Queue. One process at a time relays a file; in another,
// Run stands by, tries every second and takes over when the first has ended, also
// by kill -9.
func (q *Queue) Run(ctx context.Context, deliver func(context.Context, outbox.Item) outbox.Outcome) error {
	base := context.WithoutCancel(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return outbox.ErrClosed
	case q.running != nil:
		q.mu.Unlock()
		return errors.New("queue runs already: one Run at a time")
	}
	done := make(chan struct{})
	q.running, q.cancel = done, cancel
	q.mu.Unlock()

	err := q.run(ctx, base, deliver)

	q.mu.Lock()
	q.running = nil
	closed := q.closed
	q.mu.Unlock()
	if closed {
		err = errors.Join(err, q.release())
	}
	close(done)
	return err
}

func (q *Queue) run(ctx, base context.Context, deliver func(context.Context, outbox.Item) outbox.Outcome) error {
	unlock, err := q.awaitRelay(ctx)
	if err != nil || unlock == nil {
		return err
	}
	r, err := newRelay(base, q)
	if err == nil {
		err = r.run(ctx, base, deliver)
	}
	if err = errors.Join(err, unlock()); err != nil {
		return &outbox.StoreError{Op: "relay", Err: err}
	}
	return nil
}

// Drain implements outbox.Queue. It returns when nothing is due: what is left
// waits for a retry, its own or that of an earlier event of its key. While another
// process relays, nothing waits here and Drain returns at once.
func (q *Queue) Drain(ctx context.Context) error {
	q.mu.Lock()
	if q.standby {
		q.mu.Unlock()
		return nil
	}
	idle := make(chan struct{})
	q.drains = append(q.drains, idle)
	q.mu.Unlock()
	q.signal()

	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		s, err := q.Stats(context.WithoutCancel(ctx))
		return errors.Join(fmt.Errorf("drain: %d events not delivered yet: %w", s.Pending+s.Sending, context.Cause(ctx)), err)
	}
}

// takeDrains hands over the callers of Drain that wait.
func (q *Queue) takeDrains() []chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.drains
	q.drains = nil
	return waiting
}

// returnDrains puts them back, for the next Run.
func (q *Queue) returnDrains(waiting []chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.drains = append(q.drains, waiting...)
}

func (q *Queue) setSending(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sending = n
}
