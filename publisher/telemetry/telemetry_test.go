package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
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
	var data metricdata.ResourceMetrics
	if err := r.reader.Collect(tb.Context(), &data); err != nil {
		tb.Fatal(err)
	}
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
	return got
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
			`client deliver /events of "publish": `, `consumer process of "publish": other`,
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
			"altinn.events.published altinn.outcome=accepted,altinn.queue=events,cloudevents.event_type=no.altinn.broker.published":                                                                                  4,
			"altinn.events.published altinn.outcome=invalid,altinn.queue=events,cloudevents.event_type=other":                                                                                                        1,
			"altinn.events.published altinn.outcome=accepted,altinn.queue=events,cloudevents.event_type=app.instance.process.movedTo":                                                                                1,
			"messaging.client.sent.messages altinn.queue=events," + broker + ",messaging.operation.name=deliver,messaging.system=altinn_events":                                                                      2,
			"messaging.client.sent.messages altinn.queue=events,cloudevents.event_type=app.instance.process.movedTo,messaging.destination.name=/app,messaging.operation.name=deliver,messaging.system=altinn_events": 1,
			"altinn.events.retried altinn.queue=events,cloudevents.event_type=no.altinn.broker.published,error.type=503,messaging.destination.name=/events":                                                          1,
			"altinn.events.discarded altinn.queue=events,cloudevents.event_type=no.altinn.broker.published,error.type=400,messaging.destination.name=/events":                                                        1,
			"messaging.client.operation.duration count altinn.queue=events,messaging.destination.name=/events,messaging.operation.name=deliver,messaging.system=altinn_events":                                       2,
			"messaging.client.operation.duration count altinn.queue=events,error.type=503,messaging.destination.name=/events,messaging.operation.name=deliver,messaging.system=altinn_events":                        1,
			"messaging.client.operation.duration count altinn.queue=events,error.type=400,messaging.destination.name=/events,messaging.operation.name=deliver,messaging.system=altinn_events":                        1,
			"messaging.client.operation.duration count altinn.queue=events,messaging.destination.name=/app,messaging.operation.name=deliver,messaging.system=altinn_events":                                          1,
			"altinn.events.lag count altinn.queue=events,messaging.destination.name=/events":                                                                                                                         2,
			"altinn.events.lag count altinn.queue=events,messaging.destination.name=/app":                                                                                                                            1,
			"altinn.events.queue.depth altinn.queue.state=pending,altinn.queue=events":                                                                                                                               0,
			"altinn.events.queue.depth altinn.queue.state=sending,altinn.queue=events":                                                                                                                               1,
			"altinn.events.queue.depth altinn.queue.state=delivered,altinn.queue=events":                                                                                                                             0,
			"altinn.events.queue.depth altinn.queue.state=discarded,altinn.queue=events":                                                                                                                             1,
			"altinn.events.queue.oldest.age altinn.queue=events":                                                                                                                                                     5,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
		sink.LiftFaults()
		sink.Close()
	})
}

func TestKnownType(t *testing.T) {
	t.Parallel()
	for eventType, want := range map[string]string{
		"app.instance.created": "app.instance.created", "app.instance.process.movedTo.Task_1": "app.instance.process.movedTo",
		"no.altinn.broker.published": "no.altinn.broker.published", "no.altinn.broker.Published": "other", "": "other", "my.own": "other",
	} {
		if got := telemetry.KnownType(eventType); got != want {
			t.Errorf("KnownType(%q) = %q, want %q", eventType, got, want)
		}
	}
}

// Without providers nothing is allocated.
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
		o.Delivered(delivering, item)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stats outbox.Stats
		var failure error
		relaying := true
		h := telemetry.Health(telemetry.HealthConfig{
			Stats:    func(context.Context) (outbox.Stats, error) { return stats, failure },
			Relaying: func() bool { return relaying }, MaxAge: time.Minute,
		})
		check := func(name string, status int, want map[string]any) {
			t.Helper()
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
			var got map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != status {
				t.Errorf("%s: %d, %v", name, w.Code, err)
			}
			for member, value := range want {
				if got[member] != value {
					t.Errorf("%s: %s is %v, want %v", name, member, got[member], value)
				}
			}
		}
		stats = outbox.Stats{Pending: 3, Sending: 1, Discarded: 2, OldestPending: time.Now()}
		check("fresh", 200, map[string]any{"status": "ok", "pending": 3.0, "sending": 1.0, "discarded": 2.0, "relaying": true})
		time.Sleep(61 * time.Second)
		check("old", 503, map[string]any{"status": "failing", "reason": "the oldest event waits longer than 1m0s", "oldestAgeSeconds": 61.0})
		stats = outbox.Stats{}
		check("empty", 200, map[string]any{"status": "ok", "oldestAgeSeconds": 0.0})
		relaying = false
		check("stopped", 503, map[string]any{"reason": "no events are being delivered", "relaying": false})
		relaying, failure = true, errors.New("password of "+person)
		check("unreadable", 503, map[string]any{"reason": "the queue cannot be read"})
	})
}

// The publisher says whether it relays.
func TestPublisher_Relaying(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := testutil.NewSink(t)
		for _, cfg := range []publisher.Config{{}, {Queue: outbox.NewMemory(outbox.Config{})}} {
			pub := sink.PublisherWithConfig(t, cfg)
			if !pub.Relaying() {
				t.Error("a new publisher does not relay")
			}
			if err := pub.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if pub.Relaying() {
				t.Error("a closed publisher relays")
			}
		}
	})
}

// What telemetry costs a publish: to a sink in process, which does least beside it, over
// a socket, and into a queue on disk.
func BenchmarkPublish(b *testing.B) {
	ways := map[string]func(*testing.B, publisher.Observer) *publisher.Publisher{
		"InProcess": func(b *testing.B, o publisher.Observer) *publisher.Publisher {
			b.Helper()
			return testutil.NewSink(b).PublisherWithConfig(b, publisher.Config{Observer: o})
		},
		"Socket": func(b *testing.B, o publisher.Observer) *publisher.Publisher {
			b.Helper()
			sink := testutil.NewSink(b)
			client, err := altinn.NewClient(sink.URL(), altinn.Config{Credentials: sink.Credentials()})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(client.CloseIdleConnections)
			pub, err := publisher.New(client, publisher.Config{Observer: o})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = pub.Close(context.WithoutCancel(b.Context())) })
			return pub
		},
		"SQLite": func(b *testing.B, o publisher.Observer) *publisher.Publisher {
			b.Helper()
			db, err := sqlite.OpenDB(filepath.Join(b.TempDir(), "events.db"))
			if err != nil {
				b.Fatal(err)
			}
			queue, err := sqlite.New(db, sqlite.Config{})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _, _ = queue.Close(context.WithoutCancel(b.Context())), db.Close() })
			pub, err := publisher.New(sendFunc(func(context.Context, outbox.Item) error { return nil }), publisher.Config{Queue: queue, Observer: o})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = pub.Close(context.WithoutCancel(b.Context())) })
			return pub
		},
	}
	for _, way := range slices.Sorted(maps.Keys(ways)) {
		for _, on := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/%t", way, on), func(b *testing.B) {
				var observer publisher.Observer = publisher.NopObserver{}
				if on {
					r := newRecorder()
					r.traces = sdktrace.NewTracerProvider(sdktrace.WithBatcher(tracetest.NewNoopExporter()))
					b.Cleanup(func() { _ = r.traces.Shutdown(context.WithoutCancel(b.Context())) })
					observer = r.observer(b, nil)
				}
				pub := ways[way](b, observer)
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					n++
					if err := pub.Publish(b.Context(), brokerEvent("e"+strconv.Itoa(n))); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
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
