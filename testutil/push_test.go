package testutil_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/testutil"
)

// hook is a webhook in process.
type hook func(*http.Request) (status int, err error)

func (h hook) RoundTrip(r *http.Request) (*http.Response, error) {
	status, err := h(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

const webhookURL = "https://hooks.example.com/webhook?code=secret"

// subscribe makes a subscription to the broker's events and returns its id.
func subscribe(tb testing.TB, sink *testutil.Sink, endpoint string) int {
	tb.Helper()
	mustPost(tb, sink, "/subscriptions", fmt.Sprintf(
		`{"endPoint":%q,"resourceFilter":"urn:altinn:resource:altinn-broker-test-resource-1"}`, endpoint))
	all := sink.Subscriptions()
	return all[len(all)-1].ID
}

func sinkWithHook(tb testing.TB, h hook) *testutil.Sink {
	tb.Helper()
	return testutil.NewSinkWithConfig(tb, testutil.SinkConfig{Auth: testutil.AuthOff, WebhookTransport: h})
}

// The bytes of a delivery are the service's: nothing but the event.
func TestPush_Request(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		sink := sinkWithHook(t, func(r *http.Request) (int, error) {
			body, err := io.ReadAll(r.Body)
			got = append(got, fmt.Sprintf("%s %s %v %s", r.Method, r.URL, r.Header, body))
			return http.StatusOK, err
		})
		subscribe(t, sink, webhookURL)
		synctest.Wait()
		got = nil
		postEvent(t, sink, "e1")
		synctest.Wait()
		want := []string{`POST ` + webhookURL + ` map[Content-Type:[application/json; charset=utf-8]] ` +
			`{"specversion":"1.0","id":"e1","source":"https://platform.tt02.altinn.no/broker/api/v1/filetransfer",` +
			`"type":"no.altinn.broker.published","subject":"/party/50015641","resource":"urn:altinn:resource:altinn-broker-test-resource-1"}`}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
}

func TestPush_ValidationEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := sinkWithHook(t, func(*http.Request) (int, error) { return http.StatusNoContent, nil })
		id := subscribe(t, sink, webhookURL)
		synctest.Wait()
		if err := sink.Revalidate(id); err != nil {
			t.Fatal(err)
		}
		if err := sink.Revalidate(id + 1); err == nil {
			t.Error("Revalidate of no subscription = nil")
		}
		synctest.Wait()
		deliveries := sink.Deliveries()
		if len(deliveries) != 2 {
			t.Fatalf("%d deliveries, want the validation event twice", len(deliveries))
		}
		d := deliveries[0]
		if !d.Validation || !d.Delivered() || d.Event.Type() != "platform.events.validatesubscription" ||
			d.Event.Source() != "https://platform.altinn.no/events/api/v1/subscriptions/1" || !d.Event.Time().IsZero() || d.Event.Subject() != "" {
			t.Errorf("validation is %+v", d)
		}
		if !sink.Subscriptions()[0].Validated {
			t.Error("the subscription is not validated")
		}
	})
}

// The waits between attempts are those of the service, to the second.
func TestPush_Schedule(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		scale    float64
		schedule []time.Duration
		validate bool
	}{
		"Events":          {1, testutil.PushSchedule, true},
		"EventsScaled":    {10, testutil.PushSchedule, true},
		"Validation":      {1, testutil.ValidationSchedule, false},
		"ScaledValidtion": {2, testutil.ValidationSchedule, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				status := http.StatusOK
				if !tt.validate {
					status = http.StatusTooEarly
				}
				sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{
					Auth: testutil.AuthOff, RetryScale: tt.scale,
					WebhookTransport: hook(func(*http.Request) (int, error) { return status, nil }),
				})
				subscribe(t, sink, webhookURL)
				synctest.Wait()
				if tt.validate {
					status = http.StatusTooEarly
					sink.Reset()
					postEvent(t, sink, "e1")
				}
				time.Sleep(14 * 24 * time.Hour)
				var got []time.Duration
				all := sink.Deliveries()
				for i := range all[1:] {
					got = append(got, all[i+1].At.Sub(all[i].At))
					if !all[i].NextAttempt.Equal(all[i+1].At) {
						t.Errorf("attempt %d: the next is said to be at %v, and was at %v", i+1, all[i].NextAttempt, all[i+1].At)
					}
				}
				var want []time.Duration
				for _, d := range tt.schedule {
					want = append(want, time.Duration(float64(d)/tt.scale))
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("waits (-want +got):\n%s", diff)
				}
				if last := all[len(all)-1]; !last.NextAttempt.IsZero() || last.Attempt != len(tt.schedule)+1 {
					t.Errorf("last attempt is %+v, want no other", last)
				}
			})
		})
	}
}

func TestPush_Timeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := false
		sink := sinkWithHook(t, func(r *http.Request) (int, error) {
			if slow {
				<-r.Context().Done()
				return 0, r.Context().Err()
			}
			return http.StatusOK, nil
		})
		subscribe(t, sink, webhookURL)
		synctest.Wait()
		slow = true
		sink.Reset()
		postEvent(t, sink, "e1")
		time.Sleep(46 * time.Second)
		d := sink.Deliveries()
		if len(d) != 1 || d[0].Took != 45*time.Second || d[0].Error != "no answer within 45s" || d[0].NextAttempt.IsZero() {
			t.Errorf("deliveries are %+v, want one that timed out after 45 s", d)
		}
	})
}

// A slow webhook holds up nobody else, and of its own attempts eight at once go out.
func TestPush_SlowWebhook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var atOnce, most atomic.Int32
		blocked := false
		sink := sinkWithHook(t, func(r *http.Request) (int, error) {
			if !blocked || r.URL.Path != "/slow" {
				return http.StatusOK, nil
			}
			most.Store(max(most.Load(), atOnce.Add(1)))
			defer atOnce.Add(-1)
			time.Sleep(10 * time.Second)
			return http.StatusOK, nil
		})
		subscribe(t, sink, "https://hooks.example.com/slow")
		subscribe(t, sink, "https://hooks.example.com/quick")
		synctest.Wait()
		blocked = true
		sink.Reset()
		for n := range 20 {
			postEvent(t, sink, fmt.Sprint("e", n))
		}
		synctest.Wait()
		if n := len(sink.Deliveries()); n != 20 {
			t.Errorf("%d deliveries while a webhook is slow, want the 20 of the other", n)
		}
		time.Sleep(31 * time.Second)
		if n := len(sink.Deliveries()); n != 40 || most.Load() != 8 {
			t.Errorf("%d deliveries, %d at once to one webhook; want 40 and 8", n, most.Load())
		}
	})
}

func TestPush_CloseEndsDeliveries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		blocked := false
		sink := sinkWithHook(t, func(r *http.Request) (int, error) {
			if blocked {
				<-r.Context().Done()
				return 0, r.Context().Err()
			}
			return http.StatusOK, nil
		})
		subscribe(t, sink, webhookURL)
		synctest.Wait()
		blocked = true
		for n := range 20 {
			postEvent(t, sink, fmt.Sprint("e", n))
		}
		synctest.Wait()
		began := time.Now()
		sink.Close()
		if took := time.Since(began); took > 0 {
			t.Errorf("Close took %v", took)
		}
	})
}

func TestPush_Faults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault  testutil.Fault
		status int
		err    string
		called bool
	}{
		"Status":       {testutil.Fault{Status: 503}, 503, "", false},
		"Stored":       {testutil.Fault{Status: 503, Stored: true}, 503, "", true},
		"Reset":        {testutil.Fault{Reset: true}, 0, "read tcp: read: connection reset by peer", false},
		"Hang":         {testutil.Fault{Hang: true}, 0, "no answer within 45s", false},
		"Delay":        {testutil.Fault{Delay: 10 * time.Second}, 200, "", true},
		"TooLongDelay": {testutil.Fault{Delay: time.Minute}, 0, "no answer within 45s", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				called := false
				sink := sinkWithHook(t, func(*http.Request) (int, error) { called = true; return http.StatusOK, nil })
				subscribe(t, sink, webhookURL)
				synctest.Wait()
				called = false
				sink.Reset()
				tt.fault.Endpoint, tt.fault.Times = "/deliveries", 1
				sink.Inject(tt.fault)
				postEvent(t, sink, "e1")
				time.Sleep(50 * time.Second)
				d := sink.Deliveries()[0]
				if d.Status != tt.status || d.Error != tt.err {
					t.Errorf("delivery ended in %d %q, want %d %q", d.Status, d.Error, tt.status, tt.err)
				}
				if first := called && len(sink.Deliveries()) == 1; tt.called != (first || tt.fault.Stored) {
					t.Errorf("the webhook was called: %t, want %t", called, tt.called)
				}
			})
		})
	}
}

// A fault of all endpoints is one of the API's, not of webhooks.
func TestPush_FaultOfEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := sinkWithHook(t, func(*http.Request) (int, error) { return http.StatusOK, nil })
		subscribe(t, sink, webhookURL)
		synctest.Wait()
		sink.Inject(testutil.Fault{Status: 503, Stored: true, Times: 1})
		_, _, _ = post(t.Context(), sink.Client(), "http://sink", "/events", brokerBody)
		synctest.Wait()
		sink.RequireDelivered(t, webhookURL, testutil.Want{Type: "no.altinn.broker.published"})
	})
}

func TestPush_HeldBack(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	id := subscribe(t, sink, "https://hooks.example.com/webhook?code=secret")
	for len(sink.Deliveries()) == 0 {
		<-time.After(time.Millisecond)
	}
	d := sink.Deliveries()[0]
	if !d.HeldBack || d.Status != 0 || !strings.Contains(d.Error, "RemoteWebhooks") || !d.NextAttempt.IsZero() || d.Subscription != id {
		t.Errorf("delivery to another machine is %+v, want it held back", d)
	}
	if strings.Contains(d.Error, "secret") {
		t.Errorf("the error holds the secret: %s", d.Error)
	}
}

// Redirects do not lead out either; a real webhook on loopback is reached.
func TestPush_Loopback(t *testing.T) {
	t.Parallel()
	var got atomic.Int32
	target := http.NewServeMux()
	target.HandleFunc("POST /hook", func(http.ResponseWriter, *http.Request) { got.Add(1) })
	target.Handle("/away", http.RedirectHandler("http://192.0.2.1/hook", http.StatusTemporaryRedirect))
	target.Handle("/around", http.RedirectHandler("/hook", http.StatusTemporaryRedirect))
	server := httptest.NewServer(target)
	t.Cleanup(server.Close)
	sink := openSink(t)
	for path, heldBack := range map[string]bool{"/hook": false, "/away": true, "/around": false} {
		subscribe(t, sink, server.URL+path)
		var d testutil.Delivery
		for d.Endpoint == "" {
			if i := slices.IndexFunc(sink.Deliveries(), func(d testutil.Delivery) bool { return d.Endpoint == server.URL+path }); i >= 0 {
				d = sink.Deliveries()[i]
			}
			<-time.After(time.Millisecond)
		}
		if d.HeldBack != heldBack || d.Delivered() == heldBack {
			t.Errorf("%s: %+v, want held back %t", path, d, heldBack)
		}
	}
	if got.Load() != 2 {
		t.Errorf("the webhook was called %d times, want 2", got.Load())
	}
}

func TestDialLoopback(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"127.0.0.1:80": true, "127.9.9.9:80": true, "[::1]:443": true, "192.0.2.1:80": false, "10.0.0.1:80": false,
		"169.254.169.254:80": false, "[fe80::1]:80": false, "0.0.0.0:80": false, "[::ffff:192.0.2.1]:80": false, "x": false,
	} {
		if err := testutil.DialLoopback("tcp", address, nil); (err == nil) != ok {
			t.Errorf("%s: %v, want allowed %t", address, err, ok)
		}
	}
}

func TestPush_RemoteWebhooks(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{Auth: testutil.AuthOff, RemoteWebhooks: true})
	// A port on which nothing listens shows that the sink tries.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	subscribe(t, sink, "http://"+listener.Addr().String()+"/?code=secret")
	for len(sink.Deliveries()) == 0 {
		<-time.After(time.Millisecond)
	}
	if d := sink.Deliveries()[0]; d.HeldBack || !strings.Contains(d.Error, "refused") || strings.Contains(d.Error, "secret") {
		t.Errorf("delivery is %+v, want a refused connection", d)
	}
}

func TestPush_Slack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var body string
		sink := sinkWithHook(t, func(r *http.Request) (int, error) {
			b, err := io.ReadAll(r.Body)
			body = string(b)
			return http.StatusOK, err
		})
		subscribe(t, sink, "https://hooks.slack.com/services/T0/B0/X0")
		synctest.Wait()
		if !strings.HasPrefix(body, `{"text":"{\"specversion\":\"1.0\",`) {
			t.Errorf("Slack got %s, want the event as text", body)
		}
	})
}

func TestPush_Redeliver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := sinkWithHook(t, func(*http.Request) (int, error) { return http.StatusOK, nil })
		postEvent(t, sink, "e1")
		id := subscribe(t, sink, webhookURL)
		synctest.Wait()
		if err := errors.Join(sink.Redeliver(id, "e2"), sink.Redeliver(id+1, "e1")); err == nil ||
			err.Error() != "redeliver: no event \"e2\"\nredeliver: no subscription 2" {
			t.Errorf("Redeliver of what is not there: %v", err)
		}
		if err := sink.Redeliver(id, "e1"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		d := sink.RequireDelivered(t, webhookURL, testutil.Want{ID: "e1"})
		if d.Attempt != 1 {
			t.Errorf("attempt %d, want 1", d.Attempt)
		}
	})
}

func TestEventuallyDelivered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		failing := true
		sink := sinkWithHook(t, func(*http.Request) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			if failing {
				return http.StatusBadGateway, nil
			}
			return http.StatusOK, nil
		})
		id := subscribe(t, sink, webhookURL)
		mu.Lock()
		failing = false
		mu.Unlock()
		time.Sleep(time.Minute)
		mu.Lock()
		failing = true
		mu.Unlock()
		postEvent(t, sink, "e1")
		synctest.Wait()
		mu.Lock()
		failing = false
		mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if d := sink.EventuallyDelivered(ctx, t, webhookURL, testutil.Want{ID: "e1"}); d.Attempt != 2 || d.Subscription != id {
			t.Errorf("delivery is %+v, want the second attempt", d)
		}

		for name, failed := range map[string]func(testing.TB){
			"OtherEvent": func(tb testing.TB) { tb.Helper(); sink.RequireDelivered(tb, "", testutil.Want{ID: "e2"}) },
			"OtherEndpoint": func(tb testing.TB) {
				tb.Helper()
				sink.RequireDelivered(tb, "https://elsewhere", testutil.Want{ID: "e1"})
			},
			"InTime": func(tb testing.TB) {
				tb.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				sink.EventuallyDelivered(ctx, tb, "", testutil.Want{ID: "e2"})
			},
		} {
			tb := record(t, func(tb *recordingTB) { failed(tb) })
			for _, want := range []string{"0 deliveries match, want 1", "attempt 1 of no.altinn.broker.published e1 to subscription 1", "answered 502"} {
				if !strings.Contains(tb.failure, want) {
					t.Errorf("%s: report lacks %q:\n%s", name, want, tb.failure)
				}
			}
			if strings.Contains(tb.failure, "secret") {
				t.Errorf("%s: the report holds the webhook's secret:\n%s", name, tb.failure)
			}
		}
	})
}

// 10,000 subscriptions: an event finds its own by index.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			sink := sinkWithHook(b, func(*http.Request) (int, error) { return http.StatusOK, nil })
			for i := range n {
				mustPost(b, sink, "/subscriptions", fmt.Sprintf(
					`{"endPoint":"https://hooks.example.com/%d","resourceFilter":"urn:altinn:resource:r","subjectFilter":"/party/%d"}`, i, i))
			}
			for !sink.PushesIdle() {
				time.Sleep(time.Millisecond)
			}
			body := strings.NewReplacer("altinn-broker-test-resource-1", "r", "50015641", "0").Replace(brokerBody)
			b.ReportAllocs()
			for b.Loop() {
				mustPost(b, sink, "/events", body)
			}
		})
	}
}
