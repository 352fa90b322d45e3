package sqlite

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher/outbox"
)

const (
	// loadPerWorker is how many due events are loaded at once for each worker.
	loadPerWorker = 8
	// loadBytes bounds the bodies that are loaded at once.
	loadBytes = 8 << 20
	// gatherPause bounds how long outcomes wait for others to be written with.
	gatherPause = time.Millisecond
	// The pause after a failed write doubles from the first to the second.
	writePause, maxWritePause = 100 * time.Millisecond, 5 * time.Second
	// stopWrites is how often a stopping relay tries to write what it knows.
	stopWrites = 3
)

// relay is one Run: it loads what is due, hands it to workers and writes what came
// of it.
//
// It knows at most a window of the file: the events that it has loaded and not yet
// settled. As only the head of a key's line is due, no key has more than one event
// in the window, and one that waits has none.
type relay struct {
	q        *Queue
	reader   *reader
	ready    []row          // loaded, the next to deliver first
	window   map[int64]bool // numbers of those that are ready or under way
	under    int            // deliveries under way or not yet settled
	work     chan row
	outcomes chan outcome
	failed   []outcome // not written yet, because the last write failed
	pause    time.Duration
	drains   []chan struct{}
	stale    bool // the file may have due events that are not loaded
	nextDue  *time.Timer
	again    *time.Timer // to write what failed
}

// outcome is what came of a delivery.
type outcome struct {
	row
	outbox.Outcome
}

func newRelay(ctx context.Context, q *Queue) (*relay, error) {
	reader, err := newReader(ctx, q.db)
	if err != nil {
		return nil, err
	}
	r := &relay{
		q:        q,
		reader:   reader,
		window:   map[int64]bool{},
		work:     make(chan row, q.cfg.Workers),
		outcomes: make(chan outcome, q.cfg.Workers),
		stale:    true,
		nextDue:  time.NewTimer(time.Hour),
		again:    time.NewTimer(time.Hour),
	}
	r.nextDue.Stop()
	r.again.Stop()
	return r, nil
}

// run relays until ctx ends or the file cannot be read.
func (r *relay) run(ctx, base context.Context, deliver func(context.Context, outbox.Item) outbox.Outcome) error {
	for range r.q.cfg.Workers {
		go func() {
			for row := range r.work {
				r.outcomes <- outcome{row, deliver(base, row.Item)}
			}
		}()
	}
	swept := r.q.startSweeper(ctx)
	err := r.loop(ctx, base)
	close(r.work)
	err = errors.Join(err, r.finish(base))
	<-swept
	r.nextDue.Stop()
	r.again.Stop()
	return errors.Join(err, r.reader.close())
}

func (r *relay) loop(ctx, base context.Context) error {
	poll := make(<-chan time.Time)
	if every := r.q.cfg.PollInterval; every > 0 {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		poll = ticker.C
	}
	for {
		if ctx.Err() != nil {
			return nil
		}
		if err := r.load(base); err != nil {
			return err
		}
		r.handOut()
		select {
		case <-ctx.Done():
			return nil
		case o := <-r.outcomes:
			r.settle(base, append(r.failed, o))
		case <-r.again.C:
			r.settle(base, r.failed)
		case <-r.q.wake:
			r.stale = true
		case <-r.nextDue.C:
			r.stale = true
		case <-poll:
			changed, err := r.reader.changed(base)
			if err != nil {
				return err
			}
			r.stale = r.stale || changed
		}
	}
}

// load reads due events when there are fewer ready than workers.
func (r *relay) load(ctx context.Context) error {
	if !r.stale || len(r.ready) >= r.q.cfg.Workers {
		return nil
	}
	r.drains = append(r.drains, r.q.takeDrains()...)
	limit := loadPerWorker * r.q.cfg.Workers
	now := time.Now()
	rows, cut, err := r.reader.due(ctx, now, r.window, limit)
	if err != nil {
		return err
	}
	for i := range rows {
		rows[i].Attempt++
		r.window[rows[i].seq] = true
	}
	r.ready = append(r.ready, rows...)
	if cut || len(rows) == limit {
		return nil // there may be more
	}
	r.stale = false
	if len(r.window) == 0 {
		releaseAll(&r.drains)
	}
	next, err := r.reader.nextDue(ctx, now)
	if err != nil {
		return err
	}
	if next.IsZero() {
		r.nextDue.Stop()
	} else {
		r.nextDue.Reset(time.Until(next))
	}
	return nil
}

// handOut gives ready events to workers that are free. A worker is free when what
// it delivered last is settled: this bounds what a crash sends twice.
func (r *relay) handOut() {
	n := min(len(r.ready), r.q.cfg.Workers-r.under)
	if n <= 0 {
		return
	}
	for i := range n {
		r.work <- r.ready[i]
	}
	clear(r.ready[:n])
	r.ready = r.ready[n:]
	r.under += n
	r.q.setSending(r.under)
}

// settle writes outcomes and those that have come in the meantime. What cannot be
// written is kept for another try.
func (r *relay) settle(ctx context.Context, outcomes []outcome) {
	outcomes = r.gather(outcomes)
	if err := r.q.settle(ctx, outcomes); err != nil {
		r.failed = outcomes
		r.pause = min(max(writePause, 2*r.pause), maxWritePause)
		r.again.Reset(r.pause)
		r.q.cfg.Logger.LogAttrs(ctx, slog.LevelError, "event queue cannot write, will try again",
			slog.String("error", models.Redact(err.Error())), slog.Int("events", len(outcomes)), slog.Duration("pause", r.pause))
		return
	}
	r.failed, r.pause = nil, 0
	r.again.Stop()
	r.under -= len(outcomes)
	r.q.setSending(r.under)
	for i := range outcomes {
		delete(r.window, outcomes[i].seq)
	}
	r.stale = true
}

// gather adds the outcomes that have come in the meantime. While more events are
// ready it waits a moment for half of the workers, so that they share an fsync; an
// event that is alone never waits.
func (r *relay) gather(outcomes []outcome) []outcome {
	timer := time.NewTimer(gatherPause)
	defer timer.Stop()
	for len(r.ready) > 0 && len(outcomes) < (r.under+1)/2 {
		select {
		case o := <-r.outcomes:
			outcomes = append(outcomes, o)
			continue
		case <-timer.C:
		}
		break
	}
	for len(r.outcomes) > 0 {
		outcomes = append(outcomes, <-r.outcomes)
	}
	return outcomes
}

// finish waits for the deliveries under way and writes what came of them. What
// cannot be written is delivered again by the next Run.
func (r *relay) finish(ctx context.Context) error {
	for len(r.failed) < r.under {
		r.failed = append(r.failed, <-r.outcomes)
	}
	defer r.q.setSending(0)
	var err error
	for try := range stopWrites {
		if len(r.failed) == 0 {
			break
		}
		if try > 0 {
			<-time.After(writePause)
		}
		if err = r.q.settle(ctx, r.failed); err == nil {
			r.failed = nil
		}
	}
	r.q.returnDrains(r.drains)
	return err
}
