package testutil_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/altinn-go/events/testutil"
)

func TestSink_Routes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"PUT", "/events/api/v1/app", 405},
		{"POST", "/events/api/v1/apps", 404},
		{"POST", "/app", 404},
		{"GET", "/nothing", 404},
		{"PATCH", "/events/api/v1/subscriptions/1", 405},
	} {
		t.Run(tt.method+tt.path, func(t *testing.T) {
			t.Parallel()
			for name, open := range transports {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					_, client, platform := open(t)
					req, err := http.NewRequestWithContext(t.Context(), tt.method, platform+tt.path, http.NoBody)
					if err != nil {
						t.Fatal(err)
					}
					resp, err := client.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					body, err := io.ReadAll(resp.Body)
					if err != nil {
						t.Fatal(err)
					}
					if resp.StatusCode != tt.status || len(body) > 0 {
						t.Errorf("%s, want %d without a body; body is %s", resp.Status, tt.status, body)
					}
				})
			}
		})
	}
}

// TestSink_RequestsElsewhere sees that a URL without the base path is told apart
// from the API, in faults and in reports.
func TestSink_RequestsElsewhere(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	sink.Inject(testutil.Fault{Status: http.StatusBadGateway})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://sink/app", strings.NewReader(appBody))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := sink.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("answer is %s, want 404", resp.Status)
	}
	tb := record(t, func(tb *recordingTB) { sink.Require(tb, testutil.Want{}) })
	if !strings.HasSuffix(tb.failure, "\n    POST /app 404: Not Found") {
		t.Errorf("report is %s", tb.failure)
	}
}
