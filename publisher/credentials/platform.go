package credentials

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"
)

const (
	platformAudience = "platform.altinn.no"
	platformLifetime = 300 * time.Second
	platformBackdate = 5 * time.Second // of nbf

	// maxApps bounds the apps that a Platform keeps tokens for.
	maxApps = 1000
)

// PlatformConfig says whose platform access tokens are made.
type PlatformConfig struct {
	// Org is the service owner's code, such as "ttd", which issues the tokens. With
	// it, only its apps get one. Empty: whichever app an event names.
	Org string

	// App is the app of events that are no app's, such as "broker". Needs Org.
	App string
}

// Platform makes platform access tokens, which prove to Altinn which app is calling:
// one for each app, renewed before it runs out. It implements oauth2.TokenSource,
// altinn.AppTokenSource and altinn.Invalidator, is safe for concurrent use and
// prints as REDACTED.
//
// Source: Altinn/altinn-accesstoken, AccessTokenGenerator.cs (2026-08).
type Platform struct {
	hidden

	keys KeySource
	cfg  PlatformConfig

	mu   sync.RWMutex
	apps map[app]*cache
}

type app struct{ org, name string }

var platformName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,100}$`)

// NewPlatform returns the source of platform access tokens. The key's public
// certificate has to be registered with the platform for the org.
//
// The error says what is wrong with the key, its certificate or cfg.
func NewPlatform(keys KeySource, cfg PlatformConfig) (*Platform, error) {
	var faults []error
	if cfg.Org != "" && !platformName.MatchString(cfg.Org) {
		faults = append(faults, errors.New("the Org is no service owner's code"))
	}
	if cfg.App != "" && !platformName.MatchString(cfg.App) {
		faults = append(faults, errors.New("the App is no name of an app, which has no org before it"))
	}
	if cfg.App != "" && cfg.Org == "" {
		faults = append(faults, errors.New("the App needs an Org"))
	}
	if keys == nil {
		faults = append(faults, errors.New("there is no key"))
	} else if key, err := keys.Key(); err != nil {
		faults = append(faults, err)
	} else if err := key.valid(time.Now()); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("platform access token: %w", errors.Join(faults...))
	}
	return &Platform{keys: keys, cfg: cfg, apps: map[app]*cache{}}, nil
}

// TokenFor returns the token of the app {org}/{app}; with both empty, of the app of
// the configuration. The error says that this is not the org's, or what is wrong
// with the key by now.
func (p *Platform) TokenFor(ctx context.Context, org, name string) (*oauth2.Token, error) {
	if org == "" && name == "" {
		org, name = p.cfg.Org, p.cfg.App
	}
	who := app{org, name}
	p.mu.RLock()
	c := p.apps[who]
	p.mu.RUnlock()
	if c == nil {
		var err error
		if c, err = p.add(who); err != nil {
			return nil, err
		}
	}
	return c.token(ctx)
}

// Token returns the token of the app of the configuration.
func (p *Platform) Token() (*oauth2.Token, error) {
	return p.TokenFor(context.Background(), "", "")
}

// Invalidate has the app's next token made anew.
func (p *Platform) Invalidate(token *oauth2.Token) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, c := range p.apps {
		c.invalidate(token)
	}
}

func (p *Platform) add(who app) (*cache, error) {
	var fault string
	switch {
	case who.name == "":
		fault = "the event is no app's, and PlatformConfig.App says not whose token it should have"
	case !platformName.MatchString(who.org) || !platformName.MatchString(who.name):
		fault = "the event's source names no app"
	case p.cfg.Org != "" && p.cfg.Org != who.org:
		fault = fmt.Sprintf("the event is of an app of %s, and the key of %s", who.org, p.cfg.Org)
	}
	if fault != "" {
		return nil, &Error{Issuer: "platform", Err: errors.New(fault)}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.apps[who]; c != nil {
		return c, nil
	}
	if len(p.apps) >= maxApps {
		clear(p.apps)
	}
	c := &cache{fetch: func(context.Context) (*oauth2.Token, error) { return p.mint(who) }}
	p.apps[who] = c
	return c, nil
}

// mint signs a token as the generator of the platform does.
func (p *Platform) mint(who app) (*oauth2.Token, error) {
	key, err := p.keys.Key()
	now := time.Now()
	if err == nil {
		err = key.valid(now)
	}
	if err != nil {
		return nil, &Error{Issuer: "platform", Err: err}
	}
	expires := now.Add(platformLifetime)
	text, err := key.sign("RS256", map[string]any{
		"kid": strings.ToUpper(hex.EncodeToString(key.thumbprint())),
		"x5t": base64.RawURLEncoding.EncodeToString(key.thumbprint()),
	}, jwt.MapClaims{
		"urn:altinn:app": who.name,
		"iss":            who.org,
		"aud":            platformAudience,
		"nbf":            now.Add(-platformBackdate).Unix(),
		"exp":            expires.Unix(),
		"iat":            now.Unix(),
	})
	if err != nil {
		return nil, &Error{Issuer: "platform", Err: err}
	}
	return &oauth2.Token{AccessToken: text, TokenType: "Bearer", Expiry: time.Unix(expires.Unix(), 0)}, nil
}
