package telemetry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher/outbox"
)

// meters makes the metrics.
type meters struct {
	queue attribute.KeyValue

	published, sent, consumed metric.Int64Counter
	retried, discarded        metric.Int64Counter
	duration, lag, process    metric.Float64Histogram
	registration              metric.Registration // nil without Stats

	options kept[label, options]
}

// options are the labels of a measurement, in both forms. They are made once for each
// label: sorting attributes costs more than measuring.
type options struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

// seconds are the bounds of the buckets: those of the conventions, and of queues.
var (
	callSeconds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	lagSeconds  = []float64{0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 900, 3600, 21600, 86400, 604800}
)

func newMeters(meter metric.Meter, queue string, stats func(context.Context) (outbox.Stats, error)) (*meters, error) {
	m := &meters{queue: keyQueue.String(queue)}
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
	m.sent = counter("messaging.client.sent.messages", "{message}", "Attempts to deliver an event; those without error.type have delivered it.")
	m.consumed = counter("messaging.client.consumed.messages", "{message}", "Pushed events that were handled.")
	m.published = counter("altinn.events.published", "{event}", "Ends of Publish, by outcome.")
	m.retried = counter("altinn.events.retried", "{event}", "Failed attempts that another one follows.")
	m.discarded = counter("altinn.events.discarded", "{event}", "Events that were given up.")
	m.duration = histogram("messaging.client.operation.duration", "Duration of attempts to deliver an event.", callSeconds)
	m.process = histogram("messaging.process.duration", "Duration of handling a pushed event.", callSeconds)
	m.lag = histogram("altinn.events.lag", "Time from Publish to the endpoint's answer.", lagSeconds)
	if stats != nil {
		errs = append(errs, m.watch(meter, stats))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return m, nil
}

// watchTimeout bounds a look at the queue: who collects metrics may set no limit, and
// each scrape of a database that hangs would leave another connection.
const watchTimeout = 2 * time.Second

// watch looks at the queue whenever metrics are collected.
func (m *meters) watch(meter metric.Meter, stats func(context.Context) (outbox.Stats, error)) error {
	depth, depthErr := meter.Int64ObservableGauge("altinn.events.queue.depth", metric.WithUnit("{event}"), metric.WithDescription("Events in the queue, by state."))
	age, ageErr := meter.Float64ObservableGauge("altinn.events.queue.oldest.age", metric.WithUnit("s"), metric.WithDescription("Age of the oldest event that is not delivered."))
	readable, readableErr := meter.Int64ObservableGauge("altinn.events.queue.readable", metric.WithDescription("1 if the queue could be read, and else 0, without the other two."))
	if err := errors.Join(depthErr, ageErr, readableErr); err != nil {
		return err
	}
	queue := metric.WithAttributes(m.queue)
	var err error
	m.registration, err = meter.RegisterCallback(func(ctx context.Context, seen metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, watchTimeout)
		defer cancel()
		s, err := stats(ctx)
		if err != nil {
			seen.ObserveInt64(readable, 0, queue)
			return fmt.Errorf("queue depth: %s", models.Redact(err.Error()))
		}
		seen.ObserveInt64(readable, 1, queue)
		for state, n := range map[string]int{"pending": s.Pending, "sending": s.Sending, "delivered": s.Delivered, "discarded": s.Discarded} {
			seen.ObserveInt64(depth, int64(n), metric.WithAttributes(m.queue, keyState.String(state)))
		}
		seen.ObserveFloat64(age, ageOf(s).Seconds(), queue)
		return nil
	}, depth, age, readable)
	return err
}

// ageOf is the age of the oldest event that is not delivered.
func ageOf(s outbox.Stats) time.Duration {
	if s.OldestPending.IsZero() {
		return 0
	}
	return max(0, time.Since(s.OldestPending))
}

// labels returns the options of a measurement.
func (m *meters) labels(l label) options {
	return m.options.get(l, func() options {
		set := metric.WithAttributeSet(attribute.NewSet(append(l.attributes(), m.queue)...))
		return options{add: []metric.AddOption{set}, record: []metric.RecordOption{set}}
	})
}

// ended measures the end of a Publish.
func (m *meters) ended(ctx context.Context, item outbox.Item, err error) {
	outcome := "accepted"
	if _, invalid := errors.AsType[*models.ValidationError](err); invalid {
		outcome = "invalid"
	} else if err != nil {
		outcome = "failed"
	}
	m.published.Add(ctx, 1, m.labels(label{eventType: KnownType(item.Type), outcome: outcome}).add...)
}

// attempted measures an attempt, and of the last one how long the event took altogether.
func (m *meters) attempted(ctx context.Context, item outbox.Item, err error, began, ended time.Time) {
	l := label{operation: opDeliver, endpoint: item.Endpoint}
	if err != nil {
		l.errorType = errorType(err)
	}
	m.duration.Record(ctx, ended.Sub(began).Seconds(), m.labels(l).record...)
	l.eventType = KnownType(item.Type)
	m.sent.Add(ctx, 1, m.labels(l).add...)
	if err == nil && !item.PublishedAt.IsZero() {
		m.lag.Record(ctx, max(0, ended.Sub(item.PublishedAt).Seconds()), m.labels(label{endpoint: item.Endpoint}).record...)
	}
}

// failed counts an event whose attempt failed.
func (m *meters) failed(ctx context.Context, counter metric.Int64Counter, item outbox.Item, err error) {
	counter.Add(ctx, 1, m.labels(label{endpoint: item.Endpoint, eventType: KnownType(item.Type), errorType: errorType(err)}).add...)
}

// processed measures the handling of a pushed event.
func (m *meters) processed(ctx context.Context, eventType string, failed bool, took time.Duration) {
	l := label{operation: opProcess, eventType: eventType}
	if failed {
		l.errorType = handlerError
	}
	kept := m.labels(l)
	m.process.Record(ctx, took.Seconds(), kept.record...)
	m.consumed.Add(ctx, 1, kept.add...)
}
