package testutil_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/altinn-go/events/testutil"
)

// FuzzSink sends hostile requests to every operation: each is answered, bounded and
// soon, and what is stored can be queried.
func FuzzSink(f *testing.F) {
	const api = "/events/api/v1"
	f.Add("POST", api+"/app", "application/json", "", appBody)
	f.Add("POST", api+"/events", "application/cloudevents+json", "", brokerBody)
	f.Add("GET", api+"/events?resource=urn:altinn:resource:altinn-broker-test-resource-1&after=0&size=2&type=%25", "", "/person/01017512345", "")
	f.Add("GET", api+"/app/ttd/apps-test?from=2022-02-14 07:22:19Z&type=a\\%25_", "", "", "")
	f.Add("GET", api+"/app/party?after=0&unit=987654321&source=%25&to=2999-01-01", "", "01017512345", "")
	f.Add("POST", api+"/subscriptions", "application/json", "", `{"endPoint":"https://x.example/","resourceFilter":"urn:altinn:resource:altinn-broker-test-resource-1"}`)
	f.Add("POST", api+"/subscriptions", "application/json", "", `{"endPoint":"https://x.example/","sourceFilter":"https://ttd.apps.altinn.no/ttd/apps-test","alternativeSubjectFilter":"/org/987654321"}`)
	f.Add("DELETE", api+"/subscriptions/1", "", "", "")
	f.Add("PUT", api+"/subscriptions/validate/1", "", "", "")
	f.Add("POST", "/_sink/tokens", "", "", `{"claims":{"exp":1e400}}`)
	f.Add("PUT", "/_sink/parties", "", "", `[{"partyId":1,"organisationNumber":"987654321"}]`)
	f.Add("PUT", "/_sink/policy", "", "", `[{"decision":"deny"}]`)
	f.Add("GET", "/_sink/wait?timeout=1ns&type=x", "", "", "")
	f.Add("GET", "/_sink/deliveries", "", "", "")
	f.Add("POST", api+"/events", "application/cloudevents+json", "0", `{"id":"0","specversion":"1.0","type":"0","source":"","resource":"urn:0:0"}`)
	f.Fuzz(func(t *testing.T, method, target, contentType, person, body string) {
		u, err := url.Parse("http://sink" + target)
		if err != nil || !validMethod(method) || strings.Contains(target, "timeout") && !strings.Contains(target, "timeout=1ns") ||
			strings.Contains(target, "_sink/faults") || strings.Contains(target, "_sink/wait") && !strings.Contains(target, "timeout=1ns") {
			t.Skip() // faults and waits do what they are for
		}
		sink := sinkWithHook(t, func(*http.Request) (int, error) { return http.StatusOK, nil })
		postEvent(t, sink, "e1")
		for _, header := range []http.Header{
			{"Content-Type": {contentType}, "Person": {person}, "Altinn-Alternativesubject": {person}},
			{"Content-Type": {contentType}, "Authorization": {person}, "Platformaccesstoken": {person}},
		} {
			req := (&http.Request{Method: method, URL: u, Header: header, Body: io.NopCloser(strings.NewReader(body))}).WithContext(t.Context())
			began := time.Now()
			resp, err := sink.Client().Transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("answered after %v", took)
			}
			if resp.StatusCode < 200 || resp.StatusCode > 599 || len(answer) > 16<<20 {
				t.Errorf("%s with %d bytes", resp.Status, len(answer))
			}
			for name, values := range resp.Header {
				for _, value := range values {
					if strings.ContainsAny(value, "\r\n\x00") {
						t.Errorf("header %s is %q", name, value)
					}
				}
			}
		}
		if err := sink.SetPolicy(nil); err != nil {
			t.Fatal(err)
		}
		getEvents(t, sink, "after=0&resource=urn:altinn:resource:altinn-broker-test-resource-1")
		var recording strings.Builder
		if err := sink.Record(&recording); err != nil {
			t.Fatal(err)
		}
		again := testutil.NewSink(t)
		if n, err := again.Replay(strings.NewReader(recording.String())); err != nil || n != len(sink.Received()) {
			t.Errorf("Replay = %d, %v; want %d", n, err, len(sink.Received()))
		}
	})
}

func validMethod(method string) bool {
	return method != "" && strings.IndexFunc(method, func(c rune) bool { return c < 'A' || c > 'Z' }) < 0
}
