package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/altinn-go/events/testutil"
)

// The whole way: a request to the app, its store, the publisher, the Events API, a
// subscription that matches, and the handler of a webhook.
func TestRun_ToTheWebhook(t *testing.T) {
	t.Parallel()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(chan string, 10)
			webhook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || r.Header.Get("Content-Type") != "application/json; charset=utf-8" {
					w.WriteHeader(http.StatusBadRequest)
				}
				got <- string(body)
			}))
			defer webhook.Close()
			next := func() string {
				select {
				case body := <-got:
					return body
				case <-time.After(time.Minute):
					t.Fatal("nothing reached the webhook")
					return ""
				}
			}
			sink, err := testutil.StartSink(testutil.SinkConfig{Auth: testutil.AuthOff})
			if err != nil {
				t.Fatal(err)
			}
			defer sink.Close()
			p := start(t, "-store", open(t), "-events-url", sink.URL())

			resp, err := http.Post(sink.URL()+"/events/api/v1/subscriptions", "application/json", strings.NewReader(
				`{"endPoint":"`+webhook.URL+`","sourceFilter":"https://ttd.apps.altinn.no/ttd/apps-test","typeFilter":"app.instance.created"}`))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if body := next(); resp.StatusCode != http.StatusCreated || !strings.Contains(body, "platform.events.validatesubscription") {
				t.Fatalf("subscribe: %s, first pushed %s", resp.Status, body)
			}
			for !sink.Subscriptions()[0].Validated {
				<-time.After(time.Millisecond)
			}

			for range 2 {
				id := p.create(t)
				if body := next(); !strings.Contains(body, `"resourceinstance":"`+id+`"`) || !strings.Contains(body, `"type":"app.instance.created"`) {
					t.Errorf("pushed %s, want the creation of %s", body, id)
				}
				if status, body := p.do(t, http.MethodPut, "/"+id+"/process/next", "{}"); status != http.StatusOK { // is not subscribed to
					t.Fatalf("next: %d %s", status, body)
				}
			}
		})
	}
}
