package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/middleware/webhook"
	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/testutil"
)

// hosts sends requests to the receiver of their host, in process.
type hosts map[string]http.Handler

func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	received := r.Clone(r.Context())
	received.RemoteAddr = "127.0.0.1:1"
	w := httptest.NewRecorder()
	h[r.URL.Host].ServeHTTP(w, received)
	return w.Result(), nil
}

func subscribe(t *testing.T, sink *testutil.Sink, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://sink/events/api/v1/subscriptions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := sink.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("subscribe: %s", resp.Status)
	}
	synctest.Wait()
}

// Broker publishes to a sender and two recipients, and each of three subscribers gets
// exactly its own.
func TestReceiver_BrokerSubscribers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		got := map[string][]string{}
		all := hosts{}
		sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{Auth: testutil.AuthOff, WebhookTransport: all})
		for _, party := range []string{"1", "2", "3"} {
			rc := newReceiver(t, webhook.Config{})
			rc.On("no.altinn.broker.*", func(_ context.Context, r webhook.Received) error {
				mu.Lock()
				defer mu.Unlock()
				got[party] = append(got[party], strings.TrimPrefix(r.Event.Type(), "no.altinn.broker.")+" "+r.FileTransferID)
				return nil
			})
			all["party"+party] = rc
			subscribe(t, sink, fmt.Sprintf(`{"endPoint":"https://party%s%s","resourceFilter":"urn:altinn:resource:files","subjectFilter":"/party/%s"}`, party, target, party))
		}
		pub := sink.Publisher(t)
		broker := models.Broker{PlatformURL: "https://platform.altinn.no"}
		for n, recipients := range [][]models.Recipient{
			{{Recipient: "0192:986252933", PartyID: "2"}, {Recipient: "0192:897069650", PartyID: "3"}},
			{{Recipient: "0192:897069650", PartyID: "3"}},
		} {
			transfer := models.FileTransfer{
				ID: fmt.Sprintf("b1c2d3e4-0000-4000-8000-00000000000%d", n), ResourceID: "files",
				Sender: "0192:991825827", SenderPartyID: "1", Recipients: recipients,
			}
			if err := pub.Publish(t.Context(), broker.Events(models.TypeBrokerPublished, transfer)...); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		const first, second = "published b1c2d3e4-0000-4000-8000-000000000000", "published b1c2d3e4-0000-4000-8000-000000000001"
		for _, events := range got {
			slices.Sort(events)
		}
		if diff := cmp.Diff(map[string][]string{"1": {first, second}, "2": {first}, "3": {first, second}}, got); diff != "" {
			t.Errorf("events by party (-want +got):\n%s", diff)
		}
	})
}

// A receiver that says 425 for a day: when it is ready the service's schedule brings
// each event once more, and each has its effect once, in order.
func TestReceiver_NotYetForADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var effects []string
		attempts := 0
		rc := newReceiver(t, webhook.Config{HoldBack: time.Second})
		rc.On("*", func(_ context.Context, r webhook.Received) error {
			attempts++
			if time.Since(began) < 24*time.Hour {
				return webhook.ErrNotYet
			}
			effects = append(effects, r.Event.ID())
			return nil
		})
		sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{Auth: testutil.AuthOff, WebhookTransport: hosts{"app": rc}})
		subscribe(t, sink, `{"endPoint":"https://app`+target+`","sourceFilter":"https://ttd.apps.altinn.no/ttd/apps-test"}`)
		pub := sink.Publisher(t)
		app := models.App{Org: "ttd", Name: "apps-test"}
		instance := models.Instance{ID: "1337/" + guid, InstanceOwner: models.InstanceOwner{PartyID: "1337"}}
		var want []string
		for range 5 {
			if err := pub.Publish(t.Context(), app.Created(instance)); err != nil {
				t.Fatal(err)
			}
			events := sink.Events()
			want = append(want, events[len(events)-1].ID())
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(72 * time.Hour)
		synctest.Wait()
		if diff := cmp.Diff(want, effects); diff != "" {
			t.Errorf("effects (-want +got):\n%s", diff)
		}
		// 10 s … 12 h: the eleventh attempt is the first after a day.
		if attempts != 5*12 {
			t.Errorf("%d attempts, want 12 for each of 5 events", attempts)
		}
	})
}
