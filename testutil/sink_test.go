package testutil_test

import (
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/altinn-go/events/testutil"
)

func TestNewSinkWithConfig_BadConfigNamesEveryFault(t *testing.T) {
	t.Parallel()
	cfg := testutil.SinkConfig{Auth: "none", MaxEvents: -1}
	tb := record(t, func(tb *recordingTB) { testutil.NewSinkWithConfig(tb, cfg) })
	for _, want := range []string{`Auth is "none"`, "MaxEvents is -1"} {
		if !strings.Contains(tb.failure, want) {
			t.Errorf("failure is %q, want it to name %q", tb.failure, want)
		}
	}
	if _, err := testutil.StartSink(cfg); err == nil || err.Error() != strings.Replace(tb.failure, "new", "start", 1) {
		t.Errorf("StartSink: %v", err)
	}
}

func TestNewSink_ClosesWithTheTest(t *testing.T) {
	t.Parallel()
	var sink *testutil.Sink
	record(t, func(tb *recordingTB) { sink = openSink(tb) })
	_, _, err := post(t.Context(), sink.Client(), "http://sink", "/app", appBody)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after the test: %v, want connection refused", err)
	}
}

func TestStartSink_ListensUntilClosed(t *testing.T) {
	t.Parallel()
	sink, err := testutil.StartSink(testutil.SinkConfig{Auth: testutil.AuthOff})
	if err != nil {
		t.Fatal(err)
	}
	client, url := socketClient(t), sink.URL()
	if resp, _, err := post(t.Context(), client, url, "/app", appBody); err != nil || resp.StatusCode != http.StatusCreated {
		t.Errorf("POST /app: %v, %v", resp, err)
	}
	sink.Close()
	sink.Close()
	client.CloseIdleConnections()
	if _, _, err := post(t.Context(), client, url, "/app", appBody); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after Close: %v, want connection refused", err)
	}
	if n := len(sink.Events()); n != 1 {
		t.Errorf("%d events after Close, want the 1 that came", n)
	}
	if sink.URL() != url {
		t.Error("Close has changed the URL")
	}
}

func TestSink_MaxEventsDropsTheOldest(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{Auth: testutil.AuthOff, MaxEvents: 2})
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		postEvent(t, sink, id)
	}
	if got := strings.Join(ids(sink.Events()), " "); got != "d e" {
		t.Errorf("kept %s, want d e", got)
	}
	if got := sink.Dropped(); got != 3 {
		t.Errorf("%d dropped, want 3", got)
	}
}
