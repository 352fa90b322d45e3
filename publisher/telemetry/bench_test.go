//go:build unix

package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
	"github.com/altinn-go/events/testutil"
)

// What telemetry costs a publish: to a sink in process, which does least beside it, over
// a socket, and into a queue on disk.
//
// Three publishers take turns of 512 events, 64 at a time, in all six orders. One is without an Observer. One has an Observer that gives every event a trace
// parent and does nothing else: its events are as long as those of the third, for to a
// sink in process an event with one more attribute is dearer by a fifth. The third has
// telemetry, with OpenTelemetry's own SDK: every span sampled and handed to the batch
// processor, whose exporter does nothing, and every metric aggregated.
//
// The cost of a turn is the CPU time, user and system, that the process used in it: the
// SDK's goroutines and the garbage collector count. A turn ends when its events are
// delivered, its spans exported and its garbage collected, so that none of it is another's
// cost. Ratios are of each publisher's tenth
// percentile, which what else runs on the machine disturbs least. The goal is 1.3 for
// events of one length (on/same); on/off has the longer event in it too. With them come
// the allocations of an event. Take 100 turns or more:
//
//	go test ./publisher/telemetry -run xxx -bench Publish -benchtime 100x
func BenchmarkPublish(b *testing.B) {
	b.Run("InProcess", func(b *testing.B) { compare(b, inProcess) })
	b.Run("Socket", func(b *testing.B) { compare(b, overSocket) })
	b.Run("SQLite", func(b *testing.B) { compare(b, intoFile) })
}

// side is a publisher, and what waits until its events are delivered.
type side struct {
	*publisher.Publisher

	settle func(context.Context) error
}

// orders are all of three sides.
var orders = [...][3]int{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}, {0, 2, 1}, {2, 1, 0}, {1, 0, 2}}

func compare(b *testing.B, open func(*testing.B, publisher.Observer) side) {
	b.Helper()
	r := newRecorder()
	r.traces = sdktrace.NewTracerProvider(sdktrace.WithBatcher(tracetest.NewNoopExporter()))
	b.Cleanup(func() { _ = r.traces.Shutdown(context.WithoutCancel(b.Context())) })
	sides := [...]side{open(b, publisher.NopObserver{}), open(b, parentOnly{}), open(b, r.observer(b, nil))}
	const turn, inFlight = 512, 64
	rounds := 0
	var allocs [len(sides)]uint64
	var costs [len(sides)][]time.Duration
	for b.Loop() {
		for _, side := range orders[rounds%len(orders)] {
			before, began := mallocs(), cpuTime()
			var group sync.WaitGroup
			for n := range inFlight {
				group.Go(func() {
					for i := range turn / inFlight {
						id := fmt.Sprintf("e-%d-%d-%d", rounds, n, i)
						if err := sides[side].Publish(b.Context(), brokerEvent(id)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			group.Wait()
			if err := errors.Join(sides[side].settle(b.Context()), r.traces.ForceFlush(b.Context())); err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			costs[side] = append(costs[side], cpuTime()-began)
			allocs[side] += mallocs() - before
		}
		rounds++
	}
	quiet := func(side int) float64 { return float64(slices.Sorted(slices.Values(costs[side]))[rounds/10]) }
	each := func(side int) float64 { return float64(allocs[side]) / float64(rounds*turn) }
	b.ReportMetric(quiet(2)/quiet(1), "on/same")
	b.ReportMetric(quiet(2)/quiet(0), "on/off")
	b.ReportMetric(each(0), "allocs-off/event")
	b.ReportMetric(each(1), "allocs-same/event")
	b.ReportMetric(each(2), "allocs-on/event")
}

// parentOnly gives every event a trace parent, and records nothing.
type parentOnly struct{ publisher.NopObserver }

func (parentOnly) Publishing(ctx context.Context, _ event.Event) (context.Context, string) {
	return ctx, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
}

func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// settled is for publishers without a queue: what they have published is delivered.
func settled(context.Context) error { return nil }

// smallSink keeps few events, so that collecting garbage does not cost more than
// publishing.
func smallSink(b *testing.B) *testutil.Sink {
	b.Helper()
	return testutil.NewSinkWithConfig(b, testutil.SinkConfig{MaxEvents: 512})
}

func inProcess(b *testing.B, o publisher.Observer) side {
	b.Helper()
	return side{smallSink(b).PublisherWithConfig(b, publisher.Config{Observer: o}), settled}
}

func overSocket(b *testing.B, o publisher.Observer) side {
	b.Helper()
	sink := smallSink(b)
	client, err := altinn.NewClient(sink.URL(), altinn.Config{Credentials: sink.Credentials()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.CloseIdleConnections)
	return side{closed(b, client, publisher.Config{Observer: o}), settled}
}

func intoFile(b *testing.B, o publisher.Observer) side {
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
	pub := closed(b, sendFunc(func(context.Context, outbox.Item) error { return nil }), publisher.Config{Queue: queue, Observer: o})
	return side{pub, queue.Drain}
}

// closed is a publisher that is closed at the end.
func closed(b *testing.B, sender publisher.Sender, cfg publisher.Config) *publisher.Publisher {
	b.Helper()
	pub, err := publisher.New(sender, cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = pub.Close(context.WithoutCancel(b.Context())) })
	return pub
}
