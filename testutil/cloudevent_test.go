package testutil_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/altinn-go/events/testutil"
)

// TestCloudEvent_GoSDKRoundTrip posts an event of every kind of data as the Go SDK
// writes it and sees that it is read back as it was.
func TestCloudEvent_GoSDKRoundTrip(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]struct {
		contentType string
		data        any
		want        string
	}{
		"None":   {},
		"JSON":   {"application/json", map[string]string{"Role": "Sender"}, `{"Role":"Sender"}`},
		"Text":   {"text/plain", "hello", "hello"},
		"Binary": {"application/octet-stream", []byte{0, 1, 2}, "\x00\x01\x02"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := testutil.NewSink(t)
			ev := instanceCreated().Clone()
			ev.SetID("1")
			ev.SetExtension("resource", "urn:altinn:resource:broker")
			if data.contentType != "" {
				if err := ev.SetData(data.contentType, data.data); err != nil {
					t.Fatal(err)
				}
			}
			if err := sink.Publisher(t).Publish(t.Context(), ev); err != nil {
				t.Fatal(err)
			}
			got := sink.Require(t, testutil.Want{ID: "1", AlternativeSubject: "/person/01017512345", Match: sdkMatcher})
			if string(got.Data()) != data.want || got.DataContentType() != data.contentType || got.DataBase64 != ev.DataBase64 {
				t.Errorf("read back as %v", got)
			}
		})
	}
}

// TestCloudEvent_DeepData sees that nesting costs nothing but its bytes.
func TestCloudEvent_DeepData(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	resp, answer, err := post(t.Context(), sink.Client(), "http://sink", "/events", strings.Replace(brokerBody, `"subject"`, `"data":`+deep+`,"subject"`, 1))
	if err != nil || resp.StatusCode != http.StatusBadRequest || !strings.Contains(answer, "RequestBody") {
		t.Errorf("answer is %v, %s, %v", resp, answer, err)
	}
}
