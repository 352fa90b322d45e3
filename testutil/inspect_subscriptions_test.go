package testutil_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

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
