package testutil_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/altinn-go/events/testutil"
)

func TestInspector_Samples(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSink(t)
	_, body := call(t, sink, "GET", "samples", "")
	var samples struct{ Types []string }
	if err := json.Unmarshal([]byte(body), &samples); err != nil || len(samples.Types) < 13 { //nolint:musttag // its members match without case
		t.Fatalf("%v in %s", err, body)
	}
	for _, eventType := range samples.Types {
		sink.Reset()
		if status, body := call(t, sink, "POST", "samples", `{"type":"`+eventType+`"}`); status != http.StatusOK {
			t.Errorf("%s: %d %s", eventType, status, body)
		}
		got, _ := getRows(t, sink, "")
		for _, row := range got.Rows {
			if row.Type != eventType || row.Level != "" {
				t.Errorf("%s: a sample of type %s with a finding of level %q", eventType, row.Type, row.Level)
			}
		}
	}
	if status, _ := call(t, sink, "POST", "samples", `{"type":"other"}`); status != http.StatusBadRequest {
		t.Errorf("another type: %d", status)
	}
	sink.Inject(testutil.Fault{Status: http.StatusServiceUnavailable})
	if status, body := call(t, sink, "POST", "samples", `{"type":"app.instance.created"}`); status != http.StatusBadGateway || !strings.Contains(body, "503") {
		t.Errorf("under a fault: %d %s", status, body)
	}
}

func TestInspector_Faults(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	if _, body := call(t, sink, "GET", "faults", ""); body != `{"faults":[]}` {
		t.Errorf("no faults: %s", body)
	}
	sink.Inject(testutil.Fault{Endpoint: "/app", Status: 503, RetryAfter: time.Second, Times: 3})
	sink.Inject(testutil.Fault{Delay: time.Minute, Rate: 0.5})
	_, body := call(t, sink, "GET", "faults", "")
	if !strings.Contains(body, `{"id":1,"endpoint":"/app","status":503,"retryAfterMs":1000,"times":3}`) ||
		!strings.Contains(body, `"delayMs":60000,"rate":0.5`) {
		t.Errorf("faults: %s", body)
	}
	if status, _ := call(t, sink, "DELETE", "faults/1", ""); status != http.StatusNoContent || len(sink.Faults()) != 1 {
		t.Errorf("lift one: %d, %d left", status, len(sink.Faults()))
	}
	for _, id := range []string{"1", "x"} {
		if status, _ := call(t, sink, "DELETE", "faults/"+id, ""); status != http.StatusNotFound {
			t.Errorf("lift %s: %d", id, status)
		}
	}
}
