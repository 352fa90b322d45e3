package outbox

import (
	"slices"
	"sync"
)

// inbox is where Enqueue leaves items until a worker gets to them, which then sorts them
// into lanes. Whoever publishes so neither waits for workers nor pays for the order of
// keys: an Enqueue costs the same whatever waits already. Its lock is held for a few
// instructions, and taken after Memory's if both are.
type inbox struct {
	mu          sync.Mutex
	first, last *entry
	seq         int64
	held        int           // items here, in lanes or being delivered
	callers     []*caller     // Enqueues that wait for room, first come first served
	sleeping    int           // workers that wait
	drained     chan struct{} // closed when nothing is held; nil if nobody waits
	closed      bool
}

// batch is the items of one Enqueue, packed, in a list.
type batch struct {
	first, last *entry
	n           int
}

// caller is an Enqueue that waits for room.
type caller struct {
	batch batch
	taken chan struct{} // closed when the items were taken, or refused with err
	err   error
}

// put appends a batch, and reports whether a worker sleeps that might have to deliver
// it. mu is held.
func (in *inbox) put(b batch) (sleeping bool) {
	in.held += b.n
	for e := b.first; e != nil; e = e.next {
		in.seq++
		e.seq = in.seq
	}
	if in.first == nil {
		in.first = b.first
	} else {
		in.last.next = b.first
	}
	in.last = b.last
	return in.sleeping > 0
}

// admit takes the items of waiting callers as far as there is room, and reports what
// put does. mu is held.
func (in *inbox) admit(capacity int) (sleeping bool) {
	for len(in.callers) > 0 && in.held+in.callers[0].batch.n <= capacity {
		c := in.callers[0]
		in.callers = in.callers[1:]
		sleeping = in.put(c.batch)
		close(c.taken)
	}
	return sleeping
}

// done notes that an item is held no longer.
func (in *inbox) done(capacity int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.held--
	in.admit(capacity)
	in.signalDrained()
}

// takeAll returns all items as a list, and leaves none.
func (in *inbox) takeAll() *entry {
	in.mu.Lock()
	defer in.mu.Unlock()
	first := in.first
	in.first, in.last = nil, nil
	return first
}

// lieDown notes that a worker is going to sleep, unless there is something here.
func (in *inbox) lieDown() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.first != nil {
		return false
	}
	in.sleeping++
	return true
}

// getUp notes that a worker sleeps no longer.
func (in *inbox) getUp() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.sleeping--
}

// leave takes c out of the line, unless its items were taken or refused by now. A smaller
// batch behind it may have room then; sleeping is what put reports of that.
func (in *inbox) leave(c *caller, capacity int) (left, sleeping bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	i := slices.Index(in.callers, c)
	if i < 0 {
		return false, false
	}
	in.callers = slices.Delete(in.callers, i, i+1)
	return true, in.admit(capacity)
}

// putBack appends items that were held before, whether there is room or not.
func (in *inbox) putBack(b batch) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.put(b)
}

// size returns how many items are held.
func (in *inbox) size() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.held
}

// emptied returns a channel that is closed when nothing is held.
func (in *inbox) emptied() <-chan struct{} {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.drained == nil {
		in.drained = make(chan struct{})
	}
	drained := in.drained
	in.signalDrained()
	return drained
}

// signalDrained tells who waits that nothing is held. mu is held.
func (in *inbox) signalDrained() {
	if in.held == 0 && in.drained != nil {
		close(in.drained)
		in.drained = nil
	}
}

// close refuses items from now on, and those of the callers that wait.
func (in *inbox) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
	for _, c := range in.callers {
		c.err = ErrClosed
		close(c.taken)
	}
	in.callers = nil
}

func (in *inbox) isClosed() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.closed
}
