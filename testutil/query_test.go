package testutil_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/altinn-go/events/testutil"
)

// getEvents returns the ids of one page of GET /events, and its next link.
func getEvents(tb testing.TB, sink *testutil.Sink, query string) (ids []string, next string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, "http://sink/events/api/v1/events?"+query, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := sink.Client().Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	var page []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		tb.Fatalf("%s: %s", resp.Status, body)
	}
	for _, e := range page {
		ids = append(ids, e.ID)
	}
	return ids, resp.Header.Get("Next")
}

// What was dropped is not found, and what is left is found by every index.
func TestQuery_AfterDropping(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{Auth: testutil.AuthOff, MaxEvents: 3})
	for n := range 7 {
		postEvent(t, sink, fmt.Sprint("e", n), `"/party/50015641"`, fmt.Sprintf(`"/party/%d","alternativesubject":"/organisation/%d"`, n%2, n%2))
	}
	const query = "resource=urn:altinn:resource:altinn-broker-test-resource-1&after="
	for q, want := range map[string]string{
		query + "0": "[e4 e5 e6]", query + "e4": "[e5 e6]", query + "e1": "[e4 e5 e6]", query + "0&subject=/party/1": "[e5]",
		query + "0&subject=/party/0": "[e4 e6]", query + "0&subject=/party/2": "[]",
	} {
		if got, _ := getEvents(t, sink, q); fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", q, got, want)
		}
	}
	sink.Reset()
	if got, _ := getEvents(t, sink, query+"0"); got != nil {
		t.Errorf("after Reset there are %v", got)
	}
}

// Following the links reads every event once, in order.
func TestQuery_FollowsLinks(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	var want []string
	for n := range 25 {
		postEvent(t, sink, fmt.Sprint("e", n))
		want = append(want, fmt.Sprint("e", n))
	}
	var got []string
	query := "resource=urn:altinn:resource:altinn-broker-test-resource-1&after=0&size=10"
	for pages := 0; query != "" && pages < 10; pages++ {
		ids, next := getEvents(t, sink, query)
		got = append(got, ids...)
		_, query, _ = strings.Cut(next, "?")
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("events are %v, want %v", got, want)
	}
}

// A page of 50 among 100,000 events, from the middle.
func BenchmarkGetEvents(b *testing.B) {
	sink := openSink(b)
	for n := range 100_000 {
		postEvent(b, sink, fmt.Sprint("e", n), "50015641", strconv.Itoa(n%100))
	}
	for name, query := range map[string]string{"Resource": "", "Subject": "&subject=/party/7", "Type": "&type=no.altinn.%25"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if ids, _ := getEvents(b, sink, "resource=urn:altinn:resource:altinn-broker-test-resource-1&after=e50000&size=50"+query); len(ids) != 50 {
					b.Fatal(len(ids))
				}
			}
		})
	}
}
