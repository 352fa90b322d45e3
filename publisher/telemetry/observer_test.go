package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
	"github.com/altinn-go/events/publisher/telemetry"
	"github.com/altinn-go/events/testutil"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		fmt.Fprintln(os.Stderr, child(path))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

const person = "01017512345"

// recorder has what was recorded.
type recorder struct {
	spans  *tracetest.SpanRecorder
	traces *sdktrace.TracerProvider
	reader *sdkmetric.ManualReader
	meters *sdkmetric.MeterProvider
}

func newRecorder() *recorder {
	r := &recorder{spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader()}
	r.traces = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans))
	r.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader))
	return r
}

func (r *recorder) observer(tb testing.TB, stats func(context.Context) (outbox.Stats, error)) *telemetry.Observer {
	tb.Helper()
	o, err := telemetry.New(telemetry.Config{TracerProvider: r.traces, MeterProvider: r.meters, Stats: stats})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := o.Close(); err != nil {
			tb.Error(err)
		}
	})
	return o
}

// metrics are the sums, counts and gauges that were recorded, by name and attributes.
func (r *recorder) metrics(tb testing.TB) map[string]float64 {
	tb.Helper()
	got, err := r.collect(tb)
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

func (r *recorder) collect(tb testing.TB) (map[string]float64, error) {
	tb.Helper()
	var data metricdata.ResourceMetrics
	err := r.reader.Collect(context.WithoutCancel(tb.Context()), &data)
	got := map[string]float64{}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					got[m.Name+" "+labels(p.Attributes)] = float64(p.Value)
				}
			case metricdata.Gauge[int64]:
				for _, p := range d.DataPoints {
					got[m.Name+" "+labels(p.Attributes)] = float64(p.Value)
				}
			case metricdata.Gauge[float64]:
				for _, p := range d.DataPoints {
					got[m.Name+" "+labels(p.Attributes)] = p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					got[m.Name+" count "+labels(p.Attributes)] = float64(p.Count)
				}
			}
		}
	}
	return got, err
}

func brokerEvent(id string) event.Event {
	ev := event.New()
	ev.SetID(id)
	ev.SetType(models.TypeBrokerPublished)
	ev.SetSource("https://platform.altinn.no/broker/api/v1/filetransfer")
	ev.SetSubject("urn:altinn:person:identifier-no:" + person)
	ev.SetExtension(models.ExtResource, "urn:altinn:resource:files")
	ev.SetExtension(models.ExtResourceInstance, id)
	return ev
}

// One request is one trace: request, publish, every attempt after the queue, and the
// handling of what was pushed.
func TestObserver_OneTrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		sink := testutil.NewSink(t)
		queue := outbox.NewMemory(outbox.Config{})
		observer := r.observer(t, queue.Stats)
		pub := sink.PublisherWithConfig(t, publisher.Config{Queue: queue, Observer: observer})
		sink.Inject(testutil.Fault{Status: http.StatusServiceUnavailable, Times: 1})
		ctx, request := r.traces.Tracer("test").Start(t.Context(), "request")
		if err := pub.Publish(ctx, brokerEvent("e1")); err != nil {
			t.Fatal(err)
		}
		request.End()
		time.Sleep(time.Minute)
		synctest.Wait()
		err := observer.Process(t.Context(), sink.Events()[0], func(context.Context) error { return errors.New("about " + person) })
		if err == nil {
			t.Error("Process swallowed the handler's error")
		}
		var got []string
		parents := map[string]string{}
		for _, s := range r.spans.Ended() {
			parents[s.SpanContext().SpanID().String()] = s.Name()
		}
		for _, s := range r.spans.Ended() {
			if s.SpanContext().TraceID() != request.SpanContext().TraceID() {
				t.Errorf("%s is of another trace", s.Name())
			}
			got = append(got, fmt.Sprintf("%s %s of %q: %s", s.SpanKind(), s.Name(), parents[s.Parent().SpanID().String()], s.Status().Description))
			if text := fmt.Sprint(s.Attributes(), s.Events(), s.Status()); strings.Contains(text, person) {
				t.Errorf("%s has a number: %s", s.Name(), text)
			}
		}
		if diff := cmp.Diff([]string{
			`producer publish of "request": `, `internal request of "": `, `client deliver /events of "publish": 503`,
			`client deliver /events of "publish": `, `consumer process of "publish": handler`,
		}, got); diff != "" {
			t.Errorf("spans (-want +got):\n%s", diff)
		}
		if parent, _ := sink.Events()[0].Extensions()["traceparent"].(string); !strings.Contains(parent, request.SpanContext().TraceID().String()) {
			t.Errorf("the event's traceparent is %q", parent)
		}
	})
}

func TestObserver_Metrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		sink := testutil.NewSink(t)
		queue := outbox.NewMemory(outbox.Config{})
		pub := sink.PublisherWithConfig(t, publisher.Config{Queue: queue, Observer: r.observer(t, queue.Stats)})
		publish := func(ev event.Event) { _ = pub.Publish(t.Context(), ev); synctest.Wait() }
		publish(brokerEvent("e1"))
		sink.Inject(testutil.Fault{Status: http.StatusServiceUnavailable, Times: 1})
		publish(brokerEvent("e2"))
		time.Sleep(time.Minute)
		sink.Inject(testutil.Fault{Status: http.StatusBadRequest, Times: 1})
		publish(brokerEvent("e3"))
		bad := brokerEvent("e4")
		bad.SetType("no.altinn.broker.Published")
		publish(bad)
		moved := models.App{Org: "ttd", Name: "a"}.MovedTo(models.Instance{
			ID: "1/428a4575-2c04-4400-89a3-1aaadd2579cd", InstanceOwner: models.InstanceOwner{PartyID: "1"},
		}, "Task_"+person)
		publish(moved)
		sink.Inject(testutil.Fault{Hang: true})
		publish(brokerEvent("e5"))
		time.Sleep(5 * time.Second)
		got := r.metrics(t)
		const broker = "cloudevents.event_type=no.altinn.broker.published,messaging.destination.name=/events"
		want := map[string]float64{
			"altinn.events.published altinn.outcome=accepted,altinn.queue=events,cloudevents.event_type=no.altinn.broker.published":                                                                                                                                4,
			"altinn.events.published altinn.outcome=invalid,altinn.queue=events,cloudevents.event_type=other":                                                                                                                                                      1,
			"altinn.events.published altinn.outcome=accepted,altinn.queue=events,cloudevents.event_type=app.instance.process.movedTo":                                                                                                                              1,
			"messaging.client.sent.messages altinn.queue=events," + broker + ",messaging.operation.name=deliver,messaging.operation.type=send,messaging.system=altinn_events":                                                                                      2,
			"messaging.client.sent.messages altinn.queue=events,cloudevents.event_type=app.instance.process.movedTo,messaging.destination.name=/app,messaging.operation.name=deliver,messaging.operation.type=send,messaging.system=altinn_events":                 1,
			"messaging.client.sent.messages altinn.queue=events,cloudevents.event_type=no.altinn.broker.published,error.type=503,messaging.destination.name=/events,messaging.operation.name=deliver,messaging.operation.type=send,messaging.system=altinn_events": 1,
			"messaging.client.sent.messages altinn.queue=events,cloudevents.event_type=no.altinn.broker.published,error.type=400,messaging.destination.name=/events,messaging.operation.name=deliver,messaging.operation.type=send,messaging.system=altinn_events": 1,
			"altinn.events.retried altinn.queue=events,cloudevents.event_type=no.altinn.broker.published,error.type=503,messaging.destination.name=/events":                                                                                                        1,
			"altinn.events.discarded altinn.queue=events,cloudevents.event_type=no.altinn.broker.published,error.type=400,messaging.destination.name=/events":                                                                                                      1,
			"messaging.client.operation.duration count altinn.queue=events,messaging.destination.name=/events,messaging.operation.name=deliver,messaging.operation.type=send,messaging.system=altinn_events":                                                       2,
			"messaging.client.operation.duration count altinn.queue=events,error.type=503,messaging.destination.name=/events,messaging.operation.name=deliver,messaging.operation.type=send,messaging.system=altinn_events":                                        1,
			"messaging.client.operation.duration count altinn.queue=events,error.type=400,messaging.destination.name=/events,messaging.operation.name=deliver,messaging.operation.type=send,messaging.system=altinn_events":                                        1,
			"messaging.client.operation.duration count altinn.queue=events,messaging.destination.name=/app,messaging.operation.name=deliver,messaging.operation.type=send,messaging.system=altinn_events":                                                          1,
			"altinn.events.lag count altinn.queue=events,messaging.destination.name=/events":                                                                                                                                                                       2,
			"altinn.events.lag count altinn.queue=events,messaging.destination.name=/app":                                                                                                                                                                          1,
			"altinn.events.queue.depth altinn.queue.state=pending,altinn.queue=events":                                                                                                                                                                             0,
			"altinn.events.queue.depth altinn.queue.state=sending,altinn.queue=events":                                                                                                                                                                             1,
			"altinn.events.queue.depth altinn.queue.state=delivered,altinn.queue=events":                                                                                                                                                                           0,
			"altinn.events.queue.depth altinn.queue.state=discarded,altinn.queue=events":                                                                                                                                                                           1,

			"altinn.events.queue.oldest.age altinn.queue=events": 5,
			"altinn.events.queue.readable altinn.queue=events":   1,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
		sink.LiftFaults()
		sink.Close()
	})
}

// Each span has the id of its own event, though what a span begins with is used again.
func TestObserver_IDs(t *testing.T) {
	t.Parallel()
	r := newRecorder()
	sink := testutil.NewSink(t)
	observer := r.observer(t, nil)
	pub := sink.PublisherWithConfig(t, publisher.Config{Observer: observer})
	var group sync.WaitGroup
	for n := range 50 {
		group.Go(func() {
			ev := brokerEvent(fmt.Sprint("e", n))
			if err := pub.Publish(t.Context(), ev); err != nil {
				t.Error(err)
			}
			if err := observer.Process(t.Context(), ev, func(context.Context) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	got := map[string]int{}
	for _, s := range r.spans.Ended() {
		for _, a := range s.Attributes() {
			if a.Key == "messaging.message.id" {
				got[s.SpanKind().String()+" "+a.Value.AsString()]++
			}
		}
	}
	want := map[string]int{}
	for n := range 50 {
		for _, kind := range []string{"producer", "client", "consumer"} {
			want[fmt.Sprint(kind, " e", n)] = 1
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
}

// A trace parent that an event has already is that of whoever made it, and stays.
func TestObserver_KeepsTraceParent(t *testing.T) {
	t.Parallel()
	r := newRecorder()
	sink := testutil.NewSink(t)
	observer := r.observer(t, nil)
	pub := sink.PublisherWithConfig(t, publisher.Config{Observer: observer})
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ev := brokerEvent("e1")
	ev.SetExtension("traceparent", parent)
	if err := pub.Publish(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	if got := sink.Events()[0].Extensions()["traceparent"]; got != parent {
		t.Errorf("traceparent is %v, want %s", got, parent)
	}
	ctx, push := r.traces.Tracer("test").Start(t.Context(), "push")
	if err := observer.Process(ctx, ev, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	push.End()
	linked := map[string]string{}
	for _, s := range r.spans.Ended() {
		for _, l := range s.Links() {
			linked[s.Name()] = l.SpanContext.SpanID().String()
		}
	}
	if diff := cmp.Diff(map[string]string{"publish": "b7ad6b7169203331", "process": push.SpanContext().SpanID().String()}, linked); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

// What is called a trace parent and is none does not tear the trace: publish is no link
// to its own request, and the delivery stays a child of publish.
func TestObserver_MalformedTraceParent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		sink := testutil.NewSink(t)
		observer := r.observer(t, nil)
		pub := sink.PublisherWithConfig(t, publisher.Config{Queue: outbox.NewMemory(outbox.Config{}), Observer: observer})
		ctx, request := r.traces.Tracer("test").Start(t.Context(), "request")
		ev := brokerEvent("e1")
		ev.SetExtension("traceparent", "16035001577")
		if err := pub.Publish(ctx, ev); err != nil {
			t.Fatal(err)
		}
		request.End()
		synctest.Wait()
		ctx, push := r.traces.Tracer("test").Start(t.Context(), "push")
		if err := observer.Process(ctx, ev, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		push.End()
		if diff := cmp.Diff(map[string]string{
			"request": "", "publish": "request", "deliver /events": "publish", "push": "", "process": "push",
		}, parents(t, r.spans.Ended())); diff != "" {
			t.Errorf("parents (-want +got):\n%s", diff)
		}
		for _, s := range r.spans.Ended() {
			if len(s.Links()) != 0 {
				t.Errorf("%s has links %v", s.Name(), s.Links())
			}
		}
		if got, _ := sink.Events()[0].Extensions()["traceparent"].(string); !strings.Contains(got, request.SpanContext().TraceID().String()) {
			t.Errorf("the event's traceparent is %q", got)
		}
	})
}

// With a queue, an event's own trace parent is what the queue carries.
func TestObserver_KeepsTraceParentInQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		pub := testutil.NewSink(t).PublisherWithConfig(t, publisher.Config{Queue: outbox.NewMemory(outbox.Config{}), Observer: r.observer(t, nil)})
		ev := brokerEvent("e1")
		ev.SetExtension("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		if err := pub.Publish(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if diff := cmp.Diff(map[string]string{"publish": "", "deliver /events": "b7ad6b7169203331"}, parents(t, r.spans.Ended())); diff != "" {
			t.Errorf("parents (-want +got):\n%s", diff)
		}
	})
}

// parents are the parents of spans by name; of one that was not recorded, the id.
func parents(t *testing.T, spans []sdktrace.ReadOnlySpan) map[string]string {
	t.Helper()
	names := map[trace.SpanID]string{}
	for _, s := range spans {
		names[s.SpanContext().SpanID()] = s.Name()
	}
	got := map[string]string{}
	for _, s := range spans {
		parent := names[s.Parent().SpanID()]
		if parent == "" && s.Parent().IsValid() {
			parent = s.Parent().SpanID().String()
		}
		if _, twice := got[s.Name()]; twice {
			t.Errorf("%s twice", s.Name())
		}
		got[s.Name()] = parent
	}
	return got
}

// A handler that panics has failed, in its span and in metrics, and goes on panicking.
func TestObserver_ProcessPanics(t *testing.T) {
	t.Parallel()
	r := newRecorder()
	observer := r.observer(t, nil)
	func() {
		defer func() {
			if got := recover(); got != "about "+person {
				t.Errorf("panicked with %v", got)
			}
		}()
		_ = observer.Process(t.Context(), brokerEvent("e1"), func(context.Context) error { panic("about " + person) })
	}()
	span := r.spans.Ended()[0]
	if status := span.Status(); status.Code != codes.Error || status.Description != "handler" || len(span.Events()) != 0 {
		t.Errorf("the span ends as %v, with events %v", status, span.Events())
	}
	if got := fmt.Sprint(span.Attributes()); !strings.Contains(got, "error.type") || strings.Contains(got, person) {
		t.Errorf("the span has %s", got)
	}
	for series := range r.metrics(t) {
		if !strings.Contains(series, "error.type=handler") {
			t.Errorf("series %s", series)
		}
	}
}

// What is counted as accepted is what Publish and PublishTx told their callers.
func TestObserver_Accepted(t *testing.T) {
	t.Parallel()
	r := newRecorder()
	observer := r.observer(t, nil)
	db, err := sqlite.OpenDB(filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	queue, err := sqlite.New(db, sqlite.Config{Observer: observer})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(queue.Close(context.WithoutCancel(t.Context())), db.Close()); err != nil {
			t.Error(err)
		}
	}()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(queue.PublishTx(t.Context(), tx, brokerEvent("e1")), tx.Rollback()); err != nil {
		t.Fatal(err)
	}
	pub := testutil.NewSink(t).PublisherWithConfig(t, publisher.Config{Observer: observer})
	if err := pub.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := pub.Publish(t.Context(), brokerEvent("e2")); !errors.Is(err, publisher.ErrClosed) {
		t.Errorf("Publish after Close: %v", err)
	}
	if diff := cmp.Diff(map[string]float64{
		"altinn.events.published altinn.outcome=accepted,altinn.queue=events,cloudevents.event_type=no.altinn.broker.published": 1,
	}, r.metrics(t)); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// What an event does not have is no attribute.
func TestObserver_EmptyAttributes(t *testing.T) {
	t.Parallel()
	r := newRecorder()
	observer := r.observer(t, nil)
	pub := testutil.NewSink(t).PublisherWithConfig(t, publisher.Config{Observer: observer})
	for _, ev := range []event.Event{{}, brokerEvent(""), brokerEvent("e1")} {
		_ = pub.Publish(t.Context(), ev)
		if err := observer.Process(t.Context(), ev, func(context.Context) error { return nil }); err != nil {
			t.Error(err)
		}
	}
	for _, s := range r.spans.Ended() {
		for _, a := range s.Attributes() {
			if a.Value.String() == "" {
				t.Errorf("%s has an empty %s", s.Name(), a.Key)
			}
		}
	}
}

// What keeps the queue from being read is told without its words' numbers, and a gauge
// says so to those who see no more than metrics.
func TestObserver_StatsFail(t *testing.T) {
	t.Parallel()
	r := newRecorder()
	r.observer(t, func(context.Context) (outbox.Stats, error) {
		return outbox.Stats{}, errors.New("no disk for " + person)
	})
	got, err := r.collect(t)
	if err == nil || !strings.Contains(err.Error(), "queue depth: no disk") || strings.Contains(err.Error(), person) {
		t.Errorf("Collect: %v", err)
	}
	if diff := cmp.Diff(map[string]float64{"altinn.events.queue.readable altinn.queue=events": 0}, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// A queue that hangs does not keep metrics from being collected.
func TestObserver_StatsHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		r.observer(t, func(ctx context.Context) (outbox.Stats, error) {
			<-ctx.Done()
			return outbox.Stats{}, ctx.Err()
		})
		began := time.Now()
		got, err := r.collect(t)
		if took := time.Since(began); took != 2*time.Second || err == nil {
			t.Errorf("Collect took %v and returned %v", took, err)
		}
		if readable, ok := got["altinn.events.queue.readable altinn.queue=events"]; !ok || readable != 0 {
			t.Errorf("metrics are %v", got)
		}
	})
}

// Without providers nothing is allocated, and Publish allocates what it does without an
// Observer.
func TestObserver_NothingToRecord(t *testing.T) { //nolint:paralleltest // it counts the process's allocations
	o, err := telemetry.New(telemetry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, ev := t.Context(), brokerEvent("e1")
	item := outbox.Item{ID: "e1", Type: ev.Type(), Endpoint: "/events", Attempt: 1}
	if n := testing.AllocsPerRun(1000, func() {
		published, _ := o.Publishing(ctx, ev)
		o.Published(published, item, nil)
		delivering := o.Delivering(ctx, item)
		o.Retried(delivering, item, publisher.ErrUnavailable, time.Time{})
		o.Discarded(delivering, item, publisher.ErrRejected)
		o.Delivered(delivering, item)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	of := func(o publisher.Observer) float64 {
		pub, err := publisher.New(sendFunc(func(context.Context, outbox.Item) error { return nil }), publisher.Config{Observer: o})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = pub.Close(ctx) }()
		return testing.AllocsPerRun(1000, func() {
			if err := pub.Publish(ctx, ev); err != nil {
				t.Fatal(err)
			}
		})
	}
	if without, off := of(nil), of(o); without != off {
		t.Errorf("Publish allocates %v times, and %v without an Observer", off, without)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

// labels are attributes as text, in order of their names.
func labels(set attribute.Set) string {
	all := make([]string, 0, set.Len())
	for _, a := range set.ToSlice() {
		all = append(all, string(a.Key)+"="+a.Value.String())
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}
