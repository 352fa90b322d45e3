package testutil_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestSink_Routes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/events/api/v1/events?after=0", 501, `"detail":"The sink does not emulate GET /events/api/v1/events."`},
		{"GET", "/events/api/v1/app/party", 501, "does not emulate"},
		{"GET", "/events/api/v1/app/ttd/apps-test", 501, "does not emulate"},
		{"POST", "/events/api/v1/subscriptions", 501, "does not emulate"},
		{"DELETE", "/events/api/v1/subscriptions/1", 501, "does not emulate"},
		{"POST", "/events/api/v1/tests/webhookreceiver", 501, "does not emulate"},
		{"PUT", "/events/api/v1/app", 405, ""},
		{"POST", "/events/api/v1/apps", 404, ""},
		{"POST", "/app", 404, ""},
		{"GET", "/", 404, ""},
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
					var body strings.Builder
					if err := resp.Write(&body); err != nil {
						t.Fatal(err)
					}
					if resp.StatusCode != tt.status || !strings.Contains(body.String(), tt.body) {
						t.Errorf("%s, want %d with %q; body is %s", resp.Status, tt.status, tt.body, body.String())
					}
				})
			}
		})
	}
}
