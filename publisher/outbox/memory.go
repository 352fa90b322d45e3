package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"
)

// WhenFull is what Enqueue does on a full queue.
type WhenFull uint8

const (
	// Wait blocks Enqueue until there is room or its context ends.
	Wait WhenFull = iota
	// Refuse returns ErrFull at once.
	Refuse
)

// Config configures a memory queue. The zero value is ready for use.
type Config struct {
	// Capacity bounds the items that wait or are being delivered. Defaults to
	// 10,000.
	Capacity int

	// WhenFull says what Enqueue does then. Defaults to Wait.
	WhenFull WhenFull

	// Workers bounds the deliveries under way at once. Defaults to 16.
	Workers int

	// KeepDiscarded bounds the discarded items that are kept for Discarded and
	// Requeue; the oldest go first. Defaults to 1,000; -1 keeps none.
	KeepDiscarded int
}

func (c Config) withDefaults() Config {
	if c.Capacity == 0 {
		c.Capacity = 10_000
	}
	if c.Workers == 0 {
		c.Workers = 16
	}
	switch c.KeepDiscarded {
	case 0:
		c.KeepDiscarded = 1_000
	case -1:
		c.KeepDiscarded = 0
	}
	return c
}

func (c Config) validate() error {
	var faults []error
	if c.Capacity < 0 {
		faults = append(faults, fmt.Errorf("outbox.Config: Capacity is %d, want 1 or more", c.Capacity))
	}
	if c.Workers < 0 {
		faults = append(faults, fmt.Errorf("outbox.Config: Workers is %d, want 1 or more", c.Workers))
	}
	if c.KeepDiscarded < -1 {
		faults = append(faults, fmt.Errorf("outbox.Config: KeepDiscarded is %d, want -1 or more", c.KeepDiscarded))
	}
	if c.WhenFull > Refuse {
		faults = append(faults, fmt.Errorf("outbox.Config: WhenFull is %d, want Wait or Refuse", c.WhenFull))
	}
	return errors.Join(faults...)
}

// Memory is a Queue in memory. It is safe for concurrent use.
type Memory struct {
	cfg Config

	mu       sync.Mutex
	runnable sync.Cond        // a lane became ready, or Run is to stop
	lanes    map[uint64]*lane // by the key's hash: keys that share one share a line
	seed     maphash.Seed
	ready    laneList // lanes whose head may be delivered now, first come first served
	retries  laneHeap // lanes whose head waits for its time, earliest first
	alarm    *time.Timer
	callers  []*caller // Enqueues that wait for room, first come first served
	seq      int64
	pending  int
	sending  int
	gaveUp   []DiscardedItem
	idle     chan struct{} // closed when nothing is pending or sending; nil if nobody waits
	running  chan struct{} // closed when Run has returned; nil while nobody runs
	stopping bool
	closed   bool
}

var _ Queue = (*Memory)(nil)

// NewMemory returns an empty queue. It panics if cfg has a negative limit;
// there is nothing else to go wrong and nothing to open.
func NewMemory(cfg Config) *Memory {
	if err := cfg.validate(); err != nil {
		panic(err)
	}
	q := &Memory{cfg: cfg.withDefaults(), lanes: map[uint64]*lane{}, seed: maphash.MakeSeed()}
	q.runnable.L = &q.mu
	return q
}

// batch is items of one Enqueue, and the same packed, in a list.
type batch struct {
	items []Item
	first *entry
}

func newBatch(items []Item) batch {
	b := batch{items: items}
	for end, i := &b.first, 0; i < len(items); i++ {
		*end = pack(&items[i])
		end = &(*end).next
	}
	return b
}

// caller is an Enqueue that waits for room.
type caller struct {
	batch batch
	taken chan struct{} // closed when the items were taken, or refused with err
	err   error
}

// Enqueue implements Queue. It does not look for an ID and Source that it holds
// already.
func (q *Memory) Enqueue(ctx context.Context, items ...Item) error {
	if len(items) == 0 {
		return nil
	}
	b := newBatch(items)
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return ErrClosed
	case len(items) > q.cfg.Capacity:
		q.mu.Unlock()
		return fmt.Errorf("%w: %d events at once, the capacity is %d", ErrFull, len(items), q.cfg.Capacity)
	case len(q.callers) == 0 && q.hasRoom(len(items)):
		q.take(b)
		q.mu.Unlock()
		return nil
	case q.cfg.WhenFull == Refuse:
		q.mu.Unlock()
		return fmt.Errorf("%w: it holds its capacity of %d events", ErrFull, q.cfg.Capacity)
	}
	c := &caller{batch: b, taken: make(chan struct{})}
	q.callers = append(q.callers, c)
	q.mu.Unlock()
	return q.await(ctx, c)
}

// await waits until c's items are taken. When ctx ends first, c leaves the line.
func (q *Memory) await(ctx context.Context, c *caller) error {
	select {
	case <-c.taken:
		return c.err
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, other := range q.callers {
		if other == c {
			q.callers = append(q.callers[:i], q.callers[i+1:]...)
			q.admit() // a smaller batch behind c may fit
			return fmt.Errorf("waiting for room in the queue: %w", context.Cause(ctx))
		}
	}
	return c.err // taken, or refused by Close, in the meantime
}

func (q *Memory) hasRoom(n int) bool { return q.pending+q.sending+n <= q.cfg.Capacity }

// take appends items to their lanes. The caller holds mu.
func (q *Memory) take(b batch) {
	for i := range b.items {
		e := b.first
		b.first, e.next = e.next, nil
		q.seq++
		q.pending++
		e.seq = q.seq
		hash := maphash.String(q.seed, b.items[i].Key)
		l := q.lanes[hash]
		if l == nil {
			l = &lane{hash: hash}
			q.lanes[hash] = l
			q.ready.push(l)
			q.runnable.Signal()
		}
		l.push(e)
	}
}

// admit takes the items of waiting callers as far as there is room. The caller
// holds mu.
func (q *Memory) admit() {
	for len(q.callers) > 0 && q.hasRoom(len(q.callers[0].batch.items)) {
		c := q.callers[0]
		q.callers = q.callers[1:]
		q.take(c.batch)
		close(c.taken)
	}
}

// Run implements Queue.
func (q *Memory) Run(ctx context.Context, deliver func(context.Context, Item) Outcome) error {
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return ErrClosed
	case q.running != nil:
		q.mu.Unlock()
		return errors.New("queue runs already: one Run at a time")
	}
	q.stopping = false
	done := make(chan struct{})
	q.running = done
	q.setAlarm()
	q.mu.Unlock()

	unwatch := context.AfterFunc(ctx, q.stop)
	defer unwatch()

	var workers sync.WaitGroup
	base := context.WithoutCancel(ctx)
	for range q.cfg.Workers {
		workers.Go(func() { q.work(base, deliver) })
	}
	workers.Wait()

	q.mu.Lock()
	defer q.mu.Unlock()
	q.setAlarm()
	q.running = nil
	close(done)
	return nil
}

// stop makes Run return as soon as the deliveries under way have ended.
func (q *Memory) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopping = true
	q.runnable.Broadcast()
}

func (q *Memory) work(ctx context.Context, deliver func(context.Context, Item) Outcome) {
	for {
		l := q.next()
		if l == nil {
			return
		}
		item := l.head.unpack() // the head is this worker's until it is settled
		item.Attempt = int(l.head.attempt)
		q.settle(l, deliver(ctx, item))
	}
}

// next waits for a lane that is ready and marks its head as sending. It returns
// no lane when Run is to stop.
func (q *Memory) next() *lane {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.stopping {
		if l := q.ready.pop(); l != nil {
			q.pending--
			q.sending++
			l.head.attempt++
			return l
		}
		q.runnable.Wait()
	}
	return nil
}

// settle applies the outcome to the head of l.
func (q *Memory) settle(l *lane, out Outcome) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sending--
	if out.State == Retry {
		q.pending++
		if out.Uncounted {
			l.head.attempt--
		}
		q.retries.push(waiting{l, out.RetryAt})
		if q.retries[0].lane == l {
			q.setAlarm()
		}
		return
	}
	done := l.pop()
	if out.State == Discard {
		q.discard(done, out.Reason)
	}
	if l.head == nil {
		delete(q.lanes, l.hash)
	} else {
		q.ready.push(l)
		q.runnable.Signal()
	}
	q.admit()
	q.signalIdle()
}

func (q *Memory) discard(e *entry, reason string) {
	if q.cfg.KeepDiscarded == 0 {
		return
	}
	if len(q.gaveUp) == q.cfg.KeepDiscarded {
		q.gaveUp = append(q.gaveUp[:0], q.gaveUp[1:]...)
	}
	item := e.unpack()
	item.Attempt = int(e.attempt)
	q.gaveUp = append(q.gaveUp, DiscardedItem{Item: item, Seq: e.seq, Reason: reason, DiscardedAt: time.Now()})
}

// setAlarm sets the one timer to the earliest retry. The caller holds mu.
func (q *Memory) setAlarm() {
	if q.alarm != nil {
		q.alarm.Stop()
		q.alarm = nil
	}
	if q.stopping || q.running == nil || len(q.retries) == 0 {
		return
	}
	q.alarm = time.AfterFunc(time.Until(q.retries[0].due), q.wake)
}

// wake makes the lanes ready whose time has come.
func (q *Memory) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for len(q.retries) > 0 && !q.retries[0].due.After(now) {
		q.ready.push(q.retries.pop().lane)
		q.runnable.Signal()
	}
	q.setAlarm()
}

func (q *Memory) signalIdle() {
	if q.idle != nil && q.pending+q.sending == 0 {
		close(q.idle)
		q.idle = nil
	}
}

// Drain implements Queue. It waits for items that wait for a retry too, because
// they would be lost with the process.
func (q *Memory) Drain(ctx context.Context) error {
	q.mu.Lock()
	if q.pending+q.sending == 0 {
		q.mu.Unlock()
		return nil
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	idle := q.idle
	q.mu.Unlock()

	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		q.mu.Lock()
		defer q.mu.Unlock()
		return fmt.Errorf("drain: %d events not delivered yet: %w", q.pending+q.sending, context.Cause(ctx))
	}
}

// Close implements Queue. What it still holds is lost when the process ends; the
// error says how many items that are.
func (q *Memory) Close(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	q.stopping = true
	q.runnable.Broadcast()
	for _, c := range q.callers {
		c.err = ErrClosed
		close(c.taken)
	}
	q.callers = nil
	running := q.running
	q.mu.Unlock()

	if running != nil {
		select {
		case <-running:
		case <-ctx.Done():
			return fmt.Errorf("close: deliveries are still under way: %w", context.Cause(ctx))
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if left := q.pending + q.sending; left > 0 {
		return fmt.Errorf("close: %d events were not delivered and are lost with the process", left)
	}
	return nil
}

// Stats returns the depth of the queue. It looks at every key.
func (q *Memory) Stats(context.Context) (Stats, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := Stats{Pending: q.pending, Sending: q.sending, Discarded: len(q.gaveUp)}
	for _, l := range q.lanes {
		if at := l.head.publishedAt(); s.OldestPending.IsZero() || at.Before(s.OldestPending) {
			s.OldestPending = at
		}
	}
	return s, nil
}

// Discarded lists the items that were given up and are still kept, in order of
// Seq.
func (q *Memory) Discarded(_ context.Context, page Page) ([]DiscardedItem, error) {
	if page.Limit <= 0 {
		page.Limit = 100
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []DiscardedItem
	for i := range q.gaveUp {
		if q.gaveUp[i].Seq > page.After {
			out = append(out, q.gaveUp[i])
		}
	}
	slices.SortFunc(out, func(a, b DiscardedItem) int { return cmp.Compare(a.Seq, b.Seq) })
	return out[:min(len(out), page.Limit)], nil
}

// Requeue gives discarded items another life: attempts and age start anew, and
// each goes to the end of its key's line. Numbers that are not kept are passed
// over; it returns how many items were requeued.
func (q *Memory) Requeue(_ context.Context, seqs ...int64) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0, ErrClosed
	}
	var again []Item
	q.gaveUp = slices.DeleteFunc(q.gaveUp, func(d DiscardedItem) bool {
		if !slices.Contains(seqs, d.Seq) {
			return false
		}
		d.PublishedAt = time.Now()
		again = append(again, d.Item)
		return true
	})
	q.take(newBatch(again))
	return len(again), nil
}
