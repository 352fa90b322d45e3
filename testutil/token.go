package testutil

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"

	"github.com/altinn-go/events/publisher/altinn"
)

// The app that is meant where none is named.
const (
	defaultOrg = "ttd"
	defaultApp = "apps-test"
)

// TokenKind is what a token is for.
type TokenKind string

const (
	// TokenUser is for "Authorization: Bearer": on whose behalf.
	TokenUser TokenKind = "user"
	// TokenPlatform is for the header PlatformAccessToken: which app.
	TokenPlatform TokenKind = "platform"
)

// TokenSpec describes a token for Sink.Token. The zero value is a user token of
// the service owner ttd that may publish and subscribe.
type TokenSpec struct {
	// Kind is TokenUser or TokenPlatform. Defaults to TokenUser.
	Kind TokenKind

	// Claims are the token's, such as "urn:altinn:userid" or "scope", values being
	// strings or numbers. "iat", "nbf" and "exp" are added unless they are here.
	//
	// Nil means, for a user token, the service owner ttd with the scopes to publish
	// and subscribe; for a platform access token, the app ttd/apps-test ("iss" and
	// "urn:altinn:app").
	Claims map[string]any

	// ExpiresIn is how long the token is valid; a negative one has expired.
	// Defaults to 30 minutes for a user token and 5 for a platform access token,
	// as in Altinn.
	ExpiresIn time.Duration
}

// Token returns a signed JWT that the sink accepts. Other services do not: the
// key is the sink's own.
//
// The error says that the kind is unknown or that a claim has no JSON form.
func (s *Sink) Token(spec TokenSpec) (string, error) {
	token, err := s.mint(spec)
	if err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	return token.AccessToken, nil
}

func (s *Sink) mint(spec TokenSpec) (*oauth2.Token, error) {
	claims := jwt.MapClaims(maps.Clone(spec.Claims))
	lifetime := 30 * time.Minute
	switch spec.Kind {
	case "", TokenUser:
		if claims == nil {
			claims = defaultUserClaims()
		}
	case TokenPlatform:
		lifetime = 5 * time.Minute
		if claims == nil {
			claims = jwt.MapClaims{"iss": defaultOrg, claimApp: defaultApp}
		}
	default:
		return nil, fmt.Errorf("kind %q, want %q or %q", spec.Kind, TokenUser, TokenPlatform)
	}
	now := time.Now()
	expires := now.Add(cmp.Or(spec.ExpiresIn, lifetime))
	for name, at := range map[string]time.Time{"iat": now, "nbf": now.Add(-5 * time.Second), "exp": expires} {
		if _, ok := claims[name]; !ok {
			claims[name] = at.Unix()
		}
	}
	own, err := s.signing()
	if err != nil {
		return nil, err
	}
	text, err := own.sign(claims)
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: text, Expiry: expires}, nil
}

func defaultUserClaims() jwt.MapClaims {
	return jwt.MapClaims{claimOrg: defaultOrg, "scope": scopePublish + " " + scopeSubscribe}
}

// Credentials returns what altinn.NewClient needs to publish to the sink: tokens
// for whichever app the source of an event names.
func (s *Sink) Credentials() altinn.Credentials {
	return altinn.Credentials{
		PlatformAccessToken: tokenSource{s, TokenPlatform},
		Bearer:              tokenSource{s, TokenUser},
	}
}

// tokenSource mints the tokens of one kind.
type tokenSource struct {
	sink *Sink
	kind TokenKind
}

var (
	_ oauth2.TokenSource    = tokenSource{}
	_ altinn.AppTokenSource = tokenSource{}
)

// Token implements oauth2.TokenSource.
func (t tokenSource) Token() (*oauth2.Token, error) {
	return t.TokenFor(context.Background(), defaultOrg, defaultApp)
}

// TokenFor implements altinn.AppTokenSource.
func (t tokenSource) TokenFor(_ context.Context, org, app string) (*oauth2.Token, error) {
	spec := TokenSpec{Kind: t.kind}
	if t.kind == TokenPlatform && org != "" {
		spec.Claims = map[string]any{"iss": org, claimApp: app}
	}
	return t.sink.tokens.get(fmt.Sprint(spec.Kind, spec.Claims), func() (*oauth2.Token, error) { return t.sink.mint(spec) })
}

// tokenCache keeps minted tokens, because signing costs more than the rest of a
// request.
type tokenCache struct {
	mu   sync.Mutex
	kept map[string]*oauth2.Token
}

const maxCachedTokens = 1000

// get returns the token kept under key while it is valid, and else a new one.
func (c *tokenCache) get(key string, mint func() (*oauth2.Token, error)) (*oauth2.Token, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if token := c.kept[key]; token.Valid() {
		return token, nil
	}
	token, err := mint()
	if err != nil {
		return nil, err
	}
	if len(c.kept) >= maxCachedTokens {
		clear(c.kept)
	}
	c.kept[key] = token
	return token, nil
}

// signer is the sink's own key.
type signer struct {
	sign   func(jwt.MapClaims) (string, error)
	public *ecdsa.PublicKey
}

// newSigner returns a signer with a key of its own.
func newSigner() (signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return signer{}, err
	}
	return signer{public: &key.PublicKey, sign: func(claims jwt.MapClaims) (string, error) {
		return jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(key)
	}}, nil
}
