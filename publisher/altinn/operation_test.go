package altinn_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/oauth2"

	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/outbox"
)

func TestRequest_IsWhatNetHTTPSendsAtOnce(t *testing.T) {
	t.Parallel()
	c := newClient(t, "https://platform.altinn.no", altinn.Config{
		Transport: roundTripFunc(func(r *http.Request) (*http.Response, error) {
			if r.ContentLength != int64(len(appItem.Body)) {
				t.Errorf("ContentLength = %d, want %d", r.ContentLength, len(appItem.Body))
			}
			first, err := io.ReadAll(r.Body)
			if err != nil || !bytes.Equal(first, appItem.Body) {
				t.Errorf("Body = %q, %v, want the item's", first, err)
			}
			for range 2 {
				again, err := r.GetBody()
				if err != nil {
					t.Fatalf("GetBody: %v", err)
				}
				got, err := io.ReadAll(again)
				if err != nil || !bytes.Equal(got, appItem.Body) {
					t.Errorf("GetBody = %q, %v, want the item's body", got, err)
				}
			}
			return response(http.StatusCreated, ""), nil
		}),
	})
	if err := c.Send(t.Context(), appItem); err != nil {
		t.Fatalf("Send: %v", err)
	}
}

// Transports that write to the request break the contract of http.RoundTripper, and
// are common all the same.
func TestRequest_MayBeWrittenToByTheTransport(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(*http.Request){
		"URL":               func(r *http.Request) { r.URL.Host = "gateway.example.com" },
		"Header":            func(r *http.Request) { r.Header.Set("X-Written", "yes") },
		"ReplacedHeader":    func(r *http.Request) { r.Header.Set("User-Agent", "gateway") },
		"AddedHeader":       func(r *http.Request) { r.Header.Add("User-Agent", "gateway") },
		"DeletedHeader":     func(r *http.Request) { r.Header.Del("User-Agent") },
		"OverwrittenHeader": func(r *http.Request) { r.Header["User-Agent"][0] = "gateway" },
		"RenamedHeader": func(r *http.Request) {
			r.Header["X-Agent"] = r.Header["User-Agent"]
			r.Header.Del("User-Agent")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent atomic.Int32
			c := newClient(t, "https://platform.altinn.no", altinn.Config{
				Transport: roundTripFunc(func(r *http.Request) (*http.Response, error) {
					if got := r.URL.String(); got != "https://platform.altinn.no/events/api/v1/app" {
						t.Errorf("URL is %q", got)
					}
					if h := r.Header; len(h) != 2 || len(h["User-Agent"]) != 1 || h.Get("User-Agent") != "altinn-go-events" {
						t.Errorf("header is %v", h)
					}
					if sent.Add(1)%2 == 0 { // of those who write, some do not always
						write(r)
					}
					return response(http.StatusCreated, ""), nil
				}),
			})
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for range 25 {
						if err := c.Send(t.Context(), appItem); err != nil {
							t.Errorf("Send: %v", err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// POST /events has a header without a value, which is easily overlooked.
func TestRequest_MayBeWrittenToWhereAHeaderIsEmpty(t *testing.T) {
	t.Parallel()
	calls := 0
	c := newClient(t, "https://platform.altinn.no", altinn.Config{
		Transport: roundTripFunc(func(r *http.Request) (*http.Response, error) {
			values, ok := r.Header["X-Idempotency-Key"]
			if got := r.Header.Get("Traceparent"); !ok || len(values) > 0 || got != "" {
				t.Errorf("header of call %d is %v", calls, r.Header)
			}
			if calls++; calls%2 == 0 {
				r.Header.Del("X-Idempotency-Key")
				r.Header.Set("Traceparent", "of another call")
			}
			return response(http.StatusOK, ""), nil
		}),
	})
	for range 20 {
		if err := c.Send(t.Context(), brokerItem); err != nil {
			t.Fatalf("Send: %v", err)
		}
	}
}

// As long as no other request is written to.
func TestRequest_MayBeKeptByTheTransport(t *testing.T) {
	t.Parallel()
	var (
		readers sync.WaitGroup
		kept    []*http.Request
	)
	c := newClient(t, "https://platform.altinn.no", altinn.Config{
		Credentials: altinn.Credentials{Bearer: appSourceFunc(func(_ context.Context, _, app string) (*oauth2.Token, error) {
			return &oauth2.Token{AccessToken: app}, nil
		})},
		Transport: roundTripFunc(func(r *http.Request) (*http.Response, error) {
			kept = append(kept, r)
			readers.Go(func() { // a log that is written late
				_ = r.Header.Clone()
				_ = r.URL.String()
			})
			return response(http.StatusCreated, ""), nil
		}),
	})
	for i := range 20 {
		item := appItem
		item.Source = "https://ttd.apps.altinn.no/ttd/" + []string{"first", "second"}[i/10]
		if err := c.Send(t.Context(), item); err != nil {
			t.Fatalf("Send: %v", err)
		}
	}
	readers.Wait()
	for i, r := range kept {
		token := "Bearer " + []string{"first", "second"}[i/10]
		if got := r.Header.Get("Authorization"); got != token || len(r.Header) != 3 {
			t.Errorf("header of call %d is %v, want %q", i, r.Header, token)
		}
		if got := r.URL.String(); got != "https://platform.altinn.no/events/api/v1/app" {
			t.Errorf("URL of call %d is %q", i, got)
		}
	}
}

func TestRequest_HasTheTokensOfItsOwnCall(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+r.Header.Get("PlatformAccessToken") {
			t.Errorf("tokens of two calls in one request: %q", r.Header)
		}
		w.WriteHeader(http.StatusCreated)
	})
	perCall := appSourceFunc(func(_ context.Context, _, app string) (*oauth2.Token, error) {
		return &oauth2.Token{AccessToken: app}, nil
	})
	c := s.client(t, altinn.Config{Credentials: altinn.Credentials{Bearer: perCall, PlatformAccessToken: perCall}})
	var wg sync.WaitGroup
	for _, app := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			item := appItem
			item.Source = "https://ttd.apps.altinn.no/ttd/" + app
			for range 25 {
				if err := c.Send(t.Context(), item); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

// A connection that the server closes just as it is used again loses the request
// without an answer. The service takes an event of /events once, so it is safe to
// repeat; one of /app it would take twice.
func TestRequest_IsRepeatedOnABrokenConnectionOnlyWhereThatIsSafe(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		item     outbox.Item
		requests int64
		fails    bool
	}{
		"Events": {brokerItem, 3, false},
		"App":    {appItem, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s *service
			s = serve(t, func(_ http.ResponseWriter, r *http.Request) {
				if _, sent := r.Header["X-Idempotency-Key"]; sent {
					t.Error("X-Idempotency-Key was sent")
				}
				_, _ = io.Copy(io.Discard, r.Body)
				if s.requests.Load() == 2 {
					panic(http.ErrAbortHandler)
				}
			})
			c := s.client(t, altinn.Config{})
			if err := c.Send(t.Context(), tc.item); err != nil {
				t.Fatalf("first Send: %v", err)
			}
			if err := c.Send(t.Context(), tc.item); (err != nil) != tc.fails {
				t.Errorf("second Send = %v, want an error: %t", err, tc.fails)
			}
			if got := s.requests.Load(); got != tc.requests {
				t.Errorf("requests = %d, want %d", got, tc.requests)
			}
		})
	}
}
