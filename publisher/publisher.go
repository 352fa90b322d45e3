package publisher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/publisher/outbox"
)

// Config configures a Publisher. The zero value publishes synchronously, once,
// silently.
type Config struct {
	// Queue takes the events between Publish and the endpoint. Without one,
	// Publish itself delivers. Whoever opened the queue closes it, after the
	// publisher. A queue serves one publisher at a time.
	Queue outbox.Queue

	// Retry says when an event that could not be delivered is tried again.
	// Defaults to the zero RetryPolicy with a queue. Without a queue the default
	// is one attempt; set any field of Retry for more of them inside Publish.
	Retry RetryPolicy

	// TryTimeout bounds one attempt, token and answer included. Defaults to 10 s.
	TryTimeout time.Duration

	// Logger gets one line for an event's first failure and one for its end, at
	// Debug one for every attempt. Keys: event_id, event_type, endpoint, attempt,
	// status, duration_ms, error. Of failures that are retried, and of deliveries after
	// them, 10 lines a second are written each; the next has the key suppressed, how
	// many were not. Events that are discarded have a line each. Nil is silent.
	Logger *slog.Logger

	// Observer watches every step. Nil watches nothing.
	Observer Observer
}

func (c Config) withDefaults() Config {
	if c.TryTimeout == 0 {
		c.TryTimeout = 10 * time.Second
	}
	if c.Queue == nil && c.Retry == (RetryPolicy{}) {
		c.Retry.MaxAttempts = 1
	}
	c.Retry = c.Retry.withDefaults()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	var faults []error
	if c.TryTimeout < 0 {
		faults = append(faults, fmt.Errorf("publisher.Config: TryTimeout is %v, want a positive duration", c.TryTimeout))
	}
	return errors.Join(append(faults, c.Retry.validate())...)
}

// Publisher gets events to their endpoint. Create it with New and close it with
// Close; in between it is safe for concurrent use.
type Publisher struct {
	cfg     Config
	sender  Sender
	encoder Encoder
	watch   watch

	closing sync.Once
	calls   atomic.Int64  // Publishes under way, and closedCalls once closed
	settle  sync.Once     // closes settled
	settled chan struct{} // closed when no Publish is under way or can begin

	running    context.Context // ends when the relay is to take nothing more
	stop       context.CancelFunc
	delivering context.Context // ends when deliveries are to break off
	breakOff   context.CancelFunc
	tries      tries
	relaying   context.Context // ends when the relay has ended
	relayEnded context.CancelFunc
	pausing    atomic.Bool // while the relay waits to start a queue again that could not go on

	deliveredLines, retriedLines sampler
}

// New returns a Publisher that sends with sender. With a queue it starts the
// relay that empties it, also of what an earlier process left there.
//
// The error names every fault of cfg. A sender with a method CheckDeferred() error is
// asked whether it can send after the request that caused an event, if there is a
// queue; an altinn.Client cannot with a user's token alone.
func New(sender Sender, cfg Config) (*Publisher, error) {
	err := cfg.validate()
	if sender == nil {
		err = errors.Join(errors.New("publisher.New: sender is nil, want for example an *altinn.Client"), err)
	}
	if s, ok := sender.(interface{ CheckDeferred() error }); ok && cfg.Queue != nil {
		if deferred := s.CheckDeferred(); deferred != nil {
			err = errors.Join(fmt.Errorf("publisher.New: %w", deferred), err)
		}
	}
	if err != nil {
		return nil, err
	}
	p := &Publisher{
		cfg:     cfg.withDefaults(),
		sender:  sender,
		watch:   watch{cfg.Observer},
		settled: make(chan struct{}),
		tries:   tries{start: time.Now()},
	}
	if e, ok := sender.(encoding); ok {
		p.encoder = e.Encoder()
	}
	p.running, p.stop = context.WithCancel(context.Background())
	p.delivering, p.breakOff = context.WithCancel(context.Background())
	p.relaying, p.relayEnded = context.WithCancel(context.Background())
	if p.cfg.Queue == nil {
		p.relayEnded()
	} else {
		go p.relay()
	}
	return p, nil
}

// Relaying reports whether the relay runs, which delivers what is in the queue: from New
// to Close, but not while a queue that could not go on waits to be started again. It does
// not tell whether the endpoint takes anything. Without a queue there is no relay, and it
// reports true until Close.
func (p *Publisher) Relaying() bool {
	if p.cfg.Queue == nil {
		return p.running.Err() == nil
	}
	return p.relaying.Err() == nil && !p.pausing.Load()
}

// Queued reports whether events go through a queue, so that Publish returns
// before they are delivered.
func (p *Publisher) Queued() bool { return p.cfg.Queue != nil }

// Logger returns Config.Logger, or one that is silent, for those who publish
// through p and have something to log.
func (p *Publisher) Logger() *slog.Logger { return p.cfg.Logger }

// Validate reports what Publish would refuse before it sends anything: for each
// event that breaks a rule an *EventError that wraps a *models.ValidationError.
func (p *Publisher) Validate(events ...event.Event) error {
	var errs []error
	for _, ev := range events {
		if err := p.encoder.Validate(ev); err != nil {
			errs = append(errs, eventError(identify(ev), err))
		}
	}
	return errors.Join(errs...)
}

// Publish gets the events to their endpoint, in the order given.
//
// It first checks all of them, fills what is missing (specversion, id, time, and
// for events of an app resource and resource instance) and encodes them; if one
// breaks a rule, nothing is sent or queued. The caller's events are not changed
// and may be used again when Publish has returned.
//
// With a queue, Publish returns nil when the queue has taken all events. Without
// one it returns nil when the endpoint has taken all of them; when one fails, the
// others of its key are not sent (ErrNotSent), and those of other keys are.
//
// Errors: an *EventError for each event that breaks a rule or could not be sent,
// joined, which wraps a *models.ValidationError, ErrRejected, ErrUnauthorized,
// ErrUnavailable, ErrNotSent or the context's error. Of the queue, for all events
// together: ErrQueueFull, ErrClosed, the context's error if it ended while there
// was no room, or whatever keeps the queue from storing. ctx bounds the call, and
// without a queue every attempt.
func (p *Publisher) Publish(ctx context.Context, events ...event.Event) error {
	if len(events) == 0 {
		return nil
	}
	if !p.begin() {
		return ErrClosed
	}
	defer p.end()

	var room struct { // nearly always there is one event
		items [1]outbox.Item
		ctxs  [1]context.Context
	}
	items, ctxs := resize(room.items[:0], len(events)), resize(room.ctxs[:0], len(events))
	err := p.prepare(ctx, events, items, ctxs)
	if err == nil && p.cfg.Queue == nil {
		return p.sendAll(items, ctxs) //nolint:contextcheck // ctxs are derived from ctx
	}
	if err == nil {
		err = p.enqueue(ctx, items)
	}
	for i := range items {
		p.watch.published(ctxs[i], &items[i], err) //nolint:contextcheck // as above
	}
	return err
}

// prepare makes an item of each event, and the context that the Observer gives it. The
// error says what is wrong with each that cannot be encoded.
func (p *Publisher) prepare(ctx context.Context, events []event.Event, items []outbox.Item, ctxs []context.Context) error {
	now := time.Now()
	var errs []error
	for i := range events {
		var err error
		if ctxs[i], err = p.prepareOne(ctx, &events[i], now, &items[i]); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (p *Publisher) prepareOne(ctx context.Context, ev *event.Event, now time.Time, item *outbox.Item) (context.Context, error) {
	ctx, traceParent := p.watch.publishing(ctx, ev)
	if err := p.encoder.encode(item, ev, now, traceParent); err != nil {
		*item = identify(*ev)
		return ctx, eventError(*item, err)
	}
	return ctx, nil
}

func (p *Publisher) enqueue(ctx context.Context, items []outbox.Item) error {
	var err error
	if q, ok := p.cfg.Queue.(*outbox.Memory); ok {
		err = q.Enqueue(ctx, items...) // the compiler sees that it does not keep the list
	} else {
		err = p.cfg.Queue.Enqueue(ctx, slices.Clone(items)...)
	}
	if err != nil {
		return &outbox.StoreError{Op: "publish", Err: err}
	}
	return nil
}

// sendAll sends without a queue, in order, and leaves out what follows a failed
// event of the same key.
func (p *Publisher) sendAll(items []outbox.Item, ctxs []context.Context) error {
	var (
		errs   []error
		failed map[string]bool
	)
	for i := range items {
		item := &items[i]
		var err error
		if failed != nil && failed[item.Key] {
			err = ErrNotSent
		} else {
			err = p.send(ctxs[i], item)
			item.Attempt = 0 // as with a queue, where Published is about no attempt
		}
		if err != nil {
			err = eventError(*item, err)
			errs = append(errs, err)
			if failed == nil {
				failed = map[string]bool{}
			}
			failed[item.Key] = true
		}
		p.watch.published(ctxs[i], item, err)
	}
	return errors.Join(errs...)
}

// resize returns s with n elements.
func resize[E any](s []E, n int) []E { return slices.Grow(s[:0], n)[:n] }

// closedCalls is added to the calls under way when the publisher is closed.
const closedCalls = math.MinInt64

// begin counts a Publish in; it reports false once the publisher is closed.
//
// It looks before it counts: those who go on calling a closed publisher would else keep
// calls above closedCalls.
func (p *Publisher) begin() bool {
	if p.calls.Load() < 0 {
		return false
	}
	if p.calls.Add(1) > 0 {
		return true
	}
	p.end()
	return false
}

func (p *Publisher) end() { p.settleIf(p.calls.Add(-1)) }

// settleIf notes that no call is under way any more, nor can begin, if calls says so.
func (p *Publisher) settleIf(calls int64) {
	if calls == closedCalls {
		p.settle.Do(func() { close(p.settled) })
	}
}

// closeGrace is how long Close waits, after its context has ended, for
// deliveries that were told to break off.
const closeGrace = time.Second

// Close ends the publisher: from now on Publish returns ErrClosed. It waits for
// the calls of Publish under way, lets the relay deliver what the queue holds,
// and stops it. When ctx ends first, the deliveries under way break off and what
// was not delivered stays in the queue; the error says so.
//
// Close leaves the queue open: close it afterwards. Closing twice is no error.
func (p *Publisher) Close(ctx context.Context) error {
	p.closing.Do(func() { p.settleIf(p.calls.Add(closedCalls)) })
	err := wait(ctx, p.settled)
	if err == nil {
		err = p.drain(ctx)
	}
	p.stop()
	if err == nil {
		err = wait(ctx, p.relaying.Done())
	}
	p.breakOff()
	p.tries.breakOff()
	if err == nil {
		return nil
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer cancel()
	_ = wait(grace, p.settled)
	_ = wait(grace, p.relaying.Done())
	return fmt.Errorf("close publisher: %w", err)
}

// drain waits until the queue is empty, as long as the relay empties it.
func (p *Publisher) drain(ctx context.Context) error {
	if p.cfg.Queue == nil || p.relaying.Err() != nil {
		return nil
	}
	ctx, cancel := until(ctx, p.relaying)
	defer cancel()
	return p.cfg.Queue.Drain(ctx)
}

// until returns a context that ends with ctx, or with ErrClosed as its cause when
// other ends.
func until(ctx, other context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(other, func() { cancel(ErrClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// wait waits for done until ctx ends.
func wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	default:
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
