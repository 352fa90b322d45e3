package outbox

import (
	"container/heap"
	"time"
)

// entry is an item in a lane.
type entry struct {
	Item
	seq  int64
	next *entry
}

// lane is the line of one key's items. A lane that exists is not empty, and is
// in exactly one place: ready, waiting for a retry, or with a worker.
type lane struct {
	key        string
	head, tail *entry
	due        time.Time // of the head's next attempt, while in the heap
	next       *lane     // in laneList
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

// laneHeap orders lanes by due, earliest first.
type laneHeap []*lane

func (h *laneHeap) push(l *lane) { heap.Push((*byDue)(h), l) }
func (h *laneHeap) pop() *lane   { return heap.Pop((*byDue)(h)).(*lane) }

// byDue is laneHeap as container/heap wants it.
type byDue []*lane

func (h byDue) Len() int           { return len(h) }
func (h byDue) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h byDue) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *byDue) Push(x any) { *h = append(*h, x.(*lane)) }

// Pop implements heap.Interface.
func (h *byDue) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return l
}
