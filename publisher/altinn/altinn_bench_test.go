package altinn_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/oauth2"

	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/credentials"
)

// nothing is a transport that accepts every event and allocates nothing.
type nothing struct{ response http.Response }

func newNothing() *nothing {
	return &nothing{http.Response{StatusCode: http.StatusCreated, Body: http.NoBody}}
}

func (n *nothing) RoundTrip(r *http.Request) (*http.Response, error) {
	_ = r.Body.Close()
	return &n.response, nil
}

// overNothing returns a client with tokens of source whose transport is nothing: as a
// transport of the user's or, below an http.Transport, as one that is known to
// leave the request alone.
func overNothing(tb testing.TB, source oauth2.TokenSource, known bool) *altinn.Client {
	tb.Helper()
	var transport http.RoundTripper = newNothing()
	if known {
		below := &http.Transport{}
		below.RegisterProtocol("http", transport)
		transport = below
	}
	c, err := altinn.NewClient("http://localhost", altinn.Config{
		Transport:   transport,
		Credentials: altinn.Credentials{PlatformAccessToken: source, Bearer: source, SubscriptionKey: "key"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// Ours are the request with what its body reads from, the body, and the means to repeat
// it. http.Transport adds two to track the body; for a transport of the user's we
// add two for a header of its own. A source without TokenFor costs three each time that
// it is asked.
func TestClient_Send_Allocates(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the whole process
	token := credentials.Static("token")
	plain := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "token"})
	for name, tc := range map[string]struct {
		source oauth2.TokenSource
		known  bool
		want   float64
	}{
		"OurTransport":   {token, true, 3 + 2},
		"UsersTransport": {token, false, 3 + 2},
		"PlainSources":   {plain, true, 3 + 2 + 2*3},
	} {
		c := overNothing(t, tc.source, tc.known)
		got := testing.AllocsPerRun(100, func() {
			if err := c.Send(t.Context(), appItem); err != nil {
				t.Errorf("Send: %v", err)
			}
		})
		if got > tc.want {
			t.Errorf("%s: Send allocates %v times, want %v at most", name, got, tc.want)
		}
	}
}

func BenchmarkClient_Send(b *testing.B) {
	for name, known := range map[string]bool{"OurTransport": true, "UsersTransport": false} {
		b.Run(name, func(b *testing.B) {
			c := overNothing(b, credentials.Static("token"), known)
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Send(b.Context(), appItem); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSocket compares Send with what a careful caller of net/http does, over
// the same transport settings and the same service.
func BenchmarkSocket(b *testing.B) {
	transport := altinn.NewTransport()
	defer transport.CloseIdleConnections()
	s := newBenchServer(b)
	token := credentials.Static("token")
	c, err := altinn.NewClient(s, altinn.Config{
		Transport: transport, Credentials: altinn.Credentials{PlatformAccessToken: token, Bearer: token},
	})
	if err != nil {
		b.Fatal(err)
	}
	client := &http.Client{Transport: transport}
	for name, send := range map[string]func() error{
		"Send":    func() error { return c.Send(b.Context(), appItem) },
		"NetHTTP": func() error { return postPlain(client, s+"/events/api/v1/app", appItem.Body) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := send(); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func postPlain(client *http.Client, url string, body []byte) error {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer token")
	r.Header.Set("PlatformAccessToken", "token")
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return err
}

// newBenchServer returns the address of a service that accepts every event.
func newBenchServer(b *testing.B) string {
	b.Helper()
	s := httptest.NewServer(answer(http.StatusCreated, "application/json", `"`+eventID+`"`))
	b.Cleanup(s.Close)
	return s.URL
}
