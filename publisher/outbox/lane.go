package outbox

import (
	"container/heap"
	"time"
)

// lane is the line of one key's items. A lane that exists is not empty, and is
// in exactly one place: ready, waiting for a retry, or with a worker.
type lane struct {
	hash       uint64 // of the key
	head, tail *entry
	next       *lane // in laneList
}

func (l *lane) push(e *entry) {
	if l.head == nil {
		l.head = e
	} else {
		l.tail.next = e
	}
	l.tail = e
}

func (l *lane) pop() *entry {
	e := l.head
	l.head, e.next = e.next, nil
	return e
}

// laneList is a first-in first-out list of lanes.
type laneList struct{ head, tail *lane }

func (r *laneList) push(l *lane) {
	if r.head == nil {
		r.head = l
	} else {
		r.tail.next = l
	}
	r.tail = l
}

func (r *laneList) pop() *lane {
	l := r.head
	if l != nil {
		r.head, l.next = l.next, nil
	}
	return l
}

// waiting is a lane whose head is to be tried again when it is due.
type waiting struct {
	*lane

	due time.Time
}

// laneHeap orders lanes by due, earliest first.
type laneHeap []waiting

func (h *laneHeap) push(w waiting) { heap.Push((*byDue)(h), w) }
func (h *laneHeap) pop() waiting   { return heap.Pop((*byDue)(h)).(waiting) }

// byDue is laneHeap as container/heap wants it.
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
