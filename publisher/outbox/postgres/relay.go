package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/altinn-go/events/publisher/outbox"
)

const (
	// parkFor is how long a parked event sleeps beyond its head's next attempt.
	// It is woken when the head is done; this is for what went wrong with that.
	parkFor = time.Minute
	// waitFor is how long an event waits in memory for its predecessor.
	waitFor = 250 * time.Millisecond
	// followFor is for how long one of River's jobs goes on down its line. Its slot
	// would be taken for stuck after beginWithin and jobTimeout.
	followFor = 10 * time.Second
	// beginWithin is how long an event that was fetched waits for its delivery to
	// begin: as long as all that may be before it take, if each takes as long as a
	// publisher's attempt may (TryTimeout, 10 s). Together with jobTimeout it is less
	// than rescueAfter.
	beginWithin = (fetchedPerWorker - 1) * 10 * time.Second
	// lookAgain is the first pause between looks at a predecessor that is not here;
	// it doubles.
	lookAgain = 5 * time.Millisecond
)

// relay works River's jobs: one per event.
type relay struct {
	river.WorkerDefaults[eventArgs]

	deliver  func(context.Context, outbox.Item) outbox.Outcome
	stopping context.Context // ends when nothing more is to begin
	sending  chan struct{}   // full when as many deliveries are under way as may be
	turns    *turns
	lines    *lines
}

// Work is River's call for a job that it has fetched. River fetches without regard
// to lines, so an event that is not at the head of its line waits or is parked.
// From the head, Work goes on down the line.
//
// What comes back steers River: a snooze is written by River, which counts no
// attempt for it. What is done has been written by us before Work returns, and River
// writes nothing.
func (r *relay) Work(ctx context.Context, job *river.Job[eventArgs]) error {
	meta, err := readMetadata(job.Metadata)
	if err != nil {
		return err
	}
	w := &work{id: job.ID, line: line(job.Args.Key), args: job.Args, meta: meta, attempt: job.Attempt}
	own := r.turns.enter(w.line, w.id)
	defer r.turns.leave(own)

	before, err := r.awaitTurn(ctx, own)
	switch {
	case r.stopping.Err() != nil, err != nil:
		r.turns.hold(own, time.Now())
		return snooze(ctx, time.Now(), nil)
	case before != nil:
		r.turns.hold(own, before.headAt)
		until := later(before.headAt, time.Now()).Add(parkFor)
		r.lines.park(parking{line: own.line, head: before.head, until: until})
		return snooze(ctx, until, map[string]any{metaParked: true})
	}
	out := r.try(ctx, w)
	if out.State == outbox.Retry {
		r.turns.hold(own, out.RetryAt)
		return snooze(ctx, out.RetryAt, w.changes(out))
	}
	r.turns.pass(own)
	start := time.Now()
	next, ok := r.lines.settle(w, out, r.stopping.Err() == nil)
	for next != nil {
		next = r.follow(ctx, next, time.Since(start) < followFor)
	}
	switch {
	case ok:
		return written{}
	case out.State == outbox.Discard:
		return river.JobCancel(errors.New(out.Reason))
	default:
		return nil
	}
}

// written is the result of a job of which nothing is left to be written. River takes it
// for that of a batch of jobs, none of which it knows, and leaves the job alone.
// Without it, River would look up each job to complete it once more, read it back, and
// find it completed: a sixth of the events per second. A River that does not know such
// results finds an error of a job that is no longer running, which it ignores.
type written struct{}

// Jobs are those that River is to write results of.
func (written) Jobs() []*rivertype.JobRow { return nil }

// ErrorsByID are their results.
func (written) ErrorsByID() map[int64]error { return nil }

func (written) Error() string { return "the outcome has been written" }

// follow sends an event that was claimed, and returns the next.
func (r *relay) follow(ctx context.Context, w *work, goOn bool) (next *work) {
	own := r.turns.enter(w.line, w.id)
	defer r.turns.leave(own)
	out := r.try(ctx, w)
	if out.State == outbox.Retry {
		r.turns.hold(own, out.RetryAt)
		goOn = false
	} else {
		r.turns.pass(own)
	}
	next, _ = r.lines.settle(w, out, goOn && r.stopping.Err() == nil)
	return next
}

// try calls deliver when its turn has come. The context ends with the time that a
// delivery has, and not when River stops. A panic is another attempt: River would
// keep its text.
func (r *relay) try(ctx context.Context, w *work) (out outbox.Outcome) {
	if !r.begin() {
		return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now(), Reason: w.meta.Reason, Uncounted: true}
	}
	defer func() { <-r.sending }()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobTimeout)
	defer cancel()
	item := w.item()
	defer func() {
		if p := recover(); p != nil {
			out = outbox.Outcome{
				State:   outbox.Retry,
				RetryAt: time.Now().Add(backoff(item.Attempt)),
				Reason:  fmt.Sprintf("delivery panicked with a %T", p),
			}
		}
	}()
	out = r.deliver(ctx, item)
	out.Reason = strings.ReplaceAll(out.Reason, "\x00", "\uFFFD") // jsonb has none
	return out
}

// begin waits until another delivery may begin. It reports false if that took too
// long, or none may any more.
func (r *relay) begin() bool {
	if r.stopping.Err() != nil {
		return false
	}
	select {
	case r.sending <- struct{}{}:
		return true
	default:
	}
	patience := time.NewTimer(beginWithin)
	defer patience.Stop()
	select {
	case r.sending <- struct{}{}:
		return true
	case <-patience.C:
	case <-r.stopping.Done():
	}
	return false
}

// backoff is how long to wait after what no endpoint decides: a panic, or the death
// of a process.
func backoff(times int) time.Duration {
	return min(time.Second<<min(times, 10), 5*time.Minute)
}

// snooze has River hand out the job again at a time, with metadata changed.
func snooze(ctx context.Context, at time.Time, changes map[string]any) error {
	for name, value := range changes {
		if err := river.MetadataSet(ctx, name, value); err != nil {
			return err
		}
	}
	return river.JobSnooze(max(0, time.Until(at)))
}

// awaitTurn returns nil when the event is at the head of its line, and otherwise
// what stands before it and will for longer than it is worth to wait.
func (r *relay) awaitTurn(ctx context.Context, own *turn) (*ahead, error) {
	before, err := r.lines.look(ctx, own)
	if err != nil || before == nil || !before.moving || !r.turns.beginWait(own) {
		return before, err
	}
	inVain := true
	defer func() { r.turns.endWait(own, inVain) }()
	wait, cancel := context.WithTimeout(r.stopping, waitFor)
	defer cancel()
	for pause := lookAgain; err == nil && before != nil && before.moving; pause *= 2 {
		if other := r.turns.find(own.line, before.id); other != nil {
			select {
			case <-other.ended:
			case <-wait.Done():
				return before, nil
			}
			if inVain = !other.passes; inVain {
				return &ahead{id: before.id, head: before.head, headAt: other.until}, nil
			}
			return nil, nil //nolint:nilnil // nothing stands before it
		}
		select {
		case <-time.After(pause):
		case <-wait.Done():
			return before, nil
		}
		before, err = r.lines.look(ctx, own)
	}
	inVain = before != nil
	return before, err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
