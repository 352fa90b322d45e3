package publisher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher/outbox"
)

// relay lets the queue hand out items until the publisher or the queue is
// closed. A queue that cannot go on is started again, with backoff.
func (p *Publisher) relay() {
	defer p.relayEnded()
	for failures := 1; ; failures++ {
		err := p.cfg.Queue.Run(p.running, p.relayItem)
		if err == nil || errors.Is(err, ErrClosed) || p.running.Err() != nil {
			return
		}
		pause := p.cfg.Retry.pause(failures, nil, 1)
		p.cfg.Logger.LogAttrs(p.running, slog.LevelError, "event queue stopped, starting it again",
			slog.String("error", models.Redact(err.Error())), slog.Duration("pause", pause))
		p.pausing.Store(true)
		if sleep(p.running, pause) != nil {
			return
		}
		p.pausing.Store(false)
	}
}

// relayItem is one attempt on behalf of the queue.
func (p *Publisher) relayItem(ctx context.Context, item outbox.Item) outbox.Outcome {
	_, out := p.attempt(ctx, &item)
	return out
}

// send is delivery without a queue: attempts until the policy or ctx ends it.
func (p *Publisher) send(ctx context.Context, item *outbox.Item) error {
	for item.Attempt = 1; ; item.Attempt++ {
		err, out := p.attempt(ctx, item)
		if out.State != outbox.Retry {
			return err
		}
		if stopped := p.sleepUntil(ctx, out.RetryAt); stopped != nil {
			err = fmt.Errorf("%w: %w", stopped, err)
			p.discarded(ctx, item, err, 0)
			return err
		}
	}
}

// attempt makes one attempt, decides what follows and tells the Observer and the
// log.
func (p *Publisher) attempt(ctx context.Context, item *outbox.Item) (error, outbox.Outcome) { //nolint:revive,staticcheck // the outcome follows from the error
	ctx = p.watch.delivering(ctx, item)
	start := time.Now()
	err := p.try(ctx, item, start.Add(p.cfg.TryTimeout))

	if err == nil {
		p.delivered(ctx, item, start)
		return nil, outbox.Outcome{State: outbox.Delivered}
	}
	out := p.cfg.Retry.next(item, err)
	if p.delivering.Err() != nil && out.State == outbox.Retry {
		out.RetryAt, out.Uncounted = time.Now(), true
	}
	if out.State == outbox.Retry {
		p.retried(ctx, item, err, out.RetryAt, start)
	} else {
		p.discarded(ctx, item, err, time.Since(start))
	}
	return err, out
}

// try sends once, until deadline. Its error wraps one of ErrRejected,
// ErrUnauthorized and ErrUnavailable.
func (p *Publisher) try(ctx context.Context, item *outbox.Item, deadline time.Time) (err error) {
	bounded := p.tries.begin(ctx, deadline)
	defer bounded.cancel()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: sender panicked with a %T", ErrUnavailable, r)
		}
	}()
	err = p.sender.Send(bounded, *item) //nolint:contextcheck // bounded is derived from ctx
	switch {
	case err == nil, errors.Is(err, ErrRejected), errors.Is(err, ErrUnauthorized), errors.Is(err, ErrUnavailable):
		return err
	default:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
}

func (p *Publisher) delivered(ctx context.Context, item *outbox.Item, start time.Time) {
	level := slog.LevelDebug
	if item.Attempt > 1 {
		level = slog.LevelInfo // the end of what a warning began
	}
	p.log(ctx, &p.deliveredLines, level, "event delivered", item, nil, start)
	p.watch.delivered(ctx, item)
}

func (p *Publisher) retried(ctx context.Context, item *outbox.Item, err error, at, start time.Time) {
	level := slog.LevelDebug
	if item.Attempt == 1 {
		level = slog.LevelWarn
	}
	p.log(ctx, &p.retriedLines, level, "event not delivered, will be retried", item, err, start)
	p.watch.retried(ctx, item, err, at)
}

func (p *Publisher) discarded(ctx context.Context, item *outbox.Item, err error, took time.Duration) {
	p.cfg.Logger.LogAttrs(ctx, slog.LevelError, "event discarded", attrs(item, err, took)...)
	p.watch.discarded(ctx, item, err)
}

// log writes a line about an attempt, unless it is one of very many of its kind. Who
// logs at Debug gets all of them.
func (p *Publisher) log(ctx context.Context, lines *sampler, level slog.Level, text string, item *outbox.Item, err error, start time.Time) {
	if !p.cfg.Logger.Enabled(ctx, level) {
		return
	}
	all := attrs(item, err, time.Since(start))
	if !p.cfg.Logger.Enabled(ctx, slog.LevelDebug) {
		ok, suppressed := lines.allow(time.Now())
		if !ok {
			return
		}
		if suppressed > 0 {
			all = append(all, slog.Int("suppressed", suppressed))
		}
	}
	p.cfg.Logger.LogAttrs(ctx, level, text, all...) //nolint:sloglint // one of two texts
}

// attrs is what a log line says of an attempt. It names the event, never a
// subject.
func attrs(item *outbox.Item, err error, took time.Duration) []slog.Attr {
	all := []slog.Attr{
		slog.String("event_id", redactID(item.ID)),
		slog.String("event_type", models.Redact(item.Type)),
		slog.String("endpoint", item.Endpoint),
		slog.Int("attempt", item.Attempt),
		slog.Float64("duration_ms", float64(took.Microseconds())/1e3),
	}
	if err == nil {
		return all
	}
	if status := httpStatus(err); status != 0 {
		all = append(all, slog.Int("status", status))
	}
	return append(all, slog.String("error", reason(err)))
}

// sleepUntil waits until at. It returns early, with the reason, when ctx ends or
// Close tells deliveries to break off.
func (p *Publisher) sleepUntil(ctx context.Context, at time.Time) error {
	ctx, stop := until(ctx, p.delivering)
	defer stop()
	return sleep(ctx, time.Until(at))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
