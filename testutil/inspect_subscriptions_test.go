package testutil_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/altinn-go/events/testutil"
)

func TestInspector_Subscription(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pushed := 0
		sink := sinkWithHook(t, func(*http.Request) (int, error) { pushed++; return http.StatusOK, nil })
		path := fmt.Sprintf("subscriptions/%d", subscribe(t, sink, webhookURL))
		synctest.Wait()
		postEvent(t, sink, "e1")
		mustPost(t, sink, "/app", appBody)
		synctest.Wait()

		_, all := call(t, sink, "GET", "subscriptions", "")
		if !strings.Contains(all, `"delivered":1`) || strings.Contains(all, "code=secret") || !strings.Contains(all, `"total":1`) {
			t.Errorf("subscriptions are %s", all)
		}
		var got struct {
			Events []struct {
				Number   int
				Pushed   bool
				Criteria []testutil.Criterion
			}
			Deliveries []struct {
				EventID string
				Status  int
			}
		}
		_, body := call(t, sink, "GET", path, "")
		if err := json.Unmarshal([]byte(body), &got); err != nil || len(got.Events) != 2 || got.Events[0].Pushed || !got.Events[1].Pushed || //nolint:musttag // its members match without case
			got.Events[0].Criteria[1].OK || len(got.Deliveries) != 2 || got.Deliveries[1].EventID != "e1" || strings.Contains(body, "code=secret") {
			t.Errorf("%v: %s", err, body)
		}

		for i, again := range [][2]string{{"/redeliver", `{"number":2}`}, {"/validate", ""}} { // 2 does not match
			if status, body := call(t, sink, "POST", path+again[0], again[1]); status != http.StatusNoContent {
				t.Errorf("%s: %d %s", again[0], status, body)
			}
			synctest.Wait()
			if pushed != 3+i {
				t.Errorf("%s: pushed %d times, want %d", again[0], pushed, 3+i)
			}
		}
		for _, tt := range []struct {
			method, path, body string
			status             int
		}{
			{"GET", "subscriptions/9", "", 404},
			{"GET", "subscriptions/x", "", 404},
			{"POST", "subscriptions/9/validate", "", 404},
			{"POST", "subscriptions/9/redeliver", `{"number":1}`, 404},
			{"POST", path + "/redeliver", `{"number":9}`, 404},
			{"POST", path + "/redeliver", `{"id":9}`, 400},
		} {
			if status, body := call(t, sink, tt.method, tt.path, tt.body); status != tt.status || !strings.Contains(body, `"detail"`) {
				t.Errorf("%s %s: %d %s", tt.method, tt.path, status, body)
			}
		}
	})
}

// Attempts of one push share its number, whatever ids the events have.
func TestInspector_PushesOfOneID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		status := http.StatusOK
		sink := sinkWithHook(t, func(*http.Request) (int, error) { return status, nil })
		path := fmt.Sprintf("subscriptions/%d", subscribe(t, sink, webhookURL))
		synctest.Wait()
		status = http.StatusTeapot
		postEvent(t, sink, "e1")
		synctest.Wait()
		time.Sleep(11 * time.Second) // the second attempt
		postEvent(t, sink, "e1", "platform.tt02", "other")
		postEvent(t, sink, "e1")
		synctest.Wait()
		mustCall(t, sink, "POST", path+"/redeliver", `{"number":2}`)
		synctest.Wait()
		var got struct {
			Deliveries []struct{ Push, Request, Attempt int }
		}
		decode(t, mustCall(t, sink, "GET", path, ""), &got)
		numbers := make([]string, len(got.Deliveries))
		pushes := map[int]bool{}
		for i, d := range got.Deliveries {
			numbers[i] = fmt.Sprintf("%d.%d", d.Request, d.Attempt)
			pushes[d.Push] = true
		}
		if want := []string{"0.1", "1.1", "1.2", "2.1", "3.1", "2.1"}; !slices.Equal(sorted(numbers[:5]), sorted(want[:5])) || numbers[5] != want[5] ||
			len(pushes) != 5 || got.Deliveries[1].Push != got.Deliveries[2].Push {
			t.Errorf("deliveries %v of pushes %v, want %v", numbers, pushes, want)
		}
	})
}

func sorted(texts []string) []string { return slices.Sorted(slices.Values(texts)) }

// What is left out of an answer is counted.
func TestInspector_Totals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := sinkWithHook(t, func(*http.Request) (int, error) { return http.StatusOK, nil })
		path := fmt.Sprintf("subscriptions/%d", subscribe(t, sink, webhookURL))
		synctest.Wait()
		for range 210 {
			postEvent(t, sink, "e1", `"resource":`, `"resourceinstance":"i","resource":`)
		}
		for i := range 260 {
			postEvent(t, sink, strconv.Itoa(i), `"resource":`, `"resourceinstance":"i","resource":`)
		}
		for i := range 55 {
			postEvent(t, sink, fmt.Sprint("other", i), "test-resource-1", "test-resource-2")
		}
		synctest.Wait()

		var sub struct {
			Events, Deliveries                                      []json.RawMessage
			MatchesTotal, OthersTotal, DeliveriesTotal, NotLookedAt int
		}
		decode(t, mustCall(t, sink, "GET", path, ""), &sub)
		if len(sub.Events) != 100 || sub.MatchesTotal != 261 || sub.OthersTotal != 55 || sub.NotLookedAt != 0 ||
			len(sub.Deliveries) != 200 || sub.DeliveriesTotal != 471 {
			t.Errorf("subscription: %d events, %d match, %d do not, %d not looked at; %d of %d deliveries", len(sub.Events),
				sub.MatchesTotal, sub.OthersTotal, sub.NotLookedAt, len(sub.Deliveries), sub.DeliveriesTotal)
		}

		var request struct {
			Arrivals, Timeline, Deliveries               []json.RawMessage
			RelatedTotal, InstanceTotal, DeliveriesTotal int
		}
		decode(t, mustCall(t, sink, "GET", "requests/210", ""), &request)
		if len(request.Arrivals) != 200 || request.RelatedTotal != 210 || len(request.Timeline) != 200 || request.InstanceTotal != 261 ||
			len(request.Deliveries) != 200 || request.DeliveriesTotal != 210 {
			t.Errorf("request: %d of %d arrivals, %d of %d of the instance, %d of %d deliveries", len(request.Arrivals), request.RelatedTotal,
				len(request.Timeline), request.InstanceTotal, len(request.Deliveries), request.DeliveriesTotal)
		}
	})
}

// mustCall is call for what has to succeed.
func mustCall(tb testing.TB, sink *testutil.Sink, method, path, body string) (answer string) {
	tb.Helper()
	status, answer := call(tb, sink, method, path, body)
	if status >= 300 {
		tb.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	return answer
}

func decode(tb testing.TB, answer string, v any) {
	tb.Helper()
	if err := json.Unmarshal([]byte(answer), v); err != nil {
		tb.Fatalf("%v in %s", err, answer)
	}
}
