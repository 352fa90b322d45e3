package credentials

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"
)

// Set is what a program proves who it is with. It prints as REDACTED.
type Set struct {
	hidden

	// Environment is where it belongs.
	Environment Environment
	// PlatformAccessToken is for altinn.Credentials; nil without a platform key.
	PlatformAccessToken oauth2.TokenSource
	// Bearer is the service's own Altinn token, for altinn.Credentials or as the
	// fallback of User; nil without a client of Maskinporten.
	Bearer oauth2.TokenSource
	// SubscriptionKey is for altinn.Credentials; it may be empty.
	SubscriptionKey string
}

// EnvOptions is what FromEnv cannot read from variables. The zero value is usable.
type EnvOptions struct {
	// Transport carries the requests for tokens; see MaskinportenConfig.
	Transport http.RoundTripper
	// Logger gets a warning when key files change and make no key. Nil is silent.
	Logger *slog.Logger
}

// FromEnv makes a Set of environment variables:
//
//	ALTINN_ENVIRONMENT                  production, tt02, at21 to at24, or local
//	ALTINN_PLATFORM_URL                 the platform's address, for local
//	ALTINN_SUBSCRIPTION_KEY             of the API gateway, if it wants one
//
//	ALTINN_PLATFORM_KEY_FILE            of platform access tokens: PKCS #12 or PEM
//	ALTINN_PLATFORM_CERTIFICATE_FILE    if the key's file has no certificate
//	ALTINN_PLATFORM_KEY_PASSWORD        of PKCS #12; or …_PASSWORD_FILE
//	ALTINN_ORG, ALTINN_APP              of events that are no app's
//
//	MASKINPORTEN_CLIENT_ID              of the service
//	MASKINPORTEN_SCOPES                 separated by spaces
//	MASKINPORTEN_KEY_FILE               JWK, PEM or PKCS #12
//	MASKINPORTEN_CERTIFICATE_FILE       as above
//	MASKINPORTEN_KEY_PASSWORD           as above; or …_PASSWORD_FILE
//	MASKINPORTEN_KEY_ID                 the key's kid, if the file does not tell
//	MASKINPORTEN_CONSUMER_ORG           whom a supplier acts for
//
// The second and the third group may each be left out whole. Without both, a local
// environment gets tokens of a key that is made for the occasion, which a sink takes
// unless it verifies.
//
// The error names every variable that is missing or has a value that cannot be
// meant, and shows no value of a secret.
func FromEnv(opts EnvOptions) (*Set, error) {
	e := env{opts: opts}
	set := &Set{Environment: e.environment(), SubscriptionKey: os.Getenv("ALTINN_SUBSCRIPTION_KEY")}
	platform := e.begun("ALTINN_PLATFORM_KEY_FILE", "ALTINN_PLATFORM_CERTIFICATE_FILE", "ALTINN_PLATFORM_KEY_PASSWORD",
		"ALTINN_PLATFORM_KEY_PASSWORD_FILE", "ALTINN_ORG", "ALTINN_APP")
	maskinporten := e.begun("MASKINPORTEN_CLIENT_ID", "MASKINPORTEN_SCOPES", "MASKINPORTEN_KEY_FILE", "MASKINPORTEN_CERTIFICATE_FILE",
		"MASKINPORTEN_KEY_PASSWORD", "MASKINPORTEN_KEY_PASSWORD_FILE", "MASKINPORTEN_KEY_ID", "MASKINPORTEN_CONSUMER_ORG")
	if !platform && !maskinporten {
		if set.Environment.Name == "local" && len(e.faults) == 0 {
			return Development(set.Environment.PlatformURL)
		}
		if set.Environment.Name != "local" {
			e.fault("ALTINN_PLATFORM_KEY_FILE", "is missing")
			maskinporten = true
		}
	}
	if platform {
		if keys := e.keyFile("ALTINN_PLATFORM"); keys != nil {
			source, err := NewPlatform(keys, PlatformConfig{Org: os.Getenv("ALTINN_ORG"), App: os.Getenv("ALTINN_APP")})
			e.add(err)
			set.PlatformAccessToken = source
		}
	}
	if maskinporten {
		client, scopes := e.required("MASKINPORTEN_CLIENT_ID"), strings.Fields(e.required("MASKINPORTEN_SCOPES"))
		if keys := e.keyFile("MASKINPORTEN"); keys != nil && client != "" && len(scopes) > 0 {
			set.Bearer = e.exchange(set.Environment, keys, client, scopes)
		}
	}
	if len(e.faults) > 0 {
		return nil, fmt.Errorf("credentials of the environment: %w", errors.Join(e.faults...))
	}
	return set, nil
}

// env reads variables and collects what is wrong with them.
type env struct {
	opts   EnvOptions
	faults []error
}

func (e *env) add(err error) {
	if err != nil {
		e.faults = append(e.faults, err)
	}
}

func (e *env) fault(name, what string) { e.add(errors.New(name + " " + what)) }

func (e *env) required(name string) string {
	value := os.Getenv(name)
	if value == "" {
		e.fault(name, "is missing")
	}
	return value
}

// begun reports whether any of a group is set.
func (*env) begun(names ...string) bool {
	for _, name := range names {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

func (e *env) environment() Environment {
	name := e.required("ALTINN_ENVIRONMENT")
	if name == "" {
		return Environment{}
	}
	if strings.EqualFold(name, "local") {
		return Local(e.required("ALTINN_PLATFORM_URL"))
	}
	found, err := environmentNamed(name)
	if err != nil {
		e.fault("ALTINN_ENVIRONMENT", err.Error())
	}
	return found
}

// keyFile returns the key of a group of variables, or nil.
func (e *env) keyFile(prefix string) KeySource {
	cfg := KeyFileConfig{
		Path: e.required(prefix + "_KEY_FILE"), CertificatePath: os.Getenv(prefix + "_CERTIFICATE_FILE"),
		Password: os.Getenv(prefix + "_KEY_PASSWORD"), PasswordPath: os.Getenv(prefix + "_KEY_PASSWORD_FILE"), Logger: e.opts.Logger,
	}
	if cfg.Path == "" {
		return nil
	}
	keys, err := KeyFile(cfg)
	if err != nil {
		e.fault(prefix+"_KEY_FILE:", err.Error())
		return nil
	}
	return keys
}

func (e *env) exchange(where Environment, keys KeySource, client string, scopes []string) oauth2.TokenSource {
	theirs, err := NewMaskinporten(keys, MaskinportenConfig{
		ClientID: client, Scopes: scopes, URL: where.MaskinportenURL, KeyID: os.Getenv("MASKINPORTEN_KEY_ID"),
		ConsumerOrg: os.Getenv("MASKINPORTEN_CONSUMER_ORG"), Transport: e.opts.Transport,
	})
	if err != nil {
		e.add(err)
		return nil
	}
	ours, err := NewExchange(theirs, ExchangeConfig{PlatformURL: where.PlatformURL, Test: where.Test, Transport: e.opts.Transport})
	e.add(err)
	return ours
}

// Development returns a set for a sink, or whoever else at platformURL does not verify
// signatures: tokens of the service owner ttd, and of any app, signed by a key that is
// made for the occasion.
func Development(platformURL string) (*Set, error) {
	s := &Set{Environment: Local(platformURL)}
	signer, err := rsa.GenerateKey(rand.Reader, minKeyBits)
	if err != nil {
		return nil, fmt.Errorf("development key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "development"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &signer.PublicKey, signer)
	if err != nil {
		return nil, fmt.Errorf("development certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("development certificate: %w", err)
	}
	key, err := NewKey(signer, certificate)
	if err != nil {
		return nil, err
	}
	if s.PlatformAccessToken, err = NewPlatform(key, PlatformConfig{}); err != nil {
		return nil, err
	}
	s.Bearer = &developmentToken{cache: cache{fetch: func(context.Context) (*oauth2.Token, error) {
		expires := time.Now().Add(30 * time.Minute)
		text, err := key.sign("RS256", nil, jwt.MapClaims{
			"urn:altinn:org": "ttd", "scope": "altinn:events.publish altinn:events.subscribe", "exp": expires.Unix(),
		})
		return &oauth2.Token{AccessToken: text, TokenType: "Bearer", Expiry: expires}, err
	}}}
	return s, nil
}

// developmentToken is the source of the bearer token of a Set for development.
type developmentToken struct {
	hidden

	cache cache
}

// TokenFor returns the token, for whichever app.
func (d *developmentToken) TokenFor(ctx context.Context, _, _ string) (*oauth2.Token, error) {
	return d.cache.token(ctx)
}

// Token returns the token.
func (d *developmentToken) Token() (*oauth2.Token, error) { return d.cache.token(context.Background()) }

// Invalidate has the next token made anew.
func (d *developmentToken) Invalidate(token *oauth2.Token) { d.cache.invalidate(token) }
