package webhook

import (
	"context"
	"slices"
	"sync"
	"time"
)

// maxHandledTimes bounds the lanes of which the time of the last event is known.
const maxHandledTimes = 10_000

// lanes give the events of one key their turns, one at a time.
type lanes struct {
	holdBack time.Duration

	mu      sync.Mutex
	waiting map[string]*lane
	handled map[string]time.Time // of the newest event of a key that was handled
}

func newLanes(holdBack time.Duration) lanes {
	return lanes{holdBack: holdBack, waiting: map[string]*lane{}, handled: map[string]time.Time{}}
}

// lane is the events of one key that are here.
type lane struct {
	busy  bool
	queue []*turn // by time if they are held back, else as they came
}

// turn is an event's place in its lane.
type turn struct {
	lanes   *lanes
	key     string
	time    time.Time // of the event; zero if it has none
	due     time.Time // until when it is held back
	granted chan struct{}

	outOfOrder bool
}

// enter waits until it is the event's turn. Whoever has a turn leaves it.
func (ls *lanes) enter(ctx context.Context, key string, at time.Time) (*turn, error) {
	t := &turn{lanes: ls, key: key, time: at, due: time.Now().Add(ls.holdBack), granted: make(chan struct{})}
	ls.mu.Lock()
	l := ls.waiting[key]
	if l == nil {
		l = &lane{}
		ls.waiting[key] = l
	}
	place := len(l.queue)
	if ls.holdBack > 0 && !at.IsZero() {
		if i := slices.IndexFunc(l.queue, func(other *turn) bool { return other.time.After(at) }); i >= 0 {
			place = i
		}
	}
	l.queue = slices.Insert(l.queue, place, t)
	ls.advance(l)
	ls.mu.Unlock()

	var hold <-chan time.Time
	if ls.holdBack > 0 {
		timer := time.NewTimer(ls.holdBack)
		defer timer.Stop()
		hold = timer.C
	}
	for {
		select {
		case <-t.granted:
			return t, nil
		case <-hold:
			ls.mu.Lock()
			ls.advance(l)
			ls.mu.Unlock()
		case <-ctx.Done():
			if ls.withdraw(l, t) {
				return nil, context.Cause(ctx)
			}
			return t, nil // it was its turn already
		}
	}
}

// advance gives the first event its turn, if nobody has it and one of the lane has
// waited long enough: then all that are older go before it.
func (ls *lanes) advance(l *lane) {
	if l.busy || len(l.queue) == 0 {
		return
	}
	now := time.Now()
	if ls.holdBack > 0 && !slices.ContainsFunc(l.queue, func(t *turn) bool { return !now.Before(t.due) }) {
		return
	}
	first := l.queue[0]
	l.queue = l.queue[1:]
	l.busy = true
	first.outOfOrder = !first.time.IsZero() && first.time.Before(ls.handled[first.key])
	close(first.granted)
}

// withdraw takes t out of its lane, unless its turn has come.
func (ls *lanes) withdraw(l *lane, t *turn) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	i := slices.Index(l.queue, t)
	if i < 0 {
		return false
	}
	l.queue = slices.Delete(l.queue, i, i+1)
	ls.drop(t.key, l)
	return true
}

// handled notes the time of an event that is done.
func (t *turn) handled() {
	ls := t.lanes
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if t.time.After(ls.handled[t.key]) {
		if len(ls.handled) >= maxHandledTimes {
			clear(ls.handled) // a hint may be lost, memory may not
		}
		ls.handled[t.key] = t.time
	}
}

// leave gives the next event its turn.
func (t *turn) leave() {
	ls := t.lanes
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.waiting[t.key]
	l.busy = false
	ls.advance(l)
	ls.drop(t.key, l)
}

// drop forgets a lane that is empty.
func (ls *lanes) drop(key string, l *lane) {
	if !l.busy && len(l.queue) == 0 {
		delete(ls.waiting, key)
	}
}
