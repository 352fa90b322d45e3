package middleware

import (
	"context"
	"sync"
	"time"
)

// patience is the context of a Publish: it has a request's values, ends by itself
// after a while, and not when the client goes away. The context of package context
// that does so is made when something is asked of it that only that can answer. A
// memory queue with room never asks, and a request is spared five allocations and
// a timer.
type patience struct {
	values   context.Context //nolint:containedctx // it is a context
	deadline time.Time

	mu     sync.Mutex
	made   context.Context //nolint:containedctx // see above
	cancel context.CancelFunc
	ended  bool
}

// begin sets it up, once.
func (p *patience) begin(values context.Context, timeout time.Duration) *patience {
	p.values, p.deadline = values, time.Now().Add(timeout)
	return p
}

// end is the cancel function.
func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.cancel != nil {
		p.cancel()
	}
}

// make returns the context that p stands for.
func (p *patience) make() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made == nil {
		p.made, p.cancel = context.WithDeadline(context.WithoutCancel(p.values), p.deadline)
		if p.ended {
			p.cancel()
		}
	}
	return p.made
}

// Deadline implements context.Context.
func (p *patience) Deadline() (time.Time, bool) { return p.deadline, true }

// Done implements context.Context.
func (p *patience) Done() <-chan struct{} { return p.make().Done() }

// Err implements context.Context.
func (p *patience) Err() error { return p.make().Err() }

// Value implements context.Context.
func (p *patience) Value(key any) any { return p.make().Value(key) }
