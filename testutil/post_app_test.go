package testutil_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// FuzzPostApp posts any body and sees that it is answered, and that what is stored
// is a CloudEvent.
func FuzzPostApp(f *testing.F) {
	f.Add(appBody)
	f.Add(`{"specversion":"1.0","type":"t","subject":"s","source":"urn:x:y","dataschema":"","contenttype":{}}`)
	f.Add(`{"specversion":"1.0","type":"t","subject":"s","source":"https://h/a/b/c/d/e%2Ff/../?q#f"}`)
	f.Add(`{"source":"\ud800","subject":"\u0000"}`)
	f.Add("null")
	f.Fuzz(func(t *testing.T, body string) {
		sink := openSink(t)
		resp, answer, err := post(t.Context(), sink.Client(), "http://sink", "/app", body)
		if err != nil {
			t.Fatal(err)
		}
		if answer != "" && !json.Valid([]byte(answer)) {
			t.Errorf("the answer is no JSON: %s", answer)
		}
		events := sink.Events()
		switch resp.StatusCode {
		case http.StatusCreated:
			if len(events) != 1 || answer != `"`+events[0].ID()+`"` {
				t.Fatalf("%d events, answer is %s", len(events), answer)
			}
			if _, err := json.Marshal(events[0]); err != nil && !strings.Contains(err.Error(), "source") {
				t.Errorf("the stored event cannot be encoded: %v", err)
			}
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusInternalServerError:
			if len(events) != 0 {
				t.Errorf("answer is %s, yet the event is stored", resp.Status)
			}
		default:
			t.Errorf("answer is %s", resp.Status)
		}
	})
}
