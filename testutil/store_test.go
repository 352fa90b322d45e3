package testutil_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/testutil"
)

func TestSink_Events(t *testing.T) {
	t.Parallel()

	t.Run("InOrderOfArrivalOncePerIDAndSource", func(t *testing.T) {
		t.Parallel()
		sink := openSink(t)
		postEvent(t, sink, "a")
		postEvent(t, sink, "b")
		postEvent(t, sink, "a")
		postEvent(t, sink, "a", "platform.tt02", "platform.at22")
		if got := strings.Join(ids(sink.Events()), " "); got != "a b a" {
			t.Errorf("events are %s, want a b a", got)
		}
		var duplicates []bool
		for _, r := range sink.Received() {
			duplicates = append(duplicates, r.Duplicate)
		}
		if diff := cmp.Diff([]bool{false, false, true, false}, duplicates); diff != "" {
			t.Errorf("duplicates (-want +got):\n%s", diff)
		}
	})

	t.Run("AppEventsAreNeverDuplicates", func(t *testing.T) {
		t.Parallel()
		sink := openSink(t)
		mustPost(t, sink, "/app", appBody)
		mustPost(t, sink, "/app", appBody)
		if got := ids(sink.Events()); len(got) != 2 || got[0] == got[1] {
			t.Errorf("ids are %v, want two", got)
		}
	})

	t.Run("AreCopies", func(t *testing.T) {
		t.Parallel()
		sink := openSink(t)
		postEvent(t, sink, "a", `"subject"`, `"data":{"Role":"Sender"},"subject"`)
		change := func() {
			ev, received := sink.Events()[0], sink.Received()[0]
			for _, ev := range []interface {
				SetSubject(string)
				SetExtension(string, any)
			}{&ev, &received.Event} {
				ev.SetSubject("changed")
				ev.SetExtension("resource", "changed")
			}
			ev.DataEncoded[0], received.Event.DataEncoded[0] = 'X', 'X'
			received.Body[0] = 'X'
			received.Header.Set("Content-Type", "changed")
			required := sink.Require(t, testutil.Want{Match: sdkMatcher})
			required.SetSubject("changed")
			eventually := sink.Eventually(t.Context(), t, testutil.Want{})
			eventually.SetSubject("changed")
		}
		want := snapshot(sink)
		change()
		if diff := cmp.Diff(want, snapshot(sink)); diff != "" {
			t.Errorf("what the sink keeps has changed (-want +got):\n%s", diff)
		}
	})
}

func snapshot(sink *testutil.Sink) string {
	r := sink.Received()[0]
	return fmt.Sprintf("%v\n%s\n%v", r.Event, r.Body, r.Header)
}

func TestSink_Received(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := testutil.NewSink(t)
		pub := sink.Publisher(t)
		time.Sleep(time.Hour)
		if err := pub.Publish(t.Context(), instanceCreated()); err != nil {
			t.Fatal(err)
		}
		received := sink.Received()
		if len(received) != 1 {
			t.Fatalf("%d requests, want 1", len(received))
		}
		r := received[0]
		if r.Endpoint != "/app" || !r.ReceivedAt.Equal(time.Now()) || !r.Event.Time().Equal(time.Now()) {
			t.Errorf("received %s at %v", r.Endpoint, r.ReceivedAt)
		}
		if !strings.Contains(string(r.Body), `"subject":"/party/50019855"`) || strings.Contains(string(r.Body), "resource") {
			t.Errorf("body is not as posted: %s", r.Body)
		}
		if r.Event.ID() == "" || r.Event.Extensions()["resource"] != "urn:altinn:resource:app_ttd_apps-test" {
			t.Errorf("event is not as stored: %v", r.Event)
		}
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") || r.Header.Get("PlatformAccessToken") == "" {
			t.Errorf("header is not as sent: %v", slices.Sorted(maps.Keys(r.Header)))
		}
	})
}

func TestSink_MaxBytesDropsTheOldest(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	sink.SetMaxBytes(100_000)
	for i := range 20 {
		postEvent(t, sink, strconv.Itoa(i), `"subject"`, `"data":"`+strings.Repeat("x", 10_000)+`","subject"`)
	}
	if got := strings.Join(ids(sink.Events()), " "); got != "16 17 18 19" {
		t.Errorf("kept %s, want 16 17 18 19, about 21 kB each", got)
	}
	if got := sink.Dropped(); got != 16 {
		t.Errorf("%d dropped, want 16", got)
	}
	postEvent(t, sink, "3")
	if last := sink.Received(); last[len(last)-1].Duplicate {
		t.Error("an event that was dropped still makes duplicates")
	}
}

func TestSink_Reset(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	postEvent(t, sink, "a")
	sink.Inject(testutil.Fault{Endpoint: "/app", Status: 500})
	sink.Reset()
	if n, m := len(sink.Events()), len(sink.Received()); n+m != 0 {
		t.Errorf("%d events and %d requests after Reset", n, m)
	}
	if resp, _, err := post(t.Context(), sink.Client(), "http://sink", "/app", appBody); err != nil || resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("answer is %v, %v; want the fault to stay", resp, err)
	}
	postEvent(t, sink, "a")
	if r := sink.Received(); len(r) != 1 || r[0].Duplicate {
		t.Errorf("after Reset the same event is %v, want it to be new", r)
	}
}

func TestSink_ConcurrentUse(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	sink.Inject(testutil.Fault{Status: 503, Rate: 0.5})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := 0; n < 50; {
				body := strings.Replace(brokerBody, "1faa107f", fmt.Sprintf("%d-%02d", i, n), 1)
				resp, _, err := post(t.Context(), sink.Client(), "http://sink", "/events", body)
				if err != nil {
					t.Error(err)
					return
				}
				if resp.StatusCode == http.StatusOK {
					n++
				}
				if n%10 == 0 {
					sink.Events()
					sink.Received()
					sink.Dropped()
				}
			}
		})
	}
	wg.Wait()
	next := map[byte]int{}
	for _, id := range ids(sink.Events()) {
		if want := fmt.Sprintf("%02d", next[id[0]]); id[2:4] != want {
			t.Fatalf("event %s of sender %c, want %s", id, id[0], want)
		}
		next[id[0]]++
	}
	if n := len(sink.Events()); n != 400 {
		t.Errorf("%d events, want 400", n)
	}
}
