package telemetry

import (
	"context"
	"fmt"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
)

const (
	scope     = "github.com/altinn-go/events/publisher/telemetry"
	schemaURL = "https://opentelemetry.io/schemas/1.43.0"
)

// Config says what is recorded and where. The zero value records nothing.
type Config struct {
	// TracerProvider makes the spans. Nil: none.
	TracerProvider trace.TracerProvider

	// MeterProvider makes the instruments. Nil: none.
	MeterProvider metric.MeterProvider

	// Queue names the queue in metrics, if a program has several. Defaults to
	// "events".
	Queue string

	// Stats tells how much is in the queue, whenever metrics are collected: the method
	// of that name of a queue. Nil: not measured.
	Stats func(context.Context) (outbox.Stats, error)
}

// Observer is a publisher.Observer that makes spans and metrics. It is safe for
// concurrent use.
type Observer struct {
	spans  *spans  // nil without a TracerProvider
	meters *meters // nil without a MeterProvider
}

var _ publisher.Observer = (*Observer)(nil)

// New returns an Observer. The error is the meter's; it names the instrument.
func New(cfg Config) (*Observer, error) {
	if cfg.Queue == "" {
		cfg.Queue = "events"
	}
	o := &Observer{}
	if cfg.TracerProvider != nil {
		o.spans = &spans{tracer: cfg.TracerProvider.Tracer(scope, trace.WithSchemaURL(schemaURL))}
	}
	if cfg.MeterProvider != nil {
		var err error
		if o.meters, err = newMeters(cfg.MeterProvider.Meter(scope, metric.WithSchemaURL(schemaURL)), cfg.Queue, cfg.Stats); err != nil {
			return nil, fmt.Errorf("telemetry: %w", err)
		}
	}
	return o, nil
}

// Close ends the look at the queue.
func (o *Observer) Close() error {
	if o.meters == nil || o.meters.registration == nil {
		return nil
	}
	return o.meters.registration.Unregister()
}

// activity is what an Observer has begun, and the context of what belongs to it.
type activity struct {
	context.Context //nolint:containedctx // it is one

	span  trace.Span // nil without a tracer
	began time.Time  // of an attempt
}

// activityKey is the key under which an activity is found from below it.
type activityKey struct{}

// Value implements context.Context.
func (a *activity) Value(key any) any {
	if key == (activityKey{}) {
		return a
	}
	return a.Context.Value(key)
}

func activityOf(ctx context.Context) *activity {
	a, _ := ctx.Value(activityKey{}).(*activity)
	return a
}

// Publishing begins the span of Publish and returns its trace parent, or none if the
// event has one already, which then stays.
func (o *Observer) Publishing(ctx context.Context, ev event.Event) (context.Context, string) {
	if o.spans == nil {
		return ctx, ""
	}
	a, traceParent := o.spans.publishing(ctx, ev)
	return a, traceParent
}

// Published ends it.
func (o *Observer) Published(ctx context.Context, item outbox.Item, err error) {
	if o.spans != nil {
		if a := activityOf(ctx); a != nil && a.span != nil {
			o.spans.published(a.span, item, err)
		}
	}
	if o.meters != nil {
		o.meters.ended(ctx, item, err)
	}
}

// Delivering begins the span of an attempt: a child of what is in ctx, or of what the
// queue has kept.
func (o *Observer) Delivering(ctx context.Context, item outbox.Item) context.Context {
	if o.spans == nil && o.meters == nil {
		return ctx
	}
	a := &activity{Context: ctx, began: time.Now()}
	if o.spans != nil {
		a.Context, a.span = o.spans.delivering(ctx, item)
	}
	return a
}

// Delivered ends the attempt and the event.
func (o *Observer) Delivered(ctx context.Context, item outbox.Item) {
	o.attempted(ctx, item, nil)
}

// Retried ends the attempt.
func (o *Observer) Retried(ctx context.Context, item outbox.Item, err error, _ time.Time) {
	o.attempted(ctx, item, err)
	if o.meters != nil {
		o.meters.failed(ctx, o.meters.retried, item, err)
	}
}

// Discarded ends the attempt and the event.
func (o *Observer) Discarded(ctx context.Context, item outbox.Item, err error) {
	o.attempted(ctx, item, err)
	if o.meters != nil {
		o.meters.failed(ctx, o.meters.discarded, item, err)
	}
}

// attempted ends the attempt that ctx is of. Of one that was broken off before it began,
// ctx has no more than the Publish.
func (o *Observer) attempted(ctx context.Context, item outbox.Item, err error) {
	a := activityOf(ctx)
	if a == nil || a.began.IsZero() {
		return
	}
	if a.span != nil {
		end(a.span, err)
	}
	if o.meters != nil {
		o.meters.attempted(ctx, item, err, a.began, time.Now())
	}
}

// Process handles a pushed event in a span of its own, a child of the one that
// published the event if that is told:
//
//	receiver.On(models.TypeBrokerPublished, func(ctx context.Context, r webhook.Received) error {
//		return observer.Process(ctx, r.Event, func(ctx context.Context) error { return handle(ctx, r) })
//	})
//
// A span that ctx has, such as that of the push's request, is linked to it; of an event
// that does not tell who published it, it is the parent instead. Process returns
// handle's error, of which only whether there is one is recorded. A panic is an error
// that goes on.
func (o *Observer) Process(ctx context.Context, ev event.Event, handle func(context.Context) error) error {
	eventType := ""
	if ev.Context != nil {
		eventType = KnownType(ev.Type())
	}
	failed := true // unless handle returns
	if o.spans != nil {
		var span trace.Span
		ctx, span = o.spans.processing(ctx, ev, eventType)
		defer func() { processed(span, failed) }()
	}
	if o.meters != nil {
		began := time.Now()
		defer func() { o.meters.processed(ctx, eventType, failed, time.Since(began)) }()
	}
	err := handle(ctx)
	failed = err != nil
	return err
}
