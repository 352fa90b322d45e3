package inspector_test

import (
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/testutil/inspector"
)

func TestAttributes(t *testing.T) {
	t.Parallel()
	ev := event.New()
	ev.SetID("e1")
	ev.SetSource("https://ttd.apps.altinn.no/ttd/apps-test")
	ev.SetType("app.instance.created")
	ev.SetSubject("/party/50019855")
	ev.SetTime(time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC))
	ev.SetExtension("alternativesubject", "/person/01017512345")
	ev.SetExtension("own", "of 01017512345")
	var mask inspector.Mask
	got := [][2]string{}
	for _, a := range inspector.Attributes(ev, &mask) {
		if a.Meaning == "" {
			t.Errorf("%s means nothing", a.Name)
		}
		got = append(got, [2]string{a.Name, a.Value})
	}
	want := [][2]string{
		{"specversion", "1.0"},
		{"id", "e1"},
		{"source", "https://ttd.apps.altinn.no/ttd/apps-test"},
		{"type", "app.instance.created"},
		{"subject", "/party/50019855"},
		{"time", "2026-11-25T08:00:00Z"},
		{"alternativesubject", "/person/***********"},
		{"own", "of ***********"},
	}
	if diff := cmp.Diff(want, got); diff != "" || !mask.Masked {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if got := inspector.Attributes(event.Event{}, &mask); got == nil || len(got) != 0 {
		t.Errorf("of no event: %v, want an empty list", got)
	}
}
