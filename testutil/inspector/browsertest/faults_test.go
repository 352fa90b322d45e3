package browsertest_test

import (
	"testing"
	"time"

	"github.com/altinn-go/events/testutil"
	"github.com/google/go-cmp/cmp"
)

// Each fault is switched on by the form, is what Inject would have set, and does it.
func TestFaults_SwitchOn(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.open("?view=faults")
	for _, tt := range []struct {
		name   string
		set    func()
		want   testutil.Fault
		banner string
	}{
		{"Status", func() { in.fill("[name=retryAfter]", "7") }, testutil.Fault{Endpoint: "/events", Status: 503, RetryAfter: 7 * time.Second}, "status 503"},
		{"Delay", func() { in.choose("[name=what]", "delay"); in.fill("[name=delay]", "0.5") }, testutil.Fault{Endpoint: "/events", Delay: 500 * time.Millisecond}, "delay of 500 ms"},
		{"Reset", func() { in.choose("[name=what]", "reset") }, testutil.Fault{Endpoint: "/events", Reset: true}, "connection reset"},
		{"Rate", func() { in.fill("[name=rate]", "25"); in.fill("#fault-form [name=status]", "429") }, testutil.Fault{Endpoint: "/events", Status: 429, Rate: 0.25}, "25 % of requests"},
		{"Times", func() { in.fill("[name=times]", "2") }, testutil.Fault{Endpoint: "/events", Status: 503, Times: 2}, "2 more times"},
		{"Hang", func() { in.choose("[name=what]", "hang"); in.click("[name=stored]") }, testutil.Fault{Endpoint: "/events", Hang: true, Stored: true}, "event taken"},
		{"Truncate", func() { in.choose("[name=what]", "truncate") }, testutil.Fault{Endpoint: "/events", Truncate: true}, "broken off"},
	} {
		eval[any](in, `document.getElementById("fault-form").reset(), document.querySelector("[name=what]").dispatchEvent(new Event("change"))`)
		in.choose("[name=endpoint]", "/events")
		tt.set()
		in.clickText("#fault-form button", "Switch on")
		in.waitText("#banner-text", tt.banner)
		in.wait(`document.getElementById("banner").checkVisibility()`)
		if diff := cmp.Diff([]testutil.Fault{tt.want}, in.sink.Faults()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		in.click("#lift-all")
		in.wait(`document.getElementById("banner").hidden`)
		if n := len(in.sink.Faults()); n != 0 {
			t.Errorf("%s: %d faults are left", tt.name, n)
		}
	}
}

func TestFaults_OfEachEndpoint(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.open("?view=faults")
	in.choose("[name=endpoint]", "POST /app")
	in.clickText("#fault-form button", "Switch on")
	in.waitText("#faults", "POST /app")
	if want := (testutil.Fault{Endpoint: "/app", Method: "POST", Status: 503}); in.sink.Faults()[0] != want {
		t.Errorf("the fault is %+v, want %+v", in.sink.Faults()[0], want)
	}
	if status := in.post("/app", appEvent("x")); status != 503 {
		t.Errorf("/app: %d, want 503", status)
	}
	in.take(event("1"))
	in.choose("[name=endpoint]", "/events")
	in.fill("#fault-form [name=status]", "429")
	in.clickText("#fault-form button", "Switch on")
	in.waitText("#faults", "/events")
	in.waitText("#count-faults", "2")
	if status := in.post("/events", event("2")); status != 429 {
		t.Errorf("/events: %d, want 429", status)
	}
	// One of them is turned off, the other stays.
	in.clickText("#faults li:first-child button", "Turn off")
	in.wait(`document.querySelectorAll("#faults li").length === 1 && !document.getElementById("faults").textContent.includes("/app")`)
	if status := in.post("/app", appEvent("x")); status != 201 {
		t.Errorf("/app: %d, want 201", status)
	}
	if status := in.post("/events", event("2")); status != 429 {
		t.Errorf("/events: %d, want 429", status)
	}
}

// A fault that a test has set is as visible as one from the form, in every view.
func TestFaults_OfInject(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.open("")
	lift := in.sink.Inject(testutil.Fault{Endpoint: "/events", Method: "POST", Status: 500, Times: 2})
	in.waitText("#banner-text", "status 500")
	in.wait(`document.getElementById("banner").checkVisibility()`)
	in.clickText(".tabs a", "Subscriptions")
	in.wait(`document.getElementById("banner").checkVisibility()`)
	in.post("/events", event("1"))
	in.waitText("#banner-text", "1 more time")
	lift()
	in.wait(`document.getElementById("banner").hidden`)
}
