package credentials

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"golang.org/x/oauth2"
)

const (
	grantType     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	grantLifetime = 110 * time.Second // Maskinporten takes 120
)

// MaskinportenConfig is a client of Maskinporten.
type MaskinportenConfig struct {
	// ClientID is the client's id. Required.
	ClientID string

	// Scopes are what the token is for, such as "altinn:events.publish" and
	// "altinn:events.subscribe". At least one.
	Scopes []string

	// URL is the issuer's, and the audience of the grant. Defaults to
	// "https://maskinporten.no/"; Environment.MaskinportenURL has those of test
	// environments.
	URL string

	// KeyID is the key's "kid" at Maskinporten. Defaults to that of a JWK; a key
	// without one is sent with its certificates, as "x5c".
	KeyID string

	// Algorithm is "RS256", "RS384" or "RS512". Defaults to "RS256".
	Algorithm string

	// Resource is the API for which the token is restricted, if it wants that.
	Resource string

	// ConsumerOrg is the organisation number that has delegated the scopes to the
	// client's, for suppliers.
	ConsumerOrg string

	// Transport carries the requests. Defaults to one of net/http that obeys the
	// proxy variables of the environment.
	Transport http.RoundTripper
}

// Maskinporten gets tokens by the JWT grant, and renews them before they run out.
// It implements oauth2.TokenSource, altinn.AppTokenSource and altinn.Invalidator, is
// safe for concurrent use and prints as REDACTED.
//
// Source: docs.digdir.no, maskinporten_protocol_jwtgrant and _token (2026-08).
type Maskinporten struct {
	hidden

	keys   KeySource
	cfg    MaskinportenConfig
	url    *url.URL
	issuer issuer
	cache  cache

	// ahead is how far the issuer's clock is ahead of ours, in nanoseconds. It takes a
	// grant that was made within 10 s.
	ahead atomic.Int64
}

var (
	organisationNumber = regexp.MustCompile(`^\d{9}$`)
	scopeName          = regexp.MustCompile(`^[a-zA-Z0-9:/._-]+$`)
)

// NewMaskinporten returns a client of Maskinporten that signs its grants with a key
// of keys.
//
// The error says what is wrong with the key and with every field.
func NewMaskinporten(keys KeySource, cfg MaskinportenConfig) (*Maskinporten, error) {
	if cfg.URL == "" {
		cfg.URL = Production().MaskinportenURL
	}
	if cfg.Algorithm == "" {
		cfg.Algorithm = "RS256"
	}
	if cfg.Transport == nil {
		cfg.Transport = defaultTransport
	}
	var faults []error
	u, err := parseIssuerURL("URL", cfg.URL)
	faults = append(faults, err, checkAlgorithm(cfg.Algorithm))
	if cfg.ClientID == "" {
		faults = append(faults, errors.New("the ClientID is missing"))
	}
	if len(cfg.Scopes) == 0 {
		faults = append(faults, errors.New(`the Scopes are missing; publishing wants "altinn:events.publish", subscribing "altinn:events.subscribe"`))
	}
	for _, scope := range cfg.Scopes {
		if !scopeName.MatchString(scope) {
			faults = append(faults, errors.New("a scope is empty, or has a space or the like; give each by itself"))
		}
	}
	if cfg.ConsumerOrg != "" && !organisationNumber.MatchString(cfg.ConsumerOrg) {
		faults = append(faults, errors.New("the ConsumerOrg is not 9 digits"))
	}
	faults = append(faults, checkGrantKey(keys, cfg.KeyID))
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("maskinporten: %w", err)
	}
	m := &Maskinporten{keys: keys, cfg: cfg, url: u, issuer: issuer{"maskinporten", cfg.Transport}}
	m.cache.fetch = m.fetch
	return m, nil
}

// checkGrantKey reports what is wrong with the key of grants.
func checkGrantKey(keys KeySource, id string) error {
	if keys == nil {
		return errors.New("there is no key")
	}
	key, err := keys.Key()
	if err == nil && id == "" && key.id == "" {
		if err = key.valid(time.Now()); err != nil {
			err = fmt.Errorf("the key has no kid (set KeyID), and %w", err)
		}
	}
	return err
}

// TokenFor returns the token, for whichever app.
func (m *Maskinporten) TokenFor(ctx context.Context, _, _ string) (*oauth2.Token, error) {
	return m.cache.token(ctx)
}

// Token returns the token.
func (m *Maskinporten) Token() (*oauth2.Token, error) { return m.cache.token(context.Background()) }

// Invalidate has the next token fetched anew.
func (m *Maskinporten) Invalidate(token *oauth2.Token) { m.cache.invalidate(token) }

// fetch gets a token. If the clocks differ, what the refusal tells of the issuer's is
// used for a second attempt.
func (m *Maskinporten) fetch(ctx context.Context) (*oauth2.Token, error) {
	used := m.ahead.Load()
	token, err := m.ask(ctx)
	if e, ok := errors.AsType[*Error](err); ok && e.Code == "invalid_grant" && m.ahead.Load() != used {
		return m.ask(ctx)
	}
	return token, err
}

func (m *Maskinporten) ask(ctx context.Context) (*oauth2.Token, error) {
	grant, err := m.grant()
	if err != nil {
		return nil, &Error{Issuer: m.issuer.name, Err: err}
	}
	form := url.Values{"grant_type": {grantType}, "assertion": {grant}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url.JoinPath("token").String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, &Error{Issuer: m.issuer.name, Err: withoutURL(err)}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	body, ahead, err := m.issuer.do(r)
	const tolerated = 2 * time.Second
	if ahead > tolerated || ahead < -tolerated {
		m.ahead.Store(int64(ahead))
	} else {
		m.ahead.Store(0)
	}
	if err != nil {
		return nil, err
	}
	var answer struct {
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(body), &answer); err != nil || answer.AccessToken == "" || answer.ExpiresIn <= 0 {
		return nil, &Error{Issuer: m.issuer.name, Status: http.StatusOK, Err: errors.New("the answer has no access_token with expires_in")}
	}
	const longest = 24 * 60 * 60
	life := time.Duration(min(answer.ExpiresIn, longest) * float64(time.Second))
	return &oauth2.Token{AccessToken: answer.AccessToken, TokenType: "Bearer", Expiry: time.Now().Add(life)}, nil
}

// grant is the signed request for a token.
func (m *Maskinporten) grant() (string, error) {
	key, err := m.keys.Key()
	if err != nil {
		return "", err
	}
	header := map[string]any{}
	switch {
	case m.cfg.KeyID != "":
		header["kid"] = m.cfg.KeyID
	case key.id != "":
		header["kid"] = key.id
	default:
		if err := key.valid(time.Now()); err != nil {
			return "", err
		}
		header["x5c"] = key.x5c()
	}
	now := time.Now().Add(time.Duration(m.ahead.Load()))
	claims := jwt.MapClaims{
		"aud":   m.cfg.URL,
		"iss":   m.cfg.ClientID,
		"scope": strings.Join(m.cfg.Scopes, " "),
		"iat":   now.Unix(),
		"exp":   now.Add(grantLifetime).Unix(),
		"jti":   uuid.NewString(),
	}
	if m.cfg.Resource != "" {
		claims["resource"] = m.cfg.Resource
	}
	if m.cfg.ConsumerOrg != "" {
		claims["consumer_org"] = m.cfg.ConsumerOrg
	}
	return key.sign(m.cfg.Algorithm, header, claims)
}
