package testutil_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/altinn-go/events/testutil"
)

func TestSink_InjectStatus(t *testing.T) {
	t.Parallel()
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink, client, platform := open(t)
			lift := sink.Inject(testutil.Fault{Status: 503, RetryAfter: 1500 * time.Millisecond})
			for range 3 {
				resp, body, err := post(t.Context(), client, platform, "/app", appBody)
				if err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "2" ||
					resp.Header.Get("Content-Type") != "application/problem+json; charset=utf-8" ||
					!strings.Contains(body, `"title":"Service Unavailable","status":503`) {
					t.Errorf("answer is %s %v %s", resp.Status, resp.Header, body)
				}
			}
			sink.RequireNone(t, testutil.Want{}, 0)
			lift()
			mustPost(t, sink, "/app", appBody)
		})
	}
}

func TestSink_InjectRetryAfterDate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := openSink(t)
		time.Sleep(300 * time.Millisecond) // virtual, to be between two seconds
		sink.Inject(testutil.Fault{Status: 429, RetryAfter: 2 * time.Minute, RetryAfterDate: true})
		resp, _, err := post(t.Context(), sink.Client(), "http://sink", "/app", appBody)
		if err != nil {
			t.Fatal(err)
		}
		at, err := http.ParseTime(resp.Header.Get("Retry-After"))
		if err != nil {
			t.Fatal(err)
		}
		if wait := time.Until(at); wait < 2*time.Minute || wait > 2*time.Minute+time.Second {
			t.Errorf("Retry-After asks for %v, want 2m rounded up to the second", wait)
		}
	})
}

func TestSink_InjectStatusThatNoAnswerCanHave(t *testing.T) {
	t.Parallel()
	for _, status := range []int{-1, 42, 101, 600, 1000} {
		for name, open := range transports {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				sink, client, platform := open(t)
				sink.Inject(testutil.Fault{Status: status})
				resp, body, err := post(t.Context(), client, platform, "/app", appBody)
				if err != nil || resp.StatusCode != http.StatusInternalServerError || !strings.Contains(body, "which no answer can have") {
					t.Errorf("answer to a fault of %d is %v, %s, %v", status, resp, body, err)
				}
			})
		}
	}
}

func TestSink_InjectStatusWithoutBody(t *testing.T) {
	t.Parallel()
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink, client, platform := open(t)
			sink.Inject(testutil.Fault{Status: http.StatusNoContent})
			resp, body, err := post(t.Context(), client, platform, "/app", appBody)
			if err != nil || resp.StatusCode != http.StatusNoContent || body != "" {
				t.Errorf("answer is %v %q, %v", resp, body, err)
			}
		})
	}
}

func TestSink_InjectReset(t *testing.T) {
	t.Parallel()
	for name, stored := range map[string]bool{"BeforeStoring": false, "AfterStoring": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for name, open := range transports {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					sink, client, platform := open(t)
					sink.Inject(testutil.Fault{Reset: true, Stored: stored, Times: 1})
					_, _, err := post(t.Context(), client, platform, "/events", brokerBody)
					if !errors.Is(err, syscall.ECONNRESET) {
						t.Errorf("error is %v, want ECONNRESET", err)
					}
					if n := len(sink.Events()); (n == 1) != stored {
						t.Errorf("%d events stored", n)
					}
					// The client does not know, and posts the event again.
					if _, _, err := post(t.Context(), client, platform, "/events", brokerBody); err != nil {
						t.Error(err)
					}
					received := sink.Received()
					if last := received[len(received)-1]; len(sink.Events()) != 1 || last.Duplicate != stored {
						t.Errorf("%d events stored, the last is a duplicate: %v", len(sink.Events()), last.Duplicate)
					}
				})
			}
		})
	}
}

func TestSink_InjectTruncate(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		endpoint, body string
		fault          testutil.Fault
		status, stored int
	}{
		"OwnAnswer":   {"/app", appBody, testutil.Fault{Truncate: true}, 201, 1},
		"EmptyAnswer": {"/events", brokerBody, testutil.Fault{Truncate: true}, 200, 1},
		"FaultAnswer": {"/app", appBody, testutil.Fault{Truncate: true, Status: 502}, 502, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for name, open := range transports {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					sink, client, platform := open(t)
					sink.Inject(tt.fault)
					resp, _, err := post(t.Context(), client, platform, tt.endpoint, tt.body)
					if !errors.Is(err, io.ErrUnexpectedEOF) || resp.StatusCode != tt.status {
						t.Errorf("answer is %v, %v; want %d that breaks off", resp, err, tt.status)
					}
					if n := len(sink.Events()); n != tt.stored {
						t.Errorf("%d events stored, want %d", n, tt.stored)
					}
				})
			}
		})
	}
}

func TestSink_InjectStored(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]testutil.Fault{
		"Status": {Status: 502, Stored: true},
		"Hang":   {Hang: true, Stored: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sink := openSink(t)
				sink.Inject(fault)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if resp, _, err := post(ctx, sink.Client(), "http://sink", "/app", appBody); err == nil && resp.StatusCode == http.StatusCreated {
					t.Error("the answer was not lost")
				}
				sink.Require(t, testutil.Want{Source: instanceSource})
			})
		})
	}
}

func TestSink_InjectToSomeRequests(t *testing.T) {
	t.Parallel()
	statuses := func(t *testing.T, sink *testutil.Sink, posts string) string {
		t.Helper()
		var got []string
		for endpoint := range strings.FieldsSeq(posts) {
			resp, _, err := post(t.Context(), sink.Client(), "http://sink", endpoint, map[string]string{"/app": appBody, "/events": brokerBody}[endpoint])
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, resp.Status[:3])
		}
		return strings.Join(got, " ")
	}
	for name, tt := range map[string]struct {
		faults []testutil.Fault
		posts  string
		want   string
	}{
		"Endpoint":    {[]testutil.Fault{{Endpoint: "/app", Status: 500}}, "/app /events", "500 200"},
		"Method":      {[]testutil.Fault{{Method: "get", Status: 500}}, "/app", "201"},
		"MethodCase":  {[]testutil.Fault{{Method: "post", Status: 500}}, "/app", "500"},
		"Times":       {[]testutil.Fault{{Status: 500, Times: 2}}, "/app /app /app", "500 500 201"},
		"TimesHits":   {[]testutil.Fault{{Endpoint: "/app", Status: 500, Times: 1}}, "/events /app /app", "200 500 201"},
		"InSequence":  {[]testutil.Fault{{Status: 500, Times: 1}, {Status: 502, Times: 2}}, "/app /app /app /app", "500 502 502 201"},
		"OldestFirst": {[]testutil.Fault{{Status: 500}, {Status: 502}}, "/app", "500"},
		"Nothing":     {[]testutil.Fault{{Times: 1}, {Status: 502}}, "/app", "502"},
		"EveryRate":   {[]testutil.Fault{{Status: 500, Rate: 1}}, "/app /app /app /app", "500 500 500 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := openSink(t)
			for _, f := range tt.faults {
				sink.Inject(f)
			}
			if got := statuses(t, sink, tt.posts); got != tt.want {
				t.Errorf("statuses are %s, want %s", got, tt.want)
			}
		})
	}

	t.Run("Rate", func(t *testing.T) {
		t.Parallel()
		runs := map[uint64]string{}
		for _, seed := range []uint64{1, 2} {
			for range 2 {
				sink := openSink(t)
				sink.Inject(testutil.Fault{Status: 500, Rate: 0.25, Seed: seed})
				got := statuses(t, sink, strings.Repeat("/app ", 400))
				if n := strings.Count(got, "500"); n < 70 || n > 130 {
					t.Errorf("%d of 400 failed, want about 100", n)
				}
				if first, ok := runs[seed]; ok && first != got {
					t.Errorf("seed %d chooses other requests the second time", seed)
				}
				runs[seed] = got
			}
		}
		if runs[1] == runs[2] {
			t.Error("different seeds choose the same requests")
		}
	})
}

func TestSink_Intercept(t *testing.T) {
	t.Parallel()

	t.Run("SeesTheRequest", func(t *testing.T) {
		t.Parallel()
		for name, open := range transports {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				sink, client, platform := open(t)
				var seen []testutil.Request
				sink.Intercept(func(r testutil.Request) testutil.Reply {
					seen = append(seen, r)
					return testutil.Reply{}
				})
				if _, _, err := post(t.Context(), client, platform, "/app", appBody); err != nil {
					t.Fatal(err)
				}
				if len(seen) != 1 || seen[0].Method != http.MethodPost || seen[0].Endpoint != "/app" || string(seen[0].Body) != appBody ||
					seen[0].Header.Get("Content-Type") != "application/json" {
					t.Errorf("saw %v", seen)
				}
			})
		}
	})

	t.Run("AnswersWithBodyAndHeader", func(t *testing.T) {
		t.Parallel()
		for name, open := range transports {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				sink, client, platform := open(t)
				sink.Intercept(func(testutil.Request) testutil.Reply {
					return testutil.Reply{
						Status: http.StatusUnauthorized,
						Body:   []byte(`"no"`),
						Header: http.Header{"content-type": {"application/json"}, "X-Extra": {"1", "2"}},
					}
				})
				resp, body, err := post(t.Context(), client, platform, "/app", appBody)
				if err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != http.StatusUnauthorized || body != `"no"` || resp.Header.Get("Content-Type") != "application/json" ||
					len(resp.Header.Values("X-Extra")) != 2 {
					t.Errorf("answer is %s %v %s", resp.Status, resp.Header, body)
				}
			})
		}
	})

	t.Run("MayLiftAndSetHooks", func(t *testing.T) {
		t.Parallel()
		sink := openSink(t)
		var lift func()
		lift = sink.Intercept(func(testutil.Request) testutil.Reply {
			lift()
			sink.Inject(testutil.Fault{Status: 502, Times: 1})
			return testutil.Reply{Status: 500}
		})
		var got []int
		for range 3 {
			resp, _, err := post(t.Context(), sink.Client(), "http://sink", "/app", appBody)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, resp.StatusCode)
		}
		if got[0] != 500 || got[1] != 502 || got[2] != 201 {
			t.Errorf("statuses are %v, want 500 502 201", got)
		}
	})

	t.Run("IsCalledOneAtATime", func(t *testing.T) {
		t.Parallel()
		sink := openSink(t)
		calls := 0
		sink.Intercept(func(testutil.Request) testutil.Reply {
			calls++
			return testutil.Reply{}
		})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					if _, _, err := post(t.Context(), sink.Client(), "http://sink", "/app", appBody); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if calls != 160 {
			t.Errorf("%d calls, want 160", calls)
		}
	})

	t.Run("LiftTwiceIsHarmless", func(t *testing.T) {
		t.Parallel()
		sink := openSink(t)
		first := sink.Inject(testutil.Fault{Status: 500})
		sink.Inject(testutil.Fault{Status: 502})
		first()
		first()
		resp, _, err := post(t.Context(), sink.Client(), "http://sink", "/app", appBody)
		if err != nil || resp.StatusCode != http.StatusBadGateway {
			t.Errorf("answer is %v, %v; want 502", resp, err)
		}
	})
}
