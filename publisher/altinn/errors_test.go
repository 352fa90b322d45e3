package altinn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
)

func TestSend_OfATokenSourceThatFails(t *testing.T) {
	t.Parallel()
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for name, tc := range map[string]struct {
		err  error
		want error
		text string
	}{
		"Unknown":       {errors.New("no key"), publisher.ErrUnauthorized, "no key"},
		"Network":       {fmt.Errorf("fetch: %w", dial), publisher.ErrUnavailable, "fetch: dial tcp: connection refused"},
		"URL":           {fmt.Errorf("fetch: %w", &url.Error{Op: "Post", URL: "https://idp.example/token?code=hunter2", Err: dial}), publisher.ErrUnavailable, "dial tcp: connection refused"},
		"Deadline":      {context.DeadlineExceeded, publisher.ErrUnavailable, "context deadline exceeded"},
		"Cancelled":     {context.Canceled, publisher.ErrUnavailable, "context canceled"},
		"Unavailable":   {fmt.Errorf("exchange: %w", publisher.ErrUnavailable), publisher.ErrUnavailable, "exchange: endpoint unavailable"},
		"Unauthorized":  {fmt.Errorf("exchange: %w", publisher.ErrUnauthorized), publisher.ErrUnauthorized, "exchange: not authorized by the endpoint"},
		"NeverDiscards": {&altinn.ResponseError{Method: "GET", Endpoint: "/exchange", Status: 400}, publisher.ErrUnauthorized, "GET /exchange: 400 Bad Request"},
		"Refused":       {&oauth2.RetrieveError{Response: &http.Response{Status: "400 Bad Request", StatusCode: http.StatusBadRequest}, Body: []byte("hunter2")}, publisher.ErrUnauthorized, "the token endpoint answered 400 Bad Request"},
		"RefusedByCode": {&oauth2.RetrieveError{Response: &http.Response{StatusCode: http.StatusBadRequest}, ErrorCode: "invalid_grant", ErrorDescription: "expired"}, publisher.ErrUnauthorized, `oauth2: "invalid_grant" "expired"`},
		"IssuerDown":    {&oauth2.RetrieveError{Response: &http.Response{Status: "503 Busy", StatusCode: http.StatusServiceUnavailable}}, publisher.ErrUnavailable, "the token endpoint answered 503 Busy"},
		"IssuerBusy":    {&oauth2.RetrieveError{Response: &http.Response{Status: "429 Slow", StatusCode: http.StatusTooManyRequests}}, publisher.ErrUnavailable, "the token endpoint answered 429 Slow"},
		"Personal":      {errors.New("no token\nfor 16035001577"), publisher.ErrUnauthorized, "no token for ***********"},
		"Empty":         {nil, publisher.ErrUnauthorized, "the source returned an empty token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, answer(http.StatusCreated, "", ""))
			failing := sourceFunc(func() (*oauth2.Token, error) { return nil, tc.err })
			for header, credentials := range map[string]altinn.Credentials{
				"bearer token":          {Bearer: failing},
				"platform access token": {PlatformAccessToken: failing},
			} {
				err := s.client(t, altinn.Config{Credentials: credentials}).Send(t.Context(), appItem)
				if !isOnly(err, tc.want) {
					t.Errorf("Send = %v, want it to be %q only", err, tc.want)
				}
				if want := "POST /app: " + header + ": " + tc.text; err == nil || err.Error() != want {
					t.Errorf("Send = %v, want %s", err, want)
				}
				if tc.err != nil && name != "NeverDiscards" && !errors.Is(err, tc.err) {
					t.Errorf("Send = %v, which hides its cause", err)
				}
			}
			if got := s.requests.Load(); got != 0 {
				t.Errorf("requests = %d, want none", got)
			}
		})
	}
}

func TestSend_OfAMalformedToken(t *testing.T) {
	t.Parallel()
	s := serve(t, answer(http.StatusCreated, "", ""))
	for name, credentials := range map[string]altinn.Credentials{
		"bearer token":          {Bearer: static("hunter2\r\nX-Other: 1")},
		"platform access token": {PlatformAccessToken: static("hunter2 ")},
	} {
		err := s.client(t, altinn.Config{Credentials: credentials}).Send(t.Context(), appItem)
		want := "POST /app: " + name + ": it has white space or characters other than ASCII"
		if !isOnly(err, publisher.ErrUnauthorized) || err.Error() != want {
			t.Errorf("Send = %v, want %s", err, want)
		}
	}
	if got := s.requests.Load(); got != 0 {
		t.Errorf("requests = %d, want none", got)
	}
}

func TestSend_OfAnIssuerThatIsGone(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	s := serve(t, answer(http.StatusCreated, "", ""))
	c := s.client(t, altinn.Config{Credentials: altinn.Credentials{
		Bearer: (&clientcredentials.Config{ClientID: "id", ClientSecret: "hunter2", TokenURL: gone.URL + "/token?code=hunter2"}).TokenSource(t.Context()),
	}})
	err := c.Send(t.Context(), appItem)
	if !isOnly(err, publisher.ErrUnavailable) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Send = %v, want ErrUnavailable without secrets", err)
	}
}

func TestSend_OfAnUnreachableService(t *testing.T) {
	t.Parallel()
	s := serve(t, answer(http.StatusCreated, "", ""))
	c := s.client(t, altinn.Config{Credentials: altinn.Credentials{Bearer: static("hunter2")}})
	s.Close()
	err := c.Send(t.Context(), appItem)
	if !isOnly(err, publisher.ErrUnavailable) {
		t.Errorf("Send = %v, want ErrUnavailable only", err)
	}
	if _, ok := errors.AsType[*net.OpError](err); !ok || !strings.HasPrefix(err.Error(), "POST /app: dial tcp 127.0.0.1:") {
		t.Errorf("Send = %v, want the operation and the network's own error", err)
	}
}

func TestSend_TellsNoSecretOfItsRequest(t *testing.T) {
	t.Parallel()
	credentials := altinn.Credentials{
		PlatformAccessToken: static("hunter1"), Bearer: static("hunter2"), SubscriptionKey: "hunter3",
	}
	echo := func(r *http.Request) string {
		return fmt.Sprintf("%s %s, 16035001577: %v", r.Method, r.URL, r.Header)
	}
	for name, transport := range map[string]roundTripFunc{
		"OfTheTransport": func(r *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Post", URL: r.URL.String() + "?hunter2", Err: errors.New(echo(r))}
		},
		"OfTheAnswer": func(r *http.Request) (*http.Response, error) { return response(502, echo(r)), nil },
		"OfTheProblem": func(r *http.Request) (*http.Response, error) {
			return response(400, fmt.Sprintf(`{"title":%q,"detail":%q}`, echo(r), echo(r))), nil
		},
		"OfARedirect": func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {"/" + r.Header.Get("PlatformAccessToken") + "/16035001577"}}}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := newClient(t, "https://platform.altinn.no", altinn.Config{Credentials: credentials, Transport: transport}).Send(t.Context(), appItem)
			if err == nil {
				t.Fatal("Send = nil, want an error")
			}
			text := err.Error()
			if answered, ok := errors.AsType[*altinn.ResponseError](err); ok {
				text += answered.Title + answered.Detail + answered.Body
			}
			if strings.Contains(text, "hunter") || strings.Contains(text, "16035001577") {
				t.Errorf("Send = %s, which tells a secret", text)
			}
			if !strings.Contains(text, "REDACTED") {
				t.Errorf("Send = %s, want the rest of the text", text)
			}
		})
	}
}

func TestSend_KeepsTheCauseOfANetworkError(t *testing.T) {
	t.Parallel()
	c := newClient(t, "https://platform.altinn.no", altinn.Config{
		Transport: roundTripFunc(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }),
	})
	err := c.Send(t.Context(), appItem)
	if !errors.Is(err, io.ErrUnexpectedEOF) || err.Error() != "POST /app: unexpected EOF" {
		t.Errorf("Send = %v, want POST /app: unexpected EOF", err)
	}
}
