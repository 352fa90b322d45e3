package postgres

import (
	"sync"
	"time"
)

// turns are the events that this process has fetched and not done with, by line.
// An event whose predecessor is here waits for it in memory for a moment, which
// saves the database four row updates and the event some 100 ms.
type turns struct {
	mu    sync.Mutex
	lines map[string]*localLine
	room  int // how many more may wait
}

// localLine is what is here of a line.
type localLine struct {
	turns map[int64]*turn
	slow  bool // waiting was in vain: its head takes long
}

// turn is one event's.
type turn struct {
	id    int64
	line  string
	ended chan struct{} // closed when the next of the line may look again
	// Set before ended is closed: whether the event is done, so that its successor
	// passes, and until when it waits if not.
	passes bool
	until  time.Time
}

func newTurns(waiting int) *turns {
	return &turns{lines: map[string]*localLine{}, room: waiting}
}

// enter adds an event that was fetched.
func (t *turns) enter(line string, id int64) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lines[line]
	if l == nil {
		l = &localLine{turns: map[int64]*turn{}}
		t.lines[line] = l
	}
	own := &turn{id: id, line: line, ended: make(chan struct{})}
	l.turns[id] = own
	return own
}

// leave removes an event that the database says everything about.
func (t *turns) leave(own *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lines[own.line]
	if l == nil || l.turns[own.id] != own {
		return // it was put back and has been fetched again
	}
	delete(l.turns, own.id)
	if len(l.turns) == 0 {
		delete(t.lines, own.line)
	}
}

// pass ends a turn whose event is done.
func (t *turns) pass(own *turn) {
	t.mu.Lock()
	t.lines[own.line].slow = false
	t.mu.Unlock()
	own.passes = true
	close(own.ended)
}

// hold ends a turn whose event waits, itself or for the head of its line.
func (t *turns) hold(own *turn, until time.Time) {
	own.until = until
	close(own.ended)
}

// find returns the turn of an event, nil if it is not here.
func (t *turns) find(line string, id int64) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lines[line].turns[id]
}

// beginWait reports whether an event may wait here: only so many may, so that the
// heads of other lines find workers, and none behind a head that takes long.
func (t *turns) beginWait(own *turn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.room == 0 || t.lines[own.line].slow {
		return false
	}
	t.room--
	return true
}

// endWait ends what beginWait began.
func (t *turns) endWait(own *turn, inVain bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.room++
	if inVain {
		t.lines[own.line].slow = true
	}
}
