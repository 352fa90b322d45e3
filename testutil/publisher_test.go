package testutil_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/testutil"
)

// instanceCreated is the seed's example.
func instanceCreated() event.Event {
	return models.App{Org: "ttd", Name: "apps-test"}.Created(models.Instance{
		ID:            "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
		InstanceOwner: models.InstanceOwner{PartyID: "50019855", PersonNumber: "01017512345"},
	})
}

// instancesCreated are events of n instances of as many apps.
func instancesCreated(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = models.App{Org: "ttd", Name: fmt.Sprintf("app-%d", i)}.Created(models.Instance{
			ID:            fmt.Sprintf("50019855/428a4575-2c04-4400-89a3-%012x", i),
			InstanceOwner: models.InstanceOwner{PartyID: "50019855"},
		})
	}
	return events
}

func TestSink_Publisher(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSink(t)
	broker := models.Broker{PlatformURL: "https://platform.tt02.altinn.no"}
	sent := broker.Events(models.TypeBrokerFilePurged, models.FileTransfer{
		ID: "da4ceacc-ad44-4e54-99b6-b58e3c13c785", ResourceID: "altinn-broker-test-resource-1",
		Sender: "0192:991825827", SenderPartyID: "50015641",
	})
	// Apps of any name, and what is no app's.
	if err := sink.Publisher(t).Publish(t.Context(), append(instancesCreated(3), sent...)...); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		sink.Require(t, testutil.Want{Resource: fmt.Sprintf("urn:altinn:resource:app_ttd_app-%d", i)})
	}
	sink.Require(t, testutil.Want{ID: sent[0].ID(), Type: "no.altinn.broker.filepurged", Subject: "/party/50015641"})
}

func TestSink_PublisherWithConfig(t *testing.T) {
	t.Parallel()
	t.Run("DeliversAllAfterAnHourOfFaults", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			sink := testutil.NewSink(t)
			queue := outbox.NewMemory(outbox.Config{})
			t.Cleanup(func() { _ = queue.Close(context.WithoutCancel(t.Context())) })
			pub := sink.PublisherWithConfig(t, publisher.Config{Queue: queue})
			time.AfterFunc(time.Hour, sink.Inject(testutil.Fault{Status: 503}))

			events := instancesCreated(20)
			if err := pub.Publish(t.Context(), events...); err != nil {
				t.Fatal(err)
			}
			sink.RequireNone(t, testutil.Want{}, time.Hour-time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			for _, ev := range events {
				sink.Eventually(ctx, t, testutil.Want{Source: ev.Source()})
			}
		})
	})

	t.Run("LogsWhatIsLeftWhenTheTestEnds", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			tb := record(t, func(tb *recordingTB) {
				sink := testutil.NewSink(tb)
				queue := outbox.NewMemory(outbox.Config{})
				tb.Cleanup(func() { _ = queue.Close(context.WithoutCancel(tb.Context())) })
				pub := sink.PublisherWithConfig(tb, publisher.Config{Queue: queue})
				sink.Inject(testutil.Fault{Hang: true})
				if err := pub.Publish(tb.Context(), instanceCreated()); err != nil {
					tb.Fatal(err)
				}
			})
			if tb.ended || !strings.Contains(tb.logged, "sink's publisher: close: ") {
				t.Errorf("failure %q, log %q; want a log", tb.failure, tb.logged)
			}
		})
	})

	t.Run("FailsTheTestForABadConfig", func(t *testing.T) {
		t.Parallel()
		tb := record(t, func(tb *recordingTB) {
			testutil.NewSink(tb).PublisherWithConfig(tb, publisher.Config{TryTimeout: -1})
		})
		if !strings.Contains(tb.failure, "TryTimeout") {
			t.Errorf("failure is %q, want it to name TryTimeout", tb.failure)
		}
	})

	t.Run("IsClosedWithTheTest", func(t *testing.T) {
		t.Parallel()
		var pub *publisher.Publisher
		record(t, func(tb *recordingTB) { pub = testutil.NewSink(tb).Publisher(tb) })
		if err := pub.Publish(t.Context(), instanceCreated()); !errors.Is(err, publisher.ErrClosed) {
			t.Errorf("error is %v, want ErrClosed", err)
		}
	})
}
