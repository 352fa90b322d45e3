package telemetry_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/telemetry"
	"github.com/altinn-go/events/testutil"
)

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

// However many types, tasks and ids of events there are, metrics and names of spans are
// as few as before.
func TestObserver_Cardinality(t *testing.T) {
	t.Parallel()
	r := newRecorder()
	sink := testutil.NewSink(t)
	observer := r.observer(t, nil)
	pub := sink.PublisherWithConfig(t, publisher.Config{Observer: observer})
	app := models.App{Org: "ttd", Name: "apps-test"}
	publish := func(n int) {
		ev := brokerEvent(fmt.Sprint("e", n))
		ev.SetType(fmt.Sprint("made.up.", n))
		moved := app.MovedTo(models.Instance{
			ID: fmt.Sprintf("1/428a4575-2c04-4400-89a3-%012d", n), InstanceOwner: models.InstanceOwner{PartyID: "1"},
		}, fmt.Sprint("Task_", n))
		if err := pub.Publish(t.Context(), ev, moved); err != nil {
			t.Fatal(err)
		}
		if err := observer.Process(t.Context(), ev, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		sink.Inject(testutil.Fault{Status: http.StatusBadRequest, Times: 1})
		if err := pub.Publish(t.Context(), ev); err == nil {
			t.Fatal("a refused event was published")
		}
	}
	publish(0)
	before := len(r.metrics(t))
	for n := range 1000 {
		publish(n + 1)
	}
	got := r.metrics(t)
	if len(got) != before || before > 20 {
		t.Errorf("%d series after one of each, %d after a thousand", before, len(got))
	}
	for series := range got {
		if strings.Contains(series, "made.up") || strings.Contains(series, "Task_") {
			t.Errorf("series %s", series)
		}
	}
	names := map[string]bool{}
	for _, s := range r.spans.Ended() {
		names[s.Name()] = true
		for _, a := range s.Attributes() {
			if text := a.Value.AsString(); strings.Contains(text, "made.up") || strings.Contains(text, "Task_") {
				t.Fatalf("%s has %s", s.Name(), text)
			}
		}
	}
	if len(names) != 4 {
		t.Errorf("names of spans are %v", names)
	}
}
