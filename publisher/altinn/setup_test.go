package altinn_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/oauth2"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/outbox"
)

const (
	source  = "https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd"
	eventID = "4815d141-8cf6-4555-8c3c-e069c7b80c79"
)

var (
	appItem = outbox.Item{
		ID: "3f1c0c9e-0000-4000-8000-000000000001", Source: source, Type: "app.instance.created", Endpoint: publisher.EndpointApp,
		Body: []byte(`{"specversion":"1.0","type":"app.instance.created","source":"` + source + `","subject":"/party/50019855"}`),
	}
	brokerItem = outbox.Item{
		ID: "3f1c0c9e-0000-4000-8000-000000000002", Source: "https://platform.altinn.no/broker/api/v1/filetransfer",
		Type: "no.altinn.broker.published", Endpoint: publisher.EndpointEvents,
		Body: []byte(`{"specversion":"1.0","id":"3f1c0c9e-0000-4000-8000-000000000002","type":"no.altinn.broker.published"}`),
	}
)

// discardLog is for servers whose clients hang up on purpose.
var discardLog = log.New(io.Discard, "", 0)

// service is an Events API on a loopback socket that counts.
type service struct {
	*httptest.Server

	requests, connections atomic.Int64
}

// serve starts a service that answers with handler.
func serve(t *testing.T, handler http.HandlerFunc) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		handler(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// client returns a client of s with its own transport, unless cfg has one.
func (s *service) client(t *testing.T, cfg altinn.Config) *altinn.Client {
	t.Helper()
	return newClient(t, s.URL, cfg)
}

func newClient(t *testing.T, url string, cfg altinn.Config) *altinn.Client {
	t.Helper()
	c, err := altinn.NewClient(url, cfg)
	if err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// answer answers every request with status and body.
func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// roundTripFunc is a transport made of a function.
type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func response(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body))}
}

// sourceFunc is a token source made of a function.
type sourceFunc func() (*oauth2.Token, error)

func (f sourceFunc) Token() (*oauth2.Token, error) { return f() }

// static is a token source that always has the same token.
func static(token string) oauth2.TokenSource {
	return sourceFunc(func() (*oauth2.Token, error) { return &oauth2.Token{AccessToken: token}, nil })
}

// appSourceFunc is an altinn.AppTokenSource made of a function.
type appSourceFunc func(ctx context.Context, org, app string) (*oauth2.Token, error)

func (f appSourceFunc) Token() (*oauth2.Token, error) { panic("Token called on an AppTokenSource") }

func (f appSourceFunc) TokenFor(ctx context.Context, org, app string) (*oauth2.Token, error) {
	return f(ctx, org, app)
}
