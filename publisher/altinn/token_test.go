package altinn_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/credentials"
)

// issuer is a token source that issues a new token after each Invalidate of the
// one before, as long as it has some.
type issuer struct {
	mu      sync.Mutex
	tokens  []string
	refused []string
	err     error // once there are no more tokens
}

func (i *issuer) Token() (*oauth2.Token, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.tokens) == 0 {
		return nil, i.err
	}
	return &oauth2.Token{AccessToken: i.tokens[0]}, nil
}

func (i *issuer) Invalidate(token *oauth2.Token) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.refused = append(i.refused, token.AccessToken)
	if len(i.tokens) > 0 && i.tokens[0] == token.AccessToken && (len(i.tokens) > 1 || i.err != nil) {
		i.tokens = i.tokens[1:]
	}
}

// takes is a service that accepts the given bearer token only.
func takes(t *testing.T, token, refusal string) *service {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer "+token {
			answer(http.StatusCreated, "", "")(w, r)
			return
		}
		answer(http.StatusUnauthorized, "", refusal)(w, r)
	})
}

func TestClient_Send_RefreshesTokensOnce(t *testing.T) {
	t.Parallel()
	down := errors.New("issuer is down")
	const foreign = `"ttd/app is not authorized to create events for it"`
	for name, tc := range map[string]struct {
		takes    string
		refusal  string
		issuer   *issuer
		want     error
		requests int64
		refused  []string
	}{
		"Accepted":       {"first", "", &issuer{tokens: []string{"first", "second"}}, nil, 1, nil},
		"Cured":          {"second", "", &issuer{tokens: []string{"first", "second"}}, nil, 2, []string{"first"}},
		"RefusedTwice":   {"third", "", &issuer{tokens: []string{"first", "second", "third"}}, publisher.ErrUnauthorized, 2, []string{"first"}},
		"NoOtherToken":   {"second", "", &issuer{tokens: []string{"first"}}, publisher.ErrUnauthorized, 1, []string{"first"}},
		"IssuerDown":     {"second", "", &issuer{tokens: []string{"first"}, err: down}, down, 1, []string{"first"}},
		"ForeignSource":  {"second", foreign, &issuer{tokens: []string{"first", "second"}}, publisher.ErrRejected, 1, nil},
		"ProblemDetails": {"second", `{"title":"Unauthorized"}`, &issuer{tokens: []string{"first", "second"}}, nil, 2, []string{"first"}},
		"NoTokenAtFirst": {"first", "", &issuer{err: down}, down, 0, nil},
		"MalformedToken": {"first", "", &issuer{tokens: []string{"fir\nst"}}, publisher.ErrUnauthorized, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := takes(t, tc.takes, tc.refusal)
			c := s.client(t, altinn.Config{Credentials: altinn.Credentials{Bearer: tc.issuer}})
			if err := c.Send(t.Context(), appItem); !errors.Is(err, tc.want) {
				t.Errorf("Send = %v, want %v", err, tc.want)
			}
			if got := s.requests.Load(); got != tc.requests {
				t.Errorf("requests = %d, want %d", got, tc.requests)
			}
			if diff := cmp.Diff(tc.refused, tc.issuer.refused); diff != "" {
				t.Errorf("invalidated (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClient_Send_RefreshesThePlatformAccessToken(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("PlatformAccessToken") != "second" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	platform := &issuer{tokens: []string{"first", "second"}}
	c := s.client(t, altinn.Config{Credentials: altinn.Credentials{PlatformAccessToken: platform, Bearer: static("user")}})
	if err := c.Send(t.Context(), appItem); err != nil {
		t.Errorf("Send = %v, want nil", err)
	}
	if diff := cmp.Diff([]string{"first"}, platform.refused); diff != "" {
		t.Errorf("invalidated (-want +got):\n%s", diff)
	}
}

func TestClient_Send_DoesNotRefreshWithoutTokens(t *testing.T) {
	t.Parallel()
	s := serve(t, answer(http.StatusUnauthorized, "", ""))
	if err := s.client(t, altinn.Config{}).Send(t.Context(), appItem); !errors.Is(err, publisher.ErrUnauthorized) {
		t.Errorf("Send = %v, want ErrUnauthorized", err)
	}
	if got := s.requests.Load(); got != 1 {
		t.Errorf("requests = %d, want 1", got)
	}
}

func TestClient_Send_DoesNotRefreshOnForbidden(t *testing.T) {
	t.Parallel()
	s := serve(t, answer(http.StatusForbidden, "", ""))
	c := s.client(t, altinn.Config{Credentials: altinn.Credentials{Bearer: &issuer{tokens: []string{"first", "second"}}}})
	if err := c.Send(t.Context(), appItem); !errors.Is(err, publisher.ErrUnauthorized) {
		t.Errorf("Send = %v, want ErrUnauthorized", err)
	}
	if got := s.requests.Load(); got != 1 {
		t.Errorf("requests = %d, want 1", got)
	}
}

func TestClient_Send_RefreshesInManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	s := takes(t, "second", "")
	bearer := &issuer{tokens: []string{"first", "second"}}
	c := s.client(t, altinn.Config{Credentials: altinn.Credentials{Bearer: bearer}})
	const workers, sends = 16, 20
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range sends {
				if err := c.Send(t.Context(), appItem); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if refused := s.requests.Load() - workers*sends; refused < 1 || refused > workers {
		t.Errorf("%d calls were refused, want 1 to %d", refused, workers)
	}
}

// hanging is a token source that gives its token once it may, and then at once.
type hanging struct{ release chan struct{} }

func (h hanging) Token() (*oauth2.Token, error) {
	<-h.release
	return &oauth2.Token{AccessToken: "token"}, nil
}

func TestClient_Send_DoesNotWaitForASourceThatHangs(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]func(oauth2.TokenSource) altinn.Credentials{
		"Bearer":   func(s oauth2.TokenSource) altinn.Credentials { return altinn.Credentials{Bearer: s} },
		"Platform": func(s oauth2.TokenSource) altinn.Credentials { return altinn.Credentials{PlatformAccessToken: s} },
		"Fallback": func(s oauth2.TokenSource) altinn.Credentials {
			return altinn.Credentials{Bearer: credentials.User(s)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				source := hanging{make(chan struct{})}
				c := newClient(t, "https://platform.altinn.no", altinn.Config{
					Credentials: with(source),
					Transport:   roundTripFunc(func(*http.Request) (*http.Response, error) { return response(201, ""), nil }),
				})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				start := time.Now()
				err := c.Send(ctx, appItem)
				if !isOnly(err, publisher.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Send = %v, want ErrUnavailable and context.DeadlineExceeded", err)
				}
				if took := time.Since(start); took != 10*time.Second {
					t.Errorf("Send took %v, want 10s", took)
				}
				close(source.release)
				if err := c.Send(t.Context(), appItem); err != nil {
					t.Errorf("Send = %v once the source answers, want nil", err)
				}
			})
		})
	}
}

func TestClient_Send_EndsBetweenItsTokens(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	bearer := appSourceFunc(func(context.Context, string, string) (*oauth2.Token, error) {
		cancel()
		return &oauth2.Token{AccessToken: "token"}, nil
	})
	platform := appSourceFunc(func(context.Context, string, string) (*oauth2.Token, error) {
		t.Error("the second source was asked")
		return &oauth2.Token{AccessToken: "token"}, nil
	})
	c := newClient(t, "https://platform.altinn.no", altinn.Config{
		Credentials: altinn.Credentials{Bearer: bearer, PlatformAccessToken: platform},
	})
	if err := c.Send(ctx, appItem); !isOnly(err, publisher.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("Send = %v, want ErrUnavailable and context.Canceled", err)
	}
}

func TestAppTokenSource_IsToldTheAppAndTheContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "value")
	var got []string
	perApp := appSourceFunc(func(ctx context.Context, org, app string) (*oauth2.Token, error) {
		value, _ := ctx.Value(key{}).(string)
		got = append(got, value+" "+org+" "+app)
		return &oauth2.Token{AccessToken: "token"}, nil
	})
	s := serve(t, answer(http.StatusCreated, "", ""))
	c := s.client(t, altinn.Config{Credentials: altinn.Credentials{Bearer: perApp, PlatformAccessToken: perApp}})
	if err := errors.Join(c.Send(ctx, appItem), c.Send(ctx, brokerItem)); err != nil {
		t.Fatalf("Send: %v", err)
	}
	want := []string{"value ttd apps-test", "value ttd apps-test", "value  ", "value  "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestAppOf(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		source:                               "ttd/apps-test",
		"https://ttd.apps.altinn.no/ttd/app": "ttd/app",
		"http://localhost:5005/ttd/app/":     "ttd/app",
		"https://ttd.apps.altinn.no/ttd":     "/",
		"https://ttd.apps.altinn.no/ttd/":    "/",
		"https://ttd.apps.altinn.no//app/x":  "/",
		"https://ttd.apps.altinn.no":         "/",
		"/ttd/app/instances":                 "/",
		"urn:altinn:resource:app_ttd_app":    "/",
		"":                                   "/",
	} {
		if org, app := altinn.AppOf(source); org+"/"+app != want {
			t.Errorf("AppOf(%q) = %q, %q, want %s", source, org, app, want)
		}
	}
}
