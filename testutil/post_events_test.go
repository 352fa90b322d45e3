package testutil_test

import (
	"encoding/json"
	"net/http"
	"testing"
)

// FuzzPostEvents posts any body and sees that it is answered, and that what is
// stored is a CloudEvent.
func FuzzPostEvents(f *testing.F) {
	f.Add(brokerBody)
	f.Add(`{"specversion":"1.0","id":"1","source":"","type":"t","resource":"urn:a:b","data":"x","datacontenttype":"text/plain"}`)
	f.Add(`{"specversion":"1.0","id":"1","source":"/s?%zz","type":"t","resource":"urn:a:b","data_base64":"AA==","time":"2020-01-01T00:00:00,5Z"}`)
	f.Add(`{"specversion":"1.0","id":"1","source":"s","type":"t","resource":"urn:altinn:resource:altinnapp.a.b","dataschema":"x:y","n":-2147483648}`)
	f.Add("[1]")
	f.Fuzz(func(t *testing.T, body string) {
		sink := openSink(t)
		resp, answer, err := post(t.Context(), sink.Client(), "http://sink", "/events", body)
		if err != nil {
			t.Fatal(err)
		}
		if answer != "" && !json.Valid([]byte(answer)) {
			t.Errorf("the answer is no JSON: %s", answer)
		}
		events := sink.Events()
		switch resp.StatusCode {
		case http.StatusOK:
			if len(events) != 1 || answer != "" {
				t.Fatalf("%d events, answer is %q", len(events), answer)
			}
			// What is stored can be posted, and is the same event.
			again, err := json.Marshal(events[0])
			if err != nil {
				t.Skip("the SDK cannot encode it: ", err)
			}
			mustPost(t, sink, "/events", string(again))
			if received := sink.Received(); !received[1].Duplicate {
				t.Errorf("posted again it is another event:\n%s\n%s", body, again)
			}
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			if len(events) != 0 {
				t.Errorf("answer is %s, yet the event is stored", resp.Status)
			}
		default:
			t.Errorf("answer is %s", resp.Status)
		}
	})
}
