package testutil

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	grantTypeJWT  = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	pathToken     = "/token"
	pathExchange  = "/authentication/api/v1/exchange/maskinporten"
	grantSkew     = 10 * time.Second
	longestGrant  = 120 * time.Second
	maxKeptGrants = 100_000
)

// TokenClient is a client that a TokenService knows.
type TokenClient struct {
	// Keys are the public keys that its grants may be signed with.
	Keys []crypto.PublicKey
	// Scopes are those that it may ask for. Empty means any.
	Scopes []string
	// Org is the service owner's code, which the Altinn token of a client has whose
	// scopes contain "altinn:serviceowner". Defaults to "ttd".
	Org string
	// OrgNumber is the organisation number. Defaults to "991825827".
	OrgNumber string
}

// TokenServiceConfig configures a TokenService. The zero value knows no client.
type TokenServiceConfig struct {
	// Clients are known by their client id.
	Clients map[string]TokenClient
	// Audience is what grants have to name. Defaults to
	// "https://test.maskinporten.no/".
	Audience string
	// Lifetime is that of Maskinporten's tokens. Defaults to 2 minutes, as there.
	Lifetime time.Duration
	// ExchangedLifetime is that of Altinn's tokens. Defaults to 30 minutes, as there.
	ExchangedLifetime time.Duration
	// Ahead is how far the clocks of the service are ahead of ours.
	Ahead time.Duration
}

// TokenService is Maskinporten and Altinn's token exchange in memory: it checks
// grants as they do, to the signature, and issues tokens that a Sink with AuthVerify
// and this service's Keys takes. Like a Sink it can fail: see Inject.
//
// Reach it in process, whatever host a URL names, through Transport, or serve it. It
// is safe for concurrent use.
//
// Source: docs.digdir.no, maskinporten_protocol_jwtgrant and _token;
// Altinn/altinn-authentication, AuthenticationController.cs (2026-08).
type TokenService struct {
	cfg    TokenServiceConfig
	mux    *http.ServeMux
	faults faults

	mu        sync.Mutex
	signers   []signer // the last one signs
	seen      map[string]bool
	grants    int
	exchanges int
}

// NewTokenService returns a TokenService. There is nothing to close.
func NewTokenService(tb testing.TB, cfg TokenServiceConfig) *TokenService {
	tb.Helper()
	if cfg.Audience == "" {
		cfg.Audience = "https://test.maskinporten.no/"
	}
	if cfg.Lifetime == 0 {
		cfg.Lifetime = 2 * time.Minute
	}
	if cfg.ExchangedLifetime == 0 {
		cfg.ExchangedLifetime = 30 * time.Minute
	}
	s := &TokenService{cfg: cfg, seen: map[string]bool{}, mux: http.NewServeMux()}
	s.mux.HandleFunc("POST "+pathToken, s.token)
	s.mux.HandleFunc("GET "+pathExchange, s.exchange)
	if err := s.Rotate(); err != nil {
		tb.Fatalf("token service: %v", err)
	}
	return s
}

// Rotate gives the service a new key. Tokens of the older ones stay valid.
func (s *TokenService) Rotate() error {
	own, err := newSigner()
	if err != nil {
		return fmt.Errorf("rotate the key: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signers = append(s.signers, own)
	return nil
}

// Keys are the public keys of the tokens that it has issued, for SinkConfig.Keys.
func (s *TokenService) Keys() []crypto.PublicKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := make([]crypto.PublicKey, len(s.signers))
	for i, own := range s.signers {
		keys[i] = own.public
	}
	return keys
}

// Issued returns how many tokens were granted, and how many exchanged.
func (s *TokenService) Issued() (granted, exchanged int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grants, s.exchanges
}

// Inject makes the service fail as f says; see Sink.Inject. The endpoints are
// "/token" and "/authentication/api/v1/exchange/maskinporten". Stored has no meaning
// here.
func (s *TokenService) Inject(f Fault) (lift func()) { return s.faults.inject(f) }

// Transport returns a transport whose requests reach the service in process. It
// works in a synctest bubble.
func (s *TokenService) Transport() http.RoundTripper { return tokenTransport{s} }

type tokenTransport struct{ service *TokenService }

// RoundTrip implements http.RoundTripper.
func (t tokenTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	received, body, err := asReceived(r)
	if err != nil {
		return nil, err
	}
	reply := t.service.faults.ask(Request{Method: r.Method, Endpoint: r.URL.Path, Header: r.Header, Body: body})
	if reply.Delay > 0 || reply.Hang {
		var over <-chan time.Time
		if !reply.Hang {
			timer := time.NewTimer(reply.Delay)
			defer timer.Stop()
			over = timer.C
		}
		select {
		case <-over:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	x := &exchange{request: received, body: body, header: http.Header{}, problems: contentProblem}
	switch {
	case reply.Reset:
		return nil, netError("read", "read", syscall.ECONNRESET)
	case reply.Status != 0:
		x.replace(reply)
	default:
		received.Body = io.NopCloser(bytes.NewReader(body))
		t.service.ServeHTTP(x, received)
	}
	x.header.Set("Date", t.service.now().UTC().Format(http.TimeFormat))
	if reply.Truncate {
		sent, announced := x.cut()
		return x.response(r, io.MultiReader(bytes.NewReader(x.answer[:sent]), brokenOff{}), announced), nil
	}
	return x.response(r, bytes.NewReader(x.answer), len(x.answer)), nil
}

// ServeHTTP serves both, without faults.
func (s *TokenService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
	s.mux.ServeHTTP(w, r)
}

// now is the service's clock.
func (s *TokenService) now() time.Time { return time.Now().Add(s.cfg.Ahead) }

// oauthError answers as OAuth does.
func oauthError(w http.ResponseWriter, code, description string) {
	w.Header().Set("Content-Type", contentJSON)
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": description})
}

// grantClaims are the claims of a grant.
type grantClaims struct {
	jwt.RegisteredClaims

	Scope       string `json:"scope"`
	Resource    any    `json:"resource"`
	ConsumerOrg string `json:"consumer_org"`
}

// token is POST /token.
func (s *TokenService) token(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.ParseForm() != nil {
		oauthError(w, "invalid_request", "want a form")
		return
	}
	if r.PostForm.Get("grant_type") != grantTypeJWT {
		oauthError(w, "unsupported_grant_type", "want "+grantTypeJWT)
		return
	}
	claims, client, err := s.check(r.PostForm.Get("assertion"))
	if refusal, ok := errors.AsType[grantError](err); ok {
		oauthError(w, refusal.code, refusal.description)
		return
	}
	now := s.now()
	issued := jwt.MapClaims{
		"iss": s.cfg.Audience, "client_id": claims.Issuer, "scope": claims.Scope, "iat": now.Unix(), "exp": now.Add(s.cfg.Lifetime).Unix(),
		"consumer": map[string]string{"authority": "iso6523-actorid-upis", "ID": "0192:" + orgNumber(client, claims)},
	}
	if claims.Resource != nil {
		issued["aud"] = claims.Resource
	}
	text, err := s.sign(issued, &s.grants)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentJSON)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"access_token": text, "token_type": "Bearer", "expires_in": int(s.cfg.Lifetime.Seconds()), "scope": claims.Scope,
	})
}

func orgNumber(client TokenClient, claims *grantClaims) string {
	switch {
	case claims.ConsumerOrg != "":
		return claims.ConsumerOrg
	case client.OrgNumber != "":
		return client.OrgNumber
	default:
		return "991825827"
	}
}

// grantError is why a grant is refused, as OAuth writes it.
type grantError struct{ code, description string }

// Error returns both.
func (e grantError) Error() string { return e.code + ": " + e.description }

func refuse(code, description string) error { return grantError{code, description} }

// check verifies a grant as Maskinporten does.
func (s *TokenService) check(assertion string) (*grantClaims, TokenClient, error) {
	claims := &grantClaims{}
	unverified, _, err := jwt.NewParser().ParseUnverified(assertion, claims)
	if err != nil {
		return nil, TokenClient{}, refuse("invalid_grant", "the assertion is no JWT")
	}
	client, known := s.cfg.Clients[claims.Issuer]
	if !known {
		return nil, TokenClient{}, refuse("invalid_client", "no such client")
	}
	_, hasID := unverified.Header["kid"]
	if _, hasChain := unverified.Header["x5c"]; hasID == hasChain {
		return nil, TokenClient{}, refuse("invalid_grant", "want kid or x5c in the header, and not both")
	}
	var keys jwt.VerificationKeySet
	for _, key := range client.Keys {
		keys.Keys = append(keys.Keys, key)
	}
	now := s.now()
	_, err = jwt.NewParser(
		jwt.WithValidMethods([]string{"RS256", "RS384", "RS512"}), jwt.WithTimeFunc(s.now), jwt.WithLeeway(grantSkew),
		jwt.WithIssuedAt(), jwt.WithExpirationRequired(), jwt.WithAudience(s.cfg.Audience),
	).ParseWithClaims(assertion, &grantClaims{}, func(*jwt.Token) (any, error) { return keys, nil })
	switch {
	case err != nil:
		return nil, TokenClient{}, refuse("invalid_grant", "the signature, the audience or a time is wrong")
	case claims.IssuedAt == nil || now.Sub(claims.IssuedAt.Time) > grantSkew:
		return nil, TokenClient{}, refuse("invalid_grant", "iat is missing or too old")
	case claims.ExpiresAt.Sub(claims.IssuedAt.Time) > longestGrant:
		return nil, TokenClient{}, refuse("invalid_grant", "exp is more than 120 seconds after iat")
	case claims.ID == "" || !s.first(claims.ID):
		return nil, TokenClient{}, refuse("invalid_grant", "jti is missing or was used before")
	case claims.Scope == "":
		return nil, TokenClient{}, refuse("invalid_scope", "there is no scope")
	}
	for scope := range strings.FieldsSeq(claims.Scope) {
		if len(client.Scopes) > 0 && !slices.Contains(client.Scopes, scope) {
			return nil, TokenClient{}, refuse("invalid_scope", "the client has not been given "+scope)
		}
	}
	return claims, client, nil
}

// first reports whether an id was not seen before.
func (s *TokenService) first(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[id] || len(s.seen) >= maxKeptGrants {
		return false
	}
	s.seen[id] = true
	return true
}

// sign signs claims with the newest key and counts the token.
func (s *TokenService) sign(claims jwt.MapClaims, count *int) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*count++
	return s.signers[len(s.signers)-1].sign(claims)
}

// exchange is GET /authentication/api/v1/exchange/maskinporten.
func (s *TokenService) exchange(w http.ResponseWriter, r *http.Request) {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	var theirs struct {
		jwt.RegisteredClaims

		ClientID string            `json:"client_id"`
		Scope    string            `json:"scope"`
		Consumer map[string]string `json:"consumer"`
	}
	if ok {
		_, err := jwt.NewParser(jwt.WithTimeFunc(s.now), jwt.WithExpirationRequired(), jwt.WithIssuer(s.cfg.Audience)).
			ParseWithClaims(text, &theirs, func(*jwt.Token) (any, error) {
				var keys jwt.VerificationKeySet
				for _, key := range s.Keys() {
					keys.Keys = append(keys.Keys, key)
				}
				return keys, nil
			})
		ok = err == nil
	}
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	client := s.cfg.Clients[theirs.ClientID]
	now := s.now()
	claims := jwt.MapClaims{
		"iss": "https://platform.altinn.no/authentication/api/v1/openid/", "scope": theirs.Scope, "client_id": theirs.ClientID,
		claimOrgNumber: strings.TrimPrefix(theirs.Consumer["ID"], "0192:"), "urn:altinn:authlevel": 3,
		"urn:altinn:authenticatemethod": "maskinporten", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(s.cfg.ExchangedLifetime).Unix(),
	}
	if strings.Contains(theirs.Scope, "altinn:serviceowner") {
		claims[claimOrg] = client.Org
		if client.Org == "" || client.Org == "digdir" && r.URL.Query().Get("test") == "true" {
			claims[claimOrg] = defaultOrg
		}
	}
	token, err := s.sign(claims, &s.exchanges)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(token))
}
