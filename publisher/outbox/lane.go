package outbox

import (
	"container/heap"
	"time"
)

// lanes are the lines of the keys: each is a ring of entries, known by its last one,
// whose next is the first. There are no empty ones. The first of a lane is in exactly
// one place: ready, waiting for a retry, or with a worker.
type lanes map[uint64]*entry

// push appends e to its lane, and reports whether it is the first.
func (ls lanes) push(e *entry) (first bool) {
	last := ls[e.key]
	if last == nil {
		e.next = e
	} else {
		e.next, last.next = last.next, e
	}
	ls[e.key] = e
	return last == nil
}

// pop removes e, the first of its lane, and returns the one after it, or nil.
func (ls lanes) pop(e *entry) *entry {
	next := e.next
	e.next = nil
	if next == e {
		delete(ls, e.key)
		return nil
	}
	ls[e.key].next = next
	return next
}

// entryList is a first-in first-out list of the first entries of lanes.
type entryList struct{ head, tail *entry }

func (r *entryList) push(e *entry) {
	if r.head == nil {
		r.head = e
	} else {
		r.tail.behind = e
	}
	r.tail = e
}

func (r *entryList) pop() *entry {
	e := r.head
	if e != nil {
		r.head, e.behind = e.behind, nil
	}
	return e
}

// waiting is the first entry of a lane, which is to be tried again when it is due.
type waiting struct {
	*entry

	due time.Time
}

// waitingHeap orders by due, earliest first.
type waitingHeap []waiting

func (h *waitingHeap) push(w waiting) { heap.Push((*byDue)(h), w) }
func (h *waitingHeap) pop() waiting   { return heap.Pop((*byDue)(h)).(waiting) }

// byDue is waitingHeap as container/heap wants it.
type byDue []waiting

func (h byDue) Len() int           { return len(h) }
func (h byDue) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h byDue) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *byDue) Push(x any) { *h = append(*h, x.(waiting)) }

// Pop implements heap.Interface.
func (h *byDue) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = waiting{}
	*h = old[:len(old)-1]
	return w
}
