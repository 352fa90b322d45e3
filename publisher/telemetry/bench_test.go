//go:build unix

package telemetry_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

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
// Two publishers that are alike but for the Observer take turns of 1024 events, 64 at a
// time, every second pair in the other order, so that whatever disturbs the machine
// disturbs both. On is OpenTelemetry's own SDK: every span sampled and handed to the batch
// processor, whose exporter does nothing, and every metric aggregated. A ratio is the CPU
// time, user and system, that the process used in a turn with telemetry, over that of its
// partner without: the SDK's goroutines and the garbage collector count. Reported are the
// median of all pairs, and allocations of an event with and without. The goal is a ratio
// of 1.3.
func BenchmarkPublish(b *testing.B) {
	b.Run("InProcess", func(b *testing.B) { compare(b, inProcess) })
	b.Run("Socket", func(b *testing.B) { compare(b, overSocket) })
	b.Run("SQLite", func(b *testing.B) { compare(b, intoFile) })
}

func compare(b *testing.B, open func(*testing.B, publisher.Observer) *publisher.Publisher) {
	b.Helper()
	r := newRecorder()
	r.traces = sdktrace.NewTracerProvider(sdktrace.WithBatcher(tracetest.NewNoopExporter()))
	b.Cleanup(func() { _ = r.traces.Shutdown(context.WithoutCancel(b.Context())) })
	sides := [2]*publisher.Publisher{open(b, publisher.NopObserver{}), open(b, r.observer(b, nil))}
	const turn, inFlight = 1024, 64
	turns := 0
	var allocs [2]uint64
	var ratios []float64
	for b.Loop() {
		var took [2]time.Duration
		for i := range sides {
			side := (turns + i) % 2
			before := mallocs()
			began := cpuTime()
			var group sync.WaitGroup
			for n := range inFlight {
				group.Go(func() {
					for i := range turn / inFlight {
						id := fmt.Sprintf("e-%d-%d-%d", turns, n, i)
						if err := sides[side].Publish(b.Context(), brokerEvent(id)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			group.Wait()
			took[side] = cpuTime() - began
			allocs[side] += mallocs() - before
		}
		turns++
		ratios = append(ratios, float64(took[1])/float64(took[0]))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "on/off")
	b.ReportMetric(float64(allocs[0])/float64(turns*turn), "allocs-off/event")
	b.ReportMetric(float64(allocs[1])/float64(turns*turn), "allocs-on/event")
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

func inProcess(b *testing.B, o publisher.Observer) *publisher.Publisher {
	b.Helper()
	return testutil.NewSink(b).PublisherWithConfig(b, publisher.Config{Observer: o})
}

func overSocket(b *testing.B, o publisher.Observer) *publisher.Publisher {
	b.Helper()
	sink := testutil.NewSink(b)
	client, err := altinn.NewClient(sink.URL(), altinn.Config{Credentials: sink.Credentials()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.CloseIdleConnections)
	return closed(b, client, publisher.Config{Observer: o})
}

func intoFile(b *testing.B, o publisher.Observer) *publisher.Publisher {
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
	return closed(b, sendFunc(func(context.Context, outbox.Item) error { return nil }), publisher.Config{Queue: queue, Observer: o})
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
