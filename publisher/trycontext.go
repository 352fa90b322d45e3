package publisher

import (
	"context"
	"sync"
	"time"
)

// tryContext is the context of one attempt. It ends with its parent, at its
// deadline, or when the publisher breaks deliveries off.
//
// The timer and the links to those three are made only when somebody waits for its
// end: an attempt that never waits saves nine allocations.
type tryContext struct {
	parent   context.Context
	deadline time.Time
	breakOff context.Context

	mu    sync.Mutex
	built context.Context // nil until somebody asks
	end   context.CancelFunc
	over  bool // the attempt has ended
}

func newTryContext(parent, breakOff context.Context, timeout time.Duration) *tryContext {
	deadline := time.Now().Add(timeout)
	if earlier, ok := parent.Deadline(); ok && earlier.Before(deadline) {
		deadline = earlier
	}
	return &tryContext{parent: parent, deadline: deadline, breakOff: breakOff}
}

// Deadline implements context.Context.
func (c *tryContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Done implements context.Context.
func (c *tryContext) Done() <-chan struct{} { return c.build().Done() }

// Err implements context.Context.
func (c *tryContext) Err() error {
	c.mu.Lock()
	goesOn := c.built == nil && !c.over && c.parent.Err() == nil && c.breakOff.Err() == nil && time.Now().Before(c.deadline)
	c.mu.Unlock()
	if goesOn {
		return nil
	}
	return c.build().Err()
}

// Value implements context.Context. A context derived from this one finds the
// built one through it, and so needs no goroutine to watch this one's end.
func (c *tryContext) Value(key any) any {
	c.mu.Lock()
	built := c.built
	c.mu.Unlock()
	if built != nil {
		return built.Value(key)
	}
	return c.parent.Value(key)
}

func (c *tryContext) build() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.built == nil {
		ctx, cancel := context.WithDeadline(c.parent, c.deadline)
		stop := context.AfterFunc(c.breakOff, cancel)
		c.built, c.end = ctx, func() {
			stop()
			cancel()
		}
		if c.over {
			c.end()
		}
	}
	return c.built
}

// cancel ends the context and frees what it holds.
func (c *tryContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.end != nil {
		c.end()
	}
}
