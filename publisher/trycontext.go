package publisher

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// tries are the attempts under way. One timer ends those whose time is over, since
// they have the same time each: a timer and a link to breakOff for each of them was
// a twentieth of what a publish over a socket costs.
type tries struct {
	start time.Time // what deadlines are counted from

	mu          sync.Mutex
	first, last *tryContext // by deadline
	timer       *time.Timer // nil until the first attempt
	set         bool        // timer is to fire
	broken      bool        // breakOff was called
}

// begin returns the context of an attempt that may last until deadline.
func (t *tries) begin(parent context.Context, deadline time.Time) *tryContext {
	c := &tryContext{parent: parent, due: deadline.Sub(t.start), tries: t}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.broken {
		c.finish(canceled)
	}
	t.insert(c)
	if !t.set && !t.broken {
		t.setTimer(t.first.due - time.Since(t.start))
	}
	return c
}

// insert puts c behind those that end before it: nearly always the end of the line.
func (t *tries) insert(c *tryContext) {
	before := t.last
	for before != nil && before.due > c.due {
		before = before.before
	}
	c.before = before
	if before == nil {
		c.after, t.first = t.first, c
	} else {
		c.after, before.after = before.after, c
	}
	if c.after == nil {
		t.last = c
	} else {
		c.after.before = c
	}
}

func (t *tries) remove(c *tryContext) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.before == nil {
		t.first = c.after
	} else {
		c.before.after = c.after
	}
	if c.after == nil {
		t.last = c.before
	} else {
		c.after.before = c.before
	}
	c.before, c.after = nil, nil
}

// setTimer lets the timer fire after d. Attempts that end before it does leave it
// alone, so that it fires at most once in a TryTimeout.
func (t *tries) setTimer(d time.Duration) {
	t.set = true
	if t.timer == nil {
		t.timer = time.AfterFunc(d, t.expire)
	} else {
		t.timer.Reset(d)
	}
}

// expire ends the attempts whose time is over.
func (t *tries) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Since(t.start)
	c := t.first
	for ; c != nil && c.due <= now; c = c.after {
		c.finish(timedOut)
	}
	t.set = false
	if c != nil && !t.broken {
		t.setTimer(c.due - now)
	}
}

// breakOff ends all attempts, and those that are begun from now on.
func (t *tries) breakOff() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.broken = true
	for c := t.first; c != nil; c = c.after {
		c.finish(canceled)
	}
	if t.timer != nil {
		t.timer.Stop()
	}
}

// ending is why the context of an attempt has ended.
type ending = int32

const (
	running ending = iota
	canceled
	timedOut
	endedWithParent
)

// tryContext is the context of one attempt. It ends with its parent, at its
// deadline, or when the publisher breaks deliveries off. What can be waited for is
// made only when somebody waits.
//
// That is a context of package context. A method AfterFunc would be a little cheaper for
// what is derived from this one directly, and a goroutine each for what is derived from
// it with a value in between, as tracing transports do.
type tryContext struct {
	parent context.Context
	due    time.Duration // its deadline, after tries.start
	tries  *tries

	before, after *tryContext // in tries, guarded by its lock

	ending  atomic.Int32            // running until it has ended, other than with its parent
	waiting atomic.Pointer[waiting] // nil until somebody waits
}

// waiting is what somebody waits for.
type waiting struct {
	context.Context

	end context.CancelCauseFunc
}

// Deadline implements context.Context.
func (c *tryContext) Deadline() (time.Time, bool) {
	now := time.Now() // the clock on the wall may have been set since tries.start
	deadline := now.Add(c.due - now.Sub(c.tries.start))
	if earlier, ok := c.parent.Deadline(); ok && earlier.Before(deadline) {
		return earlier, true
	}
	return deadline, true
}

// Done implements context.Context.
func (c *tryContext) Done() <-chan struct{} {
	w := c.waiting.Load()
	if w == nil {
		w = new(waiting)
		w.Context, w.end = context.WithCancelCause(c.parent)
		if !c.waiting.CompareAndSwap(nil, w) {
			w.end(nil)
			w = c.waiting.Load()
		}
	}
	_ = c.Err() // ends it if finish has not seen that somebody waits
	return w.Done()
}

// Err implements context.Context. Where it tells an error, Done is closed.
func (c *tryContext) Err() error {
	why := c.ending.Load()
	err := c.because(why)
	if err == nil {
		return nil
	}
	if w := c.waiting.Load(); w == nil {
		return err
	} else if why == running || why == endedWithParent {
		w.end(context.Cause(c.parent))
	} else {
		w.end(err)
	}
	return err
}

// because returns the error of a context that has ended like that.
func (c *tryContext) because(why ending) error {
	switch why {
	case canceled:
		return context.Canceled
	case timedOut:
		return context.DeadlineExceeded
	default:
		return c.parent.Err()
	}
}

// Value implements context.Context. A context derived from this one finds the
// one that is waited for through it, and so needs no goroutine to watch this one's end.
func (c *tryContext) Value(key any) any {
	if w := c.waiting.Load(); w != nil {
		return w.Value(key)
	}
	return c.parent.Value(key)
}

// cancel ends the context and frees what it holds.
func (c *tryContext) cancel() {
	c.tries.remove(c)
	c.finish(canceled)
}

// finish ends the context like that, unless it has ended already.
func (c *tryContext) finish(why ending) {
	if c.parent.Err() != nil {
		why = endedWithParent
	}
	if c.ending.CompareAndSwap(running, why) && c.waiting.Load() != nil {
		_ = c.Err() // ends what somebody waits for
	}
}
