package telemetry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
)

const scope = "github.com/altinn-go/events/publisher/telemetry"

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
	tracer trace.Tracer // nil: no spans
	queue  attribute.KeyValue

	measured                  bool
	sent, published           metric.Int64Counter
	retried, discarded        metric.Int64Counter
	duration, lag, processing metric.Float64Histogram
	registration              metric.Registration

	kept sync.Map // of labelKey to metric.MeasurementOption; as few as the values of the labels
}

var _ publisher.Observer = (*Observer)(nil)

// The attributes, as the conventions spell them.
const (
	keySystem      = attribute.Key("messaging.system")
	keyOperation   = attribute.Key("messaging.operation.name")
	keyOperationOf = attribute.Key("messaging.operation.type")
	keyDestination = attribute.Key("messaging.destination.name")
	keyMessageID   = attribute.Key("messaging.message.id")
	keyEventType   = attribute.Key("cloudevents.event_type")
	keyErrorType   = attribute.Key("error.type")
	keyStatus      = attribute.Key("http.response.status_code")
	keyOutcome     = attribute.Key("altinn.outcome")
	keyQueue       = attribute.Key("altinn.queue")
	keyState       = attribute.Key("altinn.queue.state")
	keyAttempt     = attribute.Key("altinn.attempt")

	system = "altinn_events"
)

// seconds are the bounds of the buckets: those of HTTP calls, and of queues.
var (
	callSeconds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
	lagSeconds  = []float64{0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 900, 3600, 21600, 86400, 604800}
)

// New returns an Observer. The error is the meter's; it names the instrument.
func New(cfg Config) (*Observer, error) {
	if cfg.Queue == "" {
		cfg.Queue = "events"
	}
	o := &Observer{queue: keyQueue.String(cfg.Queue)}
	if cfg.TracerProvider != nil {
		o.tracer = cfg.TracerProvider.Tracer(scope)
	}
	if cfg.MeterProvider == nil {
		return o, nil
	}
	o.measured = true
	meter := cfg.MeterProvider.Meter(scope)
	var errs []error
	counter := func(name, unit, description string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return c
	}
	histogram := func(name, description string, bounds []float64) metric.Float64Histogram {
		h, err := meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(bounds...))
		errs = append(errs, err)
		return h
	}
	o.sent = counter("messaging.client.sent.messages", "{message}", "Events that the endpoint has taken.")
	o.published = counter("altinn.events.published", "{event}", "Ends of Publish, by outcome.")
	o.retried = counter("altinn.events.retried", "{event}", "Failed attempts that another one follows.")
	o.discarded = counter("altinn.events.discarded", "{event}", "Events that were given up.")
	o.duration = histogram("messaging.client.operation.duration", "Duration of attempts to deliver an event.", callSeconds)
	o.processing = histogram("messaging.process.duration", "Duration of handling a pushed event.", callSeconds)
	o.lag = histogram("altinn.events.lag", "Time from Publish to the endpoint's answer.", lagSeconds)
	if cfg.Stats != nil {
		errs = append(errs, o.measureQueue(meter, cfg.Stats))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	return o, nil
}

// measureQueue looks at the queue whenever metrics are collected.
func (o *Observer) measureQueue(meter metric.Meter, stats func(context.Context) (outbox.Stats, error)) error {
	depth, err := meter.Int64ObservableGauge("altinn.events.queue.depth", metric.WithUnit("{event}"), metric.WithDescription("Events in the queue, by state."))
	if err != nil {
		return err
	}
	age, err := meter.Float64ObservableGauge("altinn.events.queue.oldest.age", metric.WithUnit("s"), metric.WithDescription("Age of the oldest event that is not delivered."))
	if err != nil {
		return err
	}
	o.registration, err = meter.RegisterCallback(func(ctx context.Context, seen metric.Observer) error {
		s, err := stats(ctx)
		if err != nil {
			return fmt.Errorf("queue depth: %w", err)
		}
		for state, n := range map[string]int{"pending": s.Pending, "sending": s.Sending, "delivered": s.Delivered, "discarded": s.Discarded} {
			seen.ObserveInt64(depth, int64(n), metric.WithAttributes(o.queue, keyState.String(state)))
		}
		seen.ObserveFloat64(age, ageOf(s).Seconds(), metric.WithAttributes(o.queue))
		return nil
	}, depth, age)
	return err
}

// ageOf is the age of the oldest event that is not delivered.
func ageOf(s outbox.Stats) time.Duration {
	if s.OldestPending.IsZero() {
		return 0
	}
	return max(0, time.Since(s.OldestPending))
}

// Close ends the look at the queue.
func (o *Observer) Close() error {
	if o.registration == nil {
		return nil
	}
	return o.registration.Unregister()
}

// activityKey is the context key of what an Observer has begun.
type activityKey struct{}

type activity struct {
	span  trace.Span // nil without a tracer
	began time.Time
}

func activityOf(ctx context.Context) *activity {
	a, _ := ctx.Value(activityKey{}).(*activity)
	return a
}

// Publishing begins the span of Publish and returns its trace parent.
func (o *Observer) Publishing(ctx context.Context, ev event.Event) (context.Context, string) {
	if o.tracer == nil {
		return ctx, ""
	}
	eventType := ""
	if ev.Context != nil {
		eventType = ev.Type()
	}
	//nolint:spancheck // Published ends it
	ctx, span := o.tracer.Start(ctx, "publish", trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		keySystem.String(system), keyOperation.String("publish"), keyOperationOf.String("create"), keyEventType.String(KnownType(eventType)),
	))
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return context.WithValue(ctx, activityKey{}, &activity{span: span}), carrier["traceparent"] //nolint:spancheck // see above
}

// Published ends it.
func (o *Observer) Published(ctx context.Context, item outbox.Item, err error) {
	if a := activityOf(ctx); o.tracer != nil && a != nil && a.span != nil {
		a.span.SetAttributes(keyDestination.String(item.Endpoint), keyMessageID.String(messageID(item.ID)))
		end(a.span, err)
	}
	if o.measured {
		outcome := "accepted"
		if _, invalid := errors.AsType[*models.ValidationError](err); invalid {
			outcome = "invalid"
		} else if err != nil {
			outcome = "failed"
		}
		o.published.Add(ctx, 1, o.labels(labelKey{eventType: KnownType(item.Type), outcome: outcome}))
	}
}

// Delivering begins the span of an attempt: a child of what is in ctx, or of what the
// queue has kept.
func (o *Observer) Delivering(ctx context.Context, item outbox.Item) context.Context {
	if o.tracer == nil && !o.measured {
		return ctx
	}
	a := &activity{began: time.Now()}
	if o.tracer != nil {
		if !trace.SpanContextFromContext(ctx).IsValid() {
			ctx = withTraceParent(ctx, item.TraceParent)
		}
		//nolint:spancheck // the call that ends the attempt ends it
		ctx, a.span = o.tracer.Start(ctx, "deliver "+item.Endpoint, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			keySystem.String(system), keyOperation.String("deliver"), keyOperationOf.String("send"), keyDestination.String(item.Endpoint),
			keyEventType.String(KnownType(item.Type)), keyMessageID.String(messageID(item.ID)), keyAttempt.Int(item.Attempt),
		))
	}
	return context.WithValue(ctx, activityKey{}, a)
}

// withTraceParent returns ctx with a remote parent, if text is one.
func withTraceParent(ctx context.Context, text string) context.Context {
	if text == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": text})
}

// Delivered ends the attempt and the event.
func (o *Observer) Delivered(ctx context.Context, item outbox.Item) {
	o.attempted(ctx, item, nil)
	if o.measured {
		o.sent.Add(ctx, 1, o.labels(labelKey{operation: "deliver", endpoint: item.Endpoint, eventType: KnownType(item.Type)}))
		if !item.PublishedAt.IsZero() {
			o.lag.Record(ctx, max(0, time.Since(item.PublishedAt).Seconds()), o.labels(labelKey{endpoint: item.Endpoint}))
		}
	}
}

// Retried ends the attempt.
func (o *Observer) Retried(ctx context.Context, item outbox.Item, err error, _ time.Time) {
	o.attempted(ctx, item, err)
	if o.measured {
		o.retried.Add(ctx, 1, o.failure(item, err))
	}
}

// Discarded ends the attempt and the event.
func (o *Observer) Discarded(ctx context.Context, item outbox.Item, err error) {
	o.attempted(ctx, item, err)
	if o.measured {
		o.discarded.Add(ctx, 1, o.failure(item, err))
	}
}

func (o *Observer) failure(item outbox.Item, err error) metric.MeasurementOption {
	return o.labels(labelKey{endpoint: item.Endpoint, eventType: KnownType(item.Type), errorType: errorType(err)})
}

// labelKey is what distinguishes a measurement; empty members are no label.
type labelKey struct{ operation, endpoint, eventType, errorType, outcome string }

// labels returns the labels of a measurement, which are made once: sorting them costs
// more than the measurement.
func (o *Observer) labels(key labelKey) metric.MeasurementOption {
	if kept, ok := o.kept.Load(key); ok {
		return kept.(metric.MeasurementOption)
	}
	all := []attribute.KeyValue{o.queue}
	if key.operation != "" {
		all = append(all, keySystem.String(system))
	}
	for name, value := range map[attribute.Key]string{
		keyOperation: key.operation, keyDestination: key.endpoint, keyEventType: key.eventType, keyErrorType: key.errorType, keyOutcome: key.outcome,
	} {
		if value != "" {
			all = append(all, name.String(value))
		}
	}
	made := metric.WithAttributeSet(attribute.NewSet(all...))
	o.kept.Store(key, made)
	return made
}

// attempted ends the span of an attempt and measures it.
func (o *Observer) attempted(ctx context.Context, item outbox.Item, err error) {
	a := activityOf(ctx)
	if a == nil || a.began.IsZero() {
		return
	}
	if a.span != nil {
		end(a.span, err)
	}
	if !o.measured {
		return
	}
	key := labelKey{operation: "deliver", endpoint: item.Endpoint}
	if err != nil {
		key.errorType = errorType(err)
	}
	o.duration.Record(ctx, time.Since(a.began).Seconds(), o.labels(key))
}

// Process handles a pushed event in a span of its own, a child of the one that
// published the event if that is told:
//
//	receiver.On(models.TypeBrokerPublished, func(ctx context.Context, r webhook.Received) error {
//		return observer.Process(ctx, r.Event, func(ctx context.Context) error { return handle(ctx, r) })
//	})
//
// It returns handle's error, of which only whether there is one is recorded.
func (o *Observer) Process(ctx context.Context, ev event.Event, handle func(context.Context) error) (err error) {
	eventType := ""
	if ev.Context != nil {
		eventType = ev.Type()
	}
	if o.tracer != nil {
		if parent, _ := ev.Extensions()["traceparent"].(string); parent != "" {
			ctx = withTraceParent(ctx, parent)
		}
		var span trace.Span
		ctx, span = o.tracer.Start(ctx, "process", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
			keySystem.String(system), keyOperation.String("process"), keyOperationOf.String("process"),
			keyEventType.String(KnownType(eventType)), keyMessageID.String(messageID(ev.ID())),
		))
		defer func() { end(span, err) }()
	}
	if o.measured {
		began := time.Now()
		defer func() {
			attributes := []attribute.KeyValue{keySystem.String(system), keyOperation.String("process"), keyEventType.String(KnownType(eventType))}
			if err != nil {
				attributes = append(attributes, keyErrorType.String("handler"))
			}
			o.processing.Record(ctx, time.Since(began).Seconds(), metric.WithAttributes(attributes...))
		}()
	}
	return handle(ctx)
}

// end ends a span. Of an error it has the kind alone: its text is somebody else's.
func end(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, errorType(err))
		span.SetAttributes(keyErrorType.String(errorType(err)))
		if status := statusOf(err); status != 0 {
			span.SetAttributes(keyStatus.Int(status))
		}
	}
	span.End()
}

// errorType is one of few words for an error, or the status that it had.
func errorType(err error) string {
	if status := statusOf(err); status >= 100 && status <= 599 {
		return strconv.Itoa(status)
	}
	if _, invalid := errors.AsType[*models.ValidationError](err); invalid {
		return "invalid"
	}
	switch {
	case errors.Is(err, publisher.ErrRejected):
		return "rejected"
	case errors.Is(err, publisher.ErrUnauthorized):
		return "unauthorized"
	case errors.Is(err, publisher.ErrUnavailable):
		return "unavailable"
	default:
		return "other"
	}
}

// statusOf is the status of the answer that an error tells of, or 0.
func statusOf(err error) int {
	if e, ok := errors.AsType[interface {
		error
		HTTPStatus() int
	}](err); ok {
		return e.HTTPStatus()
	}
	return 0
}

// messageID is an event's id without an identity number in it. A UUID has none.
func messageID(id string) string {
	const canonical = 36 // other forms of a UUID have no hyphens to tell them from numbers
	if len(id) == canonical && uuid.Validate(id) == nil {
		return id
	}
	return models.Redact(id)
}

// KnownType is what metrics call a type of event: itself if Altinn has it,
// "app.instance.process.movedTo" for every task, and else "other".
func KnownType(eventType string) string {
	if strings.HasPrefix(eventType, models.TypeProcessMovedToPrefix) {
		return strings.TrimSuffix(models.TypeProcessMovedToPrefix, ".")
	}
	if slices.Contains(knownTypes, eventType) {
		return eventType
	}
	return "other"
}

// knownTypes are those that Altinn has.
var knownTypes = append(models.BrokerTypes(models.BrokerSender), models.TypeInstanceCreated, models.TypeProcessCompleted,
	models.TypeSubstatusChanged, models.TypeEFormidlingReminder, models.TypeValidateSubscription)
