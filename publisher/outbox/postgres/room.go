package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/altinn-go/events/publisher/outbox"
)

// querier is what a pool and a transaction have in common.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// countEvery is how old a count may be that says that there is room. One that
// says that there is none is taken anew.
const countEvery = time.Second

// room keeps the depth within the capacity. It counts seldom and adds what this
// process has put in since.
type room struct {
	cfg   Config
	count func(ctx context.Context, db querier, upTo int) (int, error)
	turn  chan struct{} // held by the caller that is next; the others stand in line

	mu       sync.Mutex
	depth    int       // at the last count, and what was reserved since
	reserved int       // and not settled
	recount  time.Time // when depth is too old
}

func newRoom(cfg Config, count func(context.Context, querier, int) (int, error)) *room {
	return &room{cfg: cfg, count: count, turn: make(chan struct{}, 1)}
}

// reserve takes room for n events, to be settled when they are inserted or will
// not be. When there is none it waits or returns ErrFull.
func (r *room) reserve(ctx context.Context, db querier, n int, wait bool) error {
	if r.cfg.Capacity < 0 {
		return nil
	}
	if n > r.cfg.Capacity {
		return fmt.Errorf("%w: %d events at once, the capacity is %d", outbox.ErrFull, n, r.cfg.Capacity)
	}
	if !wait {
		_, err := r.try(ctx, db, n)
		return err
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return waitError(ctx)
	}
	for {
		full, err := r.try(ctx, db, n)
		if !full {
			return err
		}
		select {
		case <-time.After(r.pause()):
		case <-ctx.Done():
			return waitError(ctx)
		}
	}
}

func waitError(ctx context.Context) error {
	return fmt.Errorf("waiting for room in the queue: %w", context.Cause(ctx))
}

// try takes room for n events if there is any, and counts if it has to.
func (r *room) try(ctx context.Context, db querier, n int) (full bool, err error) {
	if r.take(n, time.Now()) {
		return false, nil
	}
	start := time.Now()
	depth, err := r.count(ctx, db, r.cfg.Capacity)
	if err != nil {
		return false, err
	}
	took := time.Since(start)
	r.mu.Lock()
	r.depth = depth + r.reserved
	r.recount = start.Add(max(countEvery, 20*took)) // counting takes 5 % of the time at most
	r.mu.Unlock()
	if r.take(n, start) {
		return false, nil
	}
	return true, fmt.Errorf("%w: it holds its capacity of %d events", outbox.ErrFull, r.cfg.Capacity)
}

// take takes room for n events if the depth that is known at now leaves any.
func (r *room) take(n int, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.After(r.recount) || r.depth+n > r.cfg.Capacity {
		return false
	}
	r.depth += n
	r.reserved += n
	return true
}

// pause is how long to wait on a full queue before counting again.
func (r *room) pause() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(r.cfg.PollInterval, time.Until(r.recount)/2-countEvery/2)
}

// settle says that n events that were reserved are in the table or will not be.
func (r *room) settle(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reserved = max(0, r.reserved-n)
}
