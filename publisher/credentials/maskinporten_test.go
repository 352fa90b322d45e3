package credentials_test

import (
	"context"
	"crypto"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/credentials"
	"github.com/altinn-go/events/testutil"
)

// tokenService knows the client "service" by the first key.
func tokenService(tb testing.TB, cfg testutil.TokenServiceConfig) *testutil.TokenService {
	tb.Helper()
	if cfg.Clients == nil {
		cfg.Clients = map[string]testutil.TokenClient{"service": {Keys: []crypto.PublicKey{firstKey().Public()}}}
	}
	return testutil.NewTokenService(tb, cfg)
}

// maskinportenConfig is that of the client "service" at a service.
func maskinportenConfig(service *testutil.TokenService) credentials.MaskinportenConfig {
	return credentials.MaskinportenConfig{
		ClientID: "service", Scopes: []string{"altinn:serviceowner", "altinn:events.publish"}, KeyID: "key-1",
		URL: credentials.TT02().MaskinportenURL, Transport: service.Transport(),
	}
}

func newMaskinporten(tb testing.TB, keys credentials.KeySource, cfg credentials.MaskinportenConfig) *credentials.Maskinporten {
	tb.Helper()
	m, err := credentials.NewMaskinporten(keys, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// grants records the grants that pass.
type grants struct {
	next http.RoundTripper

	mu   sync.Mutex
	sent []string
}

func (g *grants) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.sent = append(g.sent, form.Get("assertion"))
	g.mu.Unlock()
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	return g.next.RoundTrip(r)
}

func TestMaskinporten_Grant(t *testing.T) {
	t.Parallel()
	jwk, err := credentials.ParseKey([]byte(jwkOf(firstKey(), nil)), "")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		keys   credentials.KeySource
		change func(*credentials.MaskinportenConfig)
		header map[string]any
		claims map[string]any
	}{
		"KeyID":       {newKey(t), func(*credentials.MaskinportenConfig) {}, map[string]any{"kid": "key-1", "alg": "RS256"}, nil},
		"JWK":         {jwk, func(c *credentials.MaskinportenConfig) { c.KeyID = "" }, map[string]any{"kid": "key-1"}, nil},
		"Certificate": {newKey(t), func(c *credentials.MaskinportenConfig) { c.KeyID = "" }, map[string]any{"kid": nil}, nil},
		"RS384":       {newKey(t), func(c *credentials.MaskinportenConfig) { c.Algorithm = "RS384" }, map[string]any{"alg": "RS384"}, nil},
		"RS512":       {newKey(t), func(c *credentials.MaskinportenConfig) { c.Algorithm = "RS512" }, map[string]any{"alg": "RS512"}, nil},
		"Resource": {
			newKey(t), func(c *credentials.MaskinportenConfig) {
				c.Resource, c.ConsumerOrg = "https://api.example/", "974760673"
			}, nil,
			map[string]any{"resource": "https://api.example/", "consumer_org": "974760673"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				service := tokenService(t, testutil.TokenServiceConfig{})
				cfg := maskinportenConfig(service)
				recorded := &grants{next: service.Transport()}
				cfg.Transport = recorded
				tt.change(&cfg)
				token, err := newMaskinporten(t, tt.keys, cfg).Token()
				if err != nil || !token.Expiry.Equal(time.Now().Add(2*time.Minute)) {
					t.Fatalf("token: %v, %v", token, err)
				}
				header, claims := parse(t, recorded.sent[0], firstKey().Public())
				for name, want := range tt.header {
					if header[name] != want {
						t.Errorf("header %s is %v, want %v", name, header[name], want)
					}
				}
				if _, chain := header["x5c"].([]any); chain != (header["kid"] == nil) {
					t.Errorf("header is %v, want kid or x5c", header)
				}
				now := float64(time.Now().Unix())
				want := map[string]any{
					"aud": "https://test.maskinporten.no/", "iss": "service", "scope": "altinn:serviceowner altinn:events.publish", "iat": now, "exp": now + 110,
				}
				maps.Copy(want, tt.claims)
				for name, value := range want {
					if claims[name] != value {
						t.Errorf("claim %s is %v, want %v", name, claims[name], value)
					}
				}
				if jti, _ := claims["jti"].(string); len(jti) != 36 || len(claims) != len(want)+1 {
					t.Errorf("claims are %v", claims)
				}
			})
		})
	}
}

func TestNewMaskinporten_Refuses(t *testing.T) {
	t.Parallel()
	bare, err := credentials.NewKey(firstKey())
	if err != nil {
		t.Fatal(err)
	}
	_, err = credentials.NewMaskinporten(nil, credentials.MaskinportenConfig{Scopes: []string{"a b"}, Algorithm: "none", URL: "http://maskinporten.no", ConsumerOrg: "x"})
	wantError(t, err, "ClientID is missing", "has a space or the like", `Algorithm is "none", want one of RS256`, "want https", "ConsumerOrg is not 9 digits", "there is no key")
	_, err = credentials.NewMaskinporten(bare, credentials.MaskinportenConfig{ClientID: "c", Algorithm: "HS256", URL: "x"})
	wantError(t, err, "Scopes are missing", `Algorithm is "HS256"`, "URL is no URL", "no kid (set KeyID), and the key has no certificate")
	_, err = credentials.NewExchange(nil, credentials.ExchangeConfig{PlatformURL: "https://platform.altinn.no/?a=b"})
	wantError(t, err, "has a user, query or fragment", "no source of Maskinporten tokens")
}

// What Maskinporten refuses is an error that says what to look at, and how it is met.
func TestMaskinporten_Errors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		service testutil.TokenServiceConfig
		change  func(*credentials.MaskinportenConfig)
		fault   testutil.Fault
		class   error
		want    string
	}{
		"OtherKey":      {testutil.TokenServiceConfig{Clients: map[string]testutil.TokenClient{"service": {Keys: []crypto.PublicKey{secondKey().Public()}}}}, nil, testutil.Fault{}, publisher.ErrUnauthorized, "maskinporten: no token: answered 400: invalid_grant (check the key"},
		"OtherClient":   {testutil.TokenServiceConfig{}, func(c *credentials.MaskinportenConfig) { c.ClientID = "x" }, testutil.Fault{}, publisher.ErrUnauthorized, "invalid_client (check the client id"},
		"OtherScope":    {testutil.TokenServiceConfig{Clients: map[string]testutil.TokenClient{"service": {Keys: []crypto.PublicKey{firstKey().Public()}, Scopes: []string{"x"}}}}, nil, testutil.Fault{}, publisher.ErrUnauthorized, "invalid_scope"},
		"OtherAudience": {testutil.TokenServiceConfig{Audience: "https://maskinporten.no/"}, nil, testutil.Fault{}, publisher.ErrUnauthorized, "invalid_grant"},
		"Down":          {testutil.TokenServiceConfig{}, nil, testutil.Fault{Status: 503}, publisher.ErrUnavailable, "answered 503"},
		"TooMany":       {testutil.TokenServiceConfig{}, nil, testutil.Fault{Status: 429}, publisher.ErrUnavailable, "answered 429"},
		"Reset":         {testutil.TokenServiceConfig{}, nil, testutil.Fault{Reset: true}, publisher.ErrUnavailable, "connection reset"},
		"Hang":          {testutil.TokenServiceConfig{}, nil, testutil.Fault{Hang: true}, publisher.ErrUnavailable, "deadline exceeded"},
		"Truncated":     {testutil.TokenServiceConfig{}, nil, testutil.Fault{Truncate: true}, publisher.ErrUnavailable, "broke off"},
		"Nonsense":      {testutil.TokenServiceConfig{}, nil, testutil.Fault{Status: 200}, publisher.ErrUnauthorized, "no access_token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				service := tokenService(t, tt.service)
				cfg := maskinportenConfig(service)
				if tt.change != nil {
					tt.change(&cfg)
				}
				tt.fault.Endpoint = "/token"
				service.Inject(tt.fault)
				_, err := newMaskinporten(t, newKey(t), cfg).TokenFor(t.Context(), "", "")
				wantError(t, err, tt.want)
				other := publisher.ErrUnavailable
				if errors.Is(tt.class, publisher.ErrUnavailable) {
					other = publisher.ErrUnauthorized
				}
				if !errors.Is(err, tt.class) || errors.Is(err, other) {
					t.Errorf("%v is not only %v", err, tt.class)
				}
				if e, ok := errors.AsType[*credentials.Error](err); !ok || e.Issuer != "maskinporten" {
					t.Errorf("%T is no *credentials.Error of Maskinporten", err)
				}
			})
		})
	}
}

// A grant is taken within ten seconds, so clocks that differ more are made up for.
func TestMaskinporten_ClockSkew(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-time.Hour, -30 * time.Second, -5 * time.Second, 0, 5 * time.Second, 30 * time.Second, time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				service := tokenService(t, testutil.TokenServiceConfig{Ahead: ahead})
				m := newMaskinporten(t, newKey(t), maskinportenConfig(service))
				exchange, err := credentials.NewExchange(m, credentials.ExchangeConfig{Transport: service.Transport()})
				if err != nil {
					t.Fatal(err)
				}
				for range 3 {
					token, err := exchange.TokenFor(t.Context(), "", "")
					if err != nil {
						t.Fatal(err)
					}
					if left := time.Until(token.Expiry); left < 25*time.Minute || left > 31*time.Minute {
						t.Errorf("the token expires in %v by our clock, want about 30 min", left)
					}
					exchange.Invalidate(token)
					time.Sleep(2 * time.Minute)
				}
			})
		})
	}
}

// A key that was rotated at Maskinporten and in the file is used without a restart.
func TestMaskinporten_RotatedKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "key.json")
		write(t, path, jwkOf(firstKey(), nil))
		keys, err := credentials.KeyFile(credentials.KeyFileConfig{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		clients := map[string]testutil.TokenClient{"service": {Keys: []crypto.PublicKey{firstKey().Public()}}}
		service := tokenService(t, testutil.TokenServiceConfig{Clients: clients})
		cfg := maskinportenConfig(service)
		recorded := &grants{next: service.Transport()}
		cfg.KeyID, cfg.Transport = "", recorded
		m := newMaskinporten(t, keys, cfg)
		if _, err := m.Token(); err != nil {
			t.Fatal(err)
		}
		write(t, path, jwkOf(secondKey(), map[string]string{"kid": "key-2"}))
		clients["service"] = testutil.TokenClient{Keys: []crypto.PublicKey{secondKey().Public()}}
		time.Sleep(2 * time.Minute)
		if _, err := m.Token(); err != nil {
			t.Fatal(err)
		}
		if header, _ := parse(t, recorded.sent[1], secondKey().Public()); header["kid"] != "key-2" {
			t.Errorf("header is %v, want the new key's", header)
		}
	})
}

// Keys that the issuer changes are none of ours to notice.
func TestExchange_IssuerRotates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := tokenService(t, testutil.TokenServiceConfig{})
		exchange, err := credentials.NewExchange(newMaskinporten(t, newKey(t), maskinportenConfig(service)),
			credentials.ExchangeConfig{Transport: service.Transport()})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			token, err := exchange.Token()
			if err != nil {
				t.Fatal(err)
			}
			parse(t, token.AccessToken, service.Keys()[n])
			if err := service.Rotate(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * time.Minute)
		}
	})
}

func TestExchange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := tokenService(t, testutil.TokenServiceConfig{
			Clients: map[string]testutil.TokenClient{"service": {Keys: []crypto.PublicKey{firstKey().Public()}, Org: "digdir", OrgNumber: "991825827"}},
		})
		for test, org := range map[bool]string{false: "digdir", true: "ttd"} {
			quoted := roundTrip(func(r *http.Request) (*http.Response, error) {
				resp, err := service.Transport().RoundTrip(r)
				if err == nil && test {
					body, _ := io.ReadAll(resp.Body)
					resp.Body = io.NopCloser(strings.NewReader(`"` + string(body) + "\"\n"))
				}
				return resp, err
			})
			exchange, err := credentials.NewExchange(newMaskinporten(t, newKey(t), maskinportenConfig(service)),
				credentials.ExchangeConfig{PlatformURL: credentials.TT02().PlatformURL, Test: test, Transport: quoted})
			if err != nil {
				t.Fatal(err)
			}
			token, err := exchange.Token()
			if err != nil {
				t.Fatal(err)
			}
			if _, claims := parse(t, token.AccessToken, service.Keys()[0]); claims["urn:altinn:org"] != org || claims["urn:altinn:orgNumber"] != "991825827" {
				t.Errorf("test=%t: claims are %v", test, claims)
			}
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A Maskinporten token that the platform refuses is renewed once.
func TestExchange_RenewsARefusedToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for refusals, want := range map[int]error{1: nil, 2: publisher.ErrUnauthorized} {
			service := tokenService(t, testutil.TokenServiceConfig{})
			service.Inject(testutil.Fault{Endpoint: "/authentication", Status: http.StatusUnauthorized, Times: refusals})
			exchange, err := credentials.NewExchange(newMaskinporten(t, newKey(t), maskinportenConfig(service)),
				credentials.ExchangeConfig{Transport: service.Transport()})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := exchange.Token(); !errors.Is(err, want) {
				t.Errorf("%d refusals: %v, want %v", refusals, err, want)
			}
			if granted, _ := service.Issued(); granted != 2 {
				t.Errorf("%d refusals: %d grants, want 2", refusals, granted)
			}
		}
	})
}

func TestExchange_BadAnswers(t *testing.T) {
	t.Parallel()
	forever := must(jwt.New(jwt.SigningMethodHS256).SignedString([]byte("x")))
	expired := must(jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"exp": 1}).SignedString([]byte("x")))
	for body, want := range map[string]string{"": "is no token", "hello": "is no token", forever: "has no expiry", expired: "has expired already"} {
		exchange, err := credentials.NewExchange(credentials.Static("theirs"), credentials.ExchangeConfig{
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = exchange.Token()
		wantError(t, err, "altinn exchange: no token", want)
		if body != "" && strings.Contains(err.Error(), body) {
			t.Errorf("the error holds the answer: %v", err)
		}
	}
}

// Callers share an attempt, and one that gives up does not end it for the others.
func TestMaskinporten_SharesAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := tokenService(t, testutil.TokenServiceConfig{})
		service.Inject(testutil.Fault{Endpoint: "/token", Delay: 5 * time.Second})
		m := newMaskinporten(t, newKey(t), maskinportenConfig(service))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := m.TokenFor(ctx, "", ""); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("who gives up gets %v after %v", err, time.Since(start))
		}
		var waiting sync.WaitGroup
		for range 64 {
			waiting.Go(func() {
				if _, err := m.TokenFor(t.Context(), "", ""); err != nil || time.Since(start) != 5*time.Second {
					t.Errorf("%v after %v, want the token of the first attempt", err, time.Since(start))
				}
			})
		}
		waiting.Wait()
		if granted, _ := service.Issued(); granted != 1 {
			t.Errorf("%d grants, want 1", granted)
		}
	})
}

// start is when synctest begins.
var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// While the issuer is down the last token serves until it expires; attempts pause,
// and begin again when the issuer is back.
func TestMaskinporten_LastGoodToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := tokenService(t, testutil.TokenServiceConfig{})
		attempts := 0
		cfg := maskinportenConfig(service)
		cfg.Transport = roundTrip(func(r *http.Request) (*http.Response, error) { attempts++; return service.Transport().RoundTrip(r) })
		m := newMaskinporten(t, newKey(t), cfg)
		first, err := m.Token()
		if err != nil {
			t.Fatal(err)
		}
		lift := service.Inject(testutil.Fault{Endpoint: "/token", Status: http.StatusBadGateway})
		for time.Now().Before(first.Expiry) {
			if token, err := m.Token(); err != nil || token != first {
				t.Fatalf("%v before it expires: %v", time.Until(first.Expiry), err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		for range 6000 {
			if _, err := m.Token(); !errors.Is(err, publisher.ErrUnavailable) {
				t.Fatalf("after it has expired: %v", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if attempts < 20 || attempts > 60 {
			t.Errorf("%d attempts in ten minutes, want them to pause for up to 30 s", attempts)
		}
		lift()
		time.Sleep(31 * time.Second)
		if _, err := m.Token(); err != nil {
			t.Errorf("when the issuer is back: %v", err)
		}
	})
}

// Before a token runs out it is renewed in the background: nobody waits for a slow
// issuer, and no token is used up before the next is there.
func TestMaskinporten_RenewsAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := tokenService(t, testutil.TokenServiceConfig{})
		m := newMaskinporten(t, newKey(t), maskinportenConfig(service))
		if _, err := m.Token(); err != nil {
			t.Fatal(err)
		}
		service.Inject(testutil.Fault{Endpoint: "/token", Delay: 5 * time.Second})
		for time.Since(start) < time.Hour {
			began := time.Now()
			token, err := m.Token()
			if err != nil || time.Since(began) > 0 {
				t.Fatalf("waited %v, %v", time.Since(began), err)
			}
			if left := time.Until(token.Expiry); left < 5*time.Second {
				t.Fatalf("a token with %v left", left)
			}
			time.Sleep(500 * time.Millisecond)
		}
		// A life of 120 s is renewed when 12 to 18 s are left.
		if granted, _ := service.Issued(); granted < 32 || granted > 36 {
			t.Errorf("%d grants in an hour, want about 34", granted)
		}
	})
}

// An issuer that asks for time is given it.
func TestMaskinporten_RetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := tokenService(t, testutil.TokenServiceConfig{})
		service.Inject(testutil.Fault{Endpoint: "/token", Status: http.StatusTooManyRequests, RetryAfter: 20 * time.Second, Times: 1})
		m := newMaskinporten(t, newKey(t), maskinportenConfig(service))
		for time.Since(start) < 20*time.Second {
			if _, err := m.Token(); err == nil {
				t.Fatalf("asked again after %v, want 20 s", time.Since(start))
			}
			time.Sleep(time.Second)
		}
		if _, err := m.Token(); err != nil {
			t.Errorf("after 20 s: %v", err)
		}
	})
}
