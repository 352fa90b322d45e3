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
	cfg   Config
	seed  maphash.Seed // of the hashes of keys
	inbox inbox

	mu       sync.Mutex
	runnable sync.Cond   // an entry became ready, or Run is to stop
	unsorted *entry      // a list that was taken from the inbox
	lanes    lanes       // by the key's hash: keys that share one share a line
	ready    entryList   // may be delivered now, first come first served
	retries  waitingHeap // wait for their time, earliest first
	alarm    *time.Timer
	sending  int
	gaveUp   []DiscardedItem
	running  chan struct{} // closed when Run has returned; nil while nobody runs
	stopping bool
}

var _ Queue = (*Memory)(nil)

// NewMemory returns an empty queue. It panics if cfg has a negative limit;
// there is nothing else to go wrong and nothing to open.
func NewMemory(cfg Config) *Memory {
	if err := cfg.validate(); err != nil {
		panic(err)
	}
	q := &Memory{cfg: cfg.withDefaults(), lanes: lanes{}, seed: maphash.MakeSeed()}
	q.runnable.L = &q.mu
	return q
}

// Enqueue implements Queue. It does not look for an ID and Source that it holds
// already.
func (q *Memory) Enqueue(ctx context.Context, items ...Item) error {
	if len(items) == 0 {
		return nil
	}
	b := q.pack(items)
	in := &q.inbox
	in.mu.Lock()
	switch {
	case in.closed:
		in.mu.Unlock()
		return ErrClosed
	case b.n > q.cfg.Capacity:
		in.mu.Unlock()
		return fmt.Errorf("%w: %d events at once, the capacity is %d", ErrFull, b.n, q.cfg.Capacity)
	case len(in.callers) == 0 && in.held+b.n <= q.cfg.Capacity:
		sleeping := in.put(b)
		in.mu.Unlock()
		if sleeping {
			q.sortAll()
		}
		return nil
	case q.cfg.WhenFull == Refuse:
		in.mu.Unlock()
		return fmt.Errorf("%w: it holds its capacity of %d events", ErrFull, q.cfg.Capacity)
	}
	c := &caller{batch: b, taken: make(chan struct{})}
	in.callers = append(in.callers, c)
	in.mu.Unlock()
	return q.await(ctx, c)
}

// pack packs the items of one Enqueue.
func (q *Memory) pack(items []Item) batch {
	b := batch{n: len(items)}
	end := &b.first
	for i := range items {
		b.last = pack(&items[i], maphash.String(q.seed, items[i].Key))
		*end = b.last
		end = &b.last.next
	}
	return b
}

// await waits until c's items are taken. When ctx ends first, c leaves the line.
func (q *Memory) await(ctx context.Context, c *caller) error {
	select {
	case <-c.taken:
		return c.err
	case <-ctx.Done():
	}
	left, sleeping := q.inbox.leave(c, q.cfg.Capacity)
	if sleeping {
		q.sortAll()
	}
	if left {
		return fmt.Errorf("waiting for room in the queue: %w", context.Cause(ctx))
	}
	return c.err // taken, or refused by Close, in the meantime
}

// sortAtOnce bounds the items that a worker sorts before it delivers what is ready.
const sortAtOnce = 1000

// sort puts items of the inbox into their lanes, in order, and wakes a worker for each
// that may be delivered. It reports whether there are more. The caller holds mu.
func (q *Memory) sort() (more bool) {
	if q.unsorted == nil {
		q.unsorted = q.inbox.takeAll()
	}
	for range sortAtOnce {
		e := q.unsorted
		if e == nil {
			return false
		}
		q.unsorted, e.next = e.next, nil
		if q.lanes.push(e) {
			q.ready.push(e)
			q.runnable.Signal()
		}
	}
	return q.unsorted != nil
}

// sortAll sorts on behalf of workers that sleep.
func (q *Memory) sortAll() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.sort() {
	}
}

// Run implements Queue.
func (q *Memory) Run(ctx context.Context, deliver func(context.Context, Item) Outcome) error {
	q.mu.Lock()
	switch {
	case q.inbox.isClosed():
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
	q.mu.Lock()
	for e := q.next(); e != nil; e = q.next() {
		q.mu.Unlock()
		out := deliver(ctx, e.unpack()) // it is this worker's until it is settled
		q.mu.Lock()
		q.settle(e, out)
	}
	q.mu.Unlock()
}

// next waits for an entry that is ready and marks it as sending. It returns none when
// Run is to stop. The caller holds mu.
func (q *Memory) next() *entry {
	for !q.stopping {
		more := q.sort()
		switch e := q.ready.pop(); {
		case e != nil:
			q.sending++
			e.attempt++
			return e
		case !more && q.inbox.lieDown():
			q.runnable.Wait()
			q.inbox.getUp()
		}
	}
	return nil
}

// settle applies the outcome to e, the first of its lane. The caller holds mu.
func (q *Memory) settle(e *entry, out Outcome) {
	q.sending--
	if out.State == Retry {
		if out.Uncounted {
			e.attempt--
		}
		q.retries.push(waiting{e, out.RetryAt})
		if q.retries[0].entry == e {
			q.setAlarm()
		}
		return
	}
	next := q.lanes.pop(e)
	if out.State == Discard {
		q.discard(e, out.Reason)
	}
	if next != nil {
		q.ready.push(next)
		q.runnable.Signal()
	}
	q.inbox.done(q.cfg.Capacity)
}

func (q *Memory) discard(e *entry, reason string) {
	if q.cfg.KeepDiscarded == 0 {
		return
	}
	if len(q.gaveUp) == q.cfg.KeepDiscarded {
		q.gaveUp = append(q.gaveUp[:0], q.gaveUp[1:]...)
	}
	q.gaveUp = append(q.gaveUp, DiscardedItem{Item: e.unpack(), Seq: e.seq, Reason: reason, DiscardedAt: time.Now()})
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

// wake makes ready what waits for a time that has come.
func (q *Memory) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for len(q.retries) > 0 && !q.retries[0].due.After(now) {
		q.ready.push(q.retries.pop().entry)
		q.runnable.Signal()
	}
	q.setAlarm()
}

// Drain implements Queue. It waits for items that wait for a retry too, because
// they would be lost with the process.
func (q *Memory) Drain(ctx context.Context) error {
	select {
	case <-q.inbox.emptied():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("drain: %d events not delivered yet: %w", q.inbox.size(), context.Cause(ctx))
	}
}

// Close implements Queue. What it still holds is lost when the process ends; the
// error says how many items that are.
func (q *Memory) Close(ctx context.Context) error {
	q.inbox.close()
	q.mu.Lock()
	q.stopping = true
	q.runnable.Broadcast()
	running := q.running
	q.mu.Unlock()

	if running != nil {
		select {
		case <-running:
		case <-ctx.Done():
			return fmt.Errorf("close: deliveries are still under way: %w", context.Cause(ctx))
		}
	}
	if left := q.inbox.size(); left > 0 {
		return fmt.Errorf("close: %d events were not delivered and are lost with the process", left)
	}
	return nil
}

// Stats returns the depth of the queue. It looks at every key.
func (q *Memory) Stats(context.Context) (Stats, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.sort() {
	}
	s := Stats{Pending: q.inbox.size() - q.sending, Sending: q.sending, Discarded: len(q.gaveUp)}
	for _, last := range q.lanes {
		if at := last.next.publishedAt(); s.OldestPending.IsZero() || at.Before(s.OldestPending) {
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
	if q.inbox.isClosed() {
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
	if len(again) > 0 {
		q.inbox.putBack(q.pack(again))
		for q.sort() {
		}
	}
	return len(again), nil
}
