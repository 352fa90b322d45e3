package postgres

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river/rivertype"
)

// Seams for tests.
const (
	DeadAfter  = deadAfter
	WatchEvery = watchEvery
)

var (
	LeaseNumber  = leaseNumber
	ReadMetadata = readMetadata
	Line         = line
	Of           = of
)

// LineStatements are those that find rows by line or id, of the default schema.
func LineStatements() map[string]string {
	q := newQueries(Config{}.withDefaults().Schema)
	return map[string]string{
		"ahead": q.ahead, "park": q.park, "wake": q.wake, "claim": q.claim,
		"deliver": q.deliver, "discard": q.discard, "putBack": q.putBack, "requeue": q.requeue,
	}
}

// Warnings returns a logger like River's.
func Warnings(h slog.Handler) *slog.Logger { return slog.New(warnings{h}) }

// NextRetry is when River hands out a job again that was rescued so many times.
func NextRetry(rescues int) time.Time {
	return retryPolicy{}.NextRetry(&rivertype.JobRow{Errors: make([]rivertype.AttemptError, rescues)})
}

// AttemptError is what River is told of a discarded event.
func AttemptError(reason string) string { return attemptError(&work{attempt: 2}, reason) }

// Retry calls try as statements are tried.
func Retry(ctx context.Context, logger *slog.Logger, try func(context.Context) error) error {
	return (&lines{logger: logger}).retry(ctx, try)
}

// Turns are the turns of one line, of whose events so many may wait.
type Turns struct {
	t    *turns
	byID map[int64]*turn
}

// NewTurns returns a line with the events that have entered.
func NewTurns(waiting int, ids ...int64) *Turns {
	t := &Turns{newTurns(waiting), map[int64]*turn{}}
	for _, id := range ids {
		t.Enter(id)
	}
	return t
}

// Enter adds an event.
func (t *Turns) Enter(id int64) { t.byID[id] = t.t.enter("line", id) }

// Leave returns a function that removes the event that entered last under id.
func (t *Turns) Leave(id int64) func() {
	own := t.byID[id]
	return func() { t.t.leave(own) }
}

// Pass ends an event's turn.
func (t *Turns) Pass(id int64) { t.t.pass(t.byID[id]) }

// BeginWait reports whether an event may wait.
func (t *Turns) BeginWait(id int64) bool { return t.t.beginWait(t.byID[id]) }

// EndWait ends an event's wait.
func (t *Turns) EndWait(id int64, inVain bool) { t.t.endWait(t.byID[id], inVain) }

// Here reports whether an event is here.
func (t *Turns) Here(id int64) bool { return t.t.find("line", id) != nil }

// NewBatcher returns the add and wait of a batcher.
func NewBatcher[T any](flush func([]T)) (add func(...T), wait func()) {
	b := newBatcher(flush)
	return b.add, b.wait
}

// Room is a room whose table holds what count says.
type Room struct{ r *room }

// NewRoom returns a room for a capacity.
func NewRoom(capacity int, count func() int) Room {
	cfg := Config{Capacity: capacity}.withDefaults()
	return Room{newRoom(cfg, func(context.Context, querier, int) (int, error) { return count(), nil })}
}

// Reserve takes room for n events.
func (r Room) Reserve(ctx context.Context, n int, wait bool) error {
	return r.r.reserve(ctx, nil, n, wait)
}

// Settle says that n reserved events are in the table.
func (r Room) Settle(n int) { r.r.settle(n) }
