package publisher

import (
	"context"
	"sync"
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
		_ = c.finish(context.Canceled)
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
		_ = c.finish(context.DeadlineExceeded)
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
		_ = c.finish(context.Canceled)
	}
	if t.timer != nil {
		t.timer.Stop()
	}
}

// tryContext is the context of one attempt. It ends with its parent, at its
// deadline, or when the publisher breaks deliveries off. It follows the end of its
// parent only when somebody waits for its own.
//
// It has a method AfterFunc, which package context uses where it derives a context from
// this one: a link in a list, where a context of its own to derive from would be a map
// more, and a thirtieth of what a publish over a socket costs.
type tryContext struct {
	parent context.Context
	due    time.Duration // its deadline, after tries.start
	tries  *tries

	before, after *tryContext // in tries, guarded by its lock

	mu     sync.Mutex
	err    error         // nil until it has ended, as far as is known
	done   chan struct{} // nil until somebody waits
	unlink func() bool   // from its parent; nil until somebody waits
	then   *afterFunc    // what to call at its end
}

// afterFunc is what somebody wants to be called at the end of a context.
type afterFunc struct {
	of   *tryContext
	f    func() // nil when it is not to be called any more
	next *afterFunc
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
	_ = c.Err() // ends it if its parent has ended
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follow()
	return c.done
}

// follow makes done, and has it closed when the parent ends. mu is held.
func (c *tryContext) follow() {
	if c.done != nil {
		return
	}
	c.done = make(chan struct{})
	if c.err != nil {
		close(c.done)
	} else if c.parent.Done() != nil {
		c.unlink = context.AfterFunc(c.parent, func() { _ = c.Err() })
	}
}

// Err implements context.Context. Where it tells an error, Done is closed.
func (c *tryContext) Err() error {
	c.mu.Lock()
	err := c.err
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if err = c.parent.Err(); err != nil {
		return c.finish(err)
	}
	return nil
}

// Value implements context.Context.
func (c *tryContext) Value(key any) any { return c.parent.Value(key) }

// AfterFunc calls f in a goroutine of its own when the context has ended, unless stop
// is called before.
func (c *tryContext) AfterFunc(f func()) (stop func() bool) {
	a := &afterFunc{of: c, f: f}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follow()
	if c.err != nil {
		a.call()
	} else {
		a.next, c.then = c.then, a
	}
	return a.stop
}

// call calls what is to be called. The lock of the context is held.
func (a *afterFunc) call() {
	if a.f != nil {
		go a.f()
		a.f = nil
	}
}

// stop reports whether it has come before the end of the context.
func (a *afterFunc) stop() bool {
	a.of.mu.Lock()
	defer a.of.mu.Unlock()
	before := a.f != nil
	a.f = nil
	return before
}

// cancel ends the context and frees what it holds.
func (c *tryContext) cancel() {
	c.tries.remove(c)
	_ = c.finish(context.Canceled)
}

// finish ends the context with err, unless it has ended already, and returns the error
// that it has ended with.
func (c *tryContext) finish(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.err = err
	if c.done != nil {
		close(c.done)
	}
	if c.unlink != nil {
		c.unlink()
	}
	for a := c.then; a != nil; a = a.next {
		a.call()
	}
	c.then = nil
	return err
}
