package credentials

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"
)

// exchangePath is where the platform makes Altinn tokens of others'.
const exchangePath = "/authentication/api/v1/exchange/maskinporten"

// ExchangeConfig says where tokens are exchanged.
type ExchangeConfig struct {
	// PlatformURL is the platform's address. Defaults to
	// "https://platform.altinn.no"; Environment.PlatformURL has those of others.
	PlatformURL string

	// Test makes digdir's tokens those of the service owner ttd, in test
	// environments.
	Test bool

	// Transport carries the requests. Defaults to one of net/http that obeys the
	// proxy variables of the environment.
	Transport http.RoundTripper
}

// Exchange turns a token of Maskinporten into one of Altinn, which the Events API
// takes as bearer token, and renews it before it runs out. It implements
// oauth2.TokenSource, altinn.AppTokenSource and altinn.Invalidator, is safe for
// concurrent use and prints as REDACTED.
//
// Source: Altinn/altinn-authentication, AuthenticationController.cs (2026-08).
type Exchange struct {
	hidden

	source oauth2.TokenSource // as Bounded returns it
	url    string
	issuer issuer
	cache  cache
}

// NewExchange returns the source of Altinn tokens for those of source, a
// *Maskinporten usually.
//
// The error says what is wrong with source and cfg.
func NewExchange(source oauth2.TokenSource, cfg ExchangeConfig) (*Exchange, error) {
	if cfg.PlatformURL == "" {
		cfg.PlatformURL = Production().PlatformURL
	}
	if cfg.Transport == nil {
		cfg.Transport = defaultTransport
	}
	u, err := parseIssuerURL("PlatformURL", cfg.PlatformURL)
	if source == nil {
		err = errors.Join(err, errors.New("there is no source of Maskinporten tokens"))
	}
	if err != nil {
		return nil, fmt.Errorf("altinn exchange: %w", err)
	}
	u = u.JoinPath(exchangePath)
	if cfg.Test {
		u.RawQuery = url.Values{"test": {"true"}}.Encode()
	}
	e := &Exchange{source: Bounded(source), url: u.String(), issuer: issuer{"altinn exchange", cfg.Transport}}
	e.cache.fetch = e.fetch
	return e, nil
}

// TokenFor returns the token, for whichever app.
func (e *Exchange) TokenFor(ctx context.Context, _, _ string) (*oauth2.Token, error) {
	return e.cache.token(ctx)
}

// Token returns the token.
func (e *Exchange) Token() (*oauth2.Token, error) { return e.cache.token(context.Background()) }

// Invalidate has the next token fetched anew.
func (e *Exchange) Invalidate(token *oauth2.Token) { e.cache.invalidate(token) }

// fetch gets a token. One that Maskinporten gave and the platform refuses is renewed
// once.
func (e *Exchange) fetch(ctx context.Context) (*oauth2.Token, error) {
	theirs, err := e.source.(appTokenSource).TokenFor(ctx, "", "")
	if err != nil {
		return nil, err
	}
	token, err := e.ask(ctx, theirs)
	refusal, ok := errors.AsType[*Error](err)
	if !ok || refusal.Status != http.StatusUnauthorized {
		return token, err
	}
	source, ok := e.source.(invalidator)
	if !ok {
		return nil, err
	}
	source.Invalidate(theirs)
	again, againErr := e.source.(appTokenSource).TokenFor(ctx, "", "")
	if againErr != nil {
		return nil, againErr
	}
	if again.AccessToken == theirs.AccessToken {
		return nil, err
	}
	return e.ask(ctx, again)
}

func (e *Exchange) ask(ctx context.Context, theirs *oauth2.Token) (*oauth2.Token, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url, http.NoBody)
	if err != nil {
		return nil, &Error{Issuer: e.issuer.name, Err: withoutURL(err)}
	}
	r.Header.Set("Authorization", "Bearer "+theirs.AccessToken)
	body, ahead, err := e.issuer.do(r)
	if err != nil {
		return nil, err
	}
	// The text of the token, which some versions put in quotes.
	text := string(bytes.Trim(bytes.TrimSpace(body), `"`))
	expiry, err := expiryOf(text)
	if err != nil {
		return nil, &Error{Issuer: e.issuer.name, Status: http.StatusOK, Err: err}
	}
	expiry = expiry.Add(-ahead) // by our clock
	if !expiry.After(time.Now()) {
		return nil, &Error{Issuer: e.issuer.name, Status: http.StatusOK, Err: errors.New("the token has expired already; check this machine's clock")}
	}
	return &oauth2.Token{AccessToken: text, TokenType: "Bearer", Expiry: expiry}, nil
}

// expiryOf returns when a token says that it expires. Who gave it to us vouches for
// it, so its signature is not looked at.
func expiryOf(token string) (time.Time, error) {
	claims := jwt.RegisteredClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil {
		return time.Time{}, errors.New("the answer is no token")
	}
	if claims.ExpiresAt == nil {
		return time.Time{}, errors.New("the token has no expiry")
	}
	return claims.ExpiresAt.Time, nil
}
