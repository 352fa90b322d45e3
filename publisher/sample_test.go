package publisher_test

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/testutil"
)

// When the endpoint goes away with a thousand events in the queue, ten lines a second
// say so, and one how many more there would have been; at Debug all are there.
func TestPublisher_LogsInAStorm(t *testing.T) {
	t.Parallel()
	for _, level := range []slog.Level{slog.LevelInfo, slog.LevelDebug} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			sink := testutil.NewSink(t)
			queue := outbox.NewMemory(outbox.Config{Workers: 1})
			pub := sink.PublisherWithConfig(t, publisher.Config{
				Queue: queue, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level})),
			})
			sink.Inject(testutil.Fault{Status: 503, Times: 1000})
			for n := range 1000 {
				if err := pub.Publish(t.Context(), stormEvent(n)); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Hour)
			sink.Inject(testutil.Fault{Status: 503, Times: 1})
			if err := pub.Publish(t.Context(), stormEvent(1000)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			failures := strings.Count(log.String(), "event not delivered, will be retried")
			if level == slog.LevelInfo && (failures > 30 || !strings.Contains(log.String(), "suppressed=990")) || level == slog.LevelDebug && failures < 1000 {
				t.Errorf("%v: %d lines about failures", level, failures)
			}
			if n := len(sink.Events()); n != 1001 {
				t.Errorf("%d events have arrived", n)
			}
		})
	}
}

func stormEvent(n int) event.Event {
	ev := generic()
	ev.SetID("storm-" + strconv.Itoa(n))
	ev.SetExtension("resourceinstance", strconv.Itoa(n))
	return ev
}
