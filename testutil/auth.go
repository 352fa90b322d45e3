package testutil

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// AuthMode says how a sink checks tokens.
type AuthMode string

const (
	// AuthDecode requires the tokens that the service requires, well-formed and
	// not expired. Signatures are not checked.
	AuthDecode AuthMode = "decode"

	// AuthVerify is AuthDecode with signatures: the token has to be signed by a key of
	// SinkConfig.Keys or by the sink itself, with an asymmetric algorithm.
	AuthVerify AuthMode = "verify"

	// AuthOff requires no tokens: the caller is the service owner "/org/ttd" with
	// every scope, and an app's source may be any app's.
	AuthOff AuthMode = "off"
)

const (
	headerPlatformToken = "PlatformAccessToken"
	cookieUserToken     = "AltinnStudioRuntime" //nolint:gosec // a name

	claimOrg   = "urn:altinn:org"
	claimApp   = "urn:altinn:app"
	claimScope = "urn:altinn:scope"

	scopePublish      = "altinn:events.publish"
	scopePublishAdmin = "altinn:events.publish.admin" // no policy is asked
	scopeSubscribe    = "altinn:events.subscribe"
)

// platformSkew is how far the clock of a platform access token may be off. That
// of a user's token may not.
const platformSkew = 10 * time.Second

// user returns the claims of the caller. Without a valid token it answers 401
// and reports false.
func (s *Sink) user(x *exchange) (claims jwt.MapClaims, ok bool) {
	if s.cfg.Auth == AuthOff {
		return defaultUserClaims(), true
	}
	claims, err := s.decodeToken(userToken(x.request), 0)
	if err != nil {
		x.empty(http.StatusUnauthorized, "user token: "+err.Error())
		return nil, false
	}
	return claims, true
}

// userToken returns the token of the cookie or else of the header Authorization.
//
// Source: AltinnCore.Authentication.JwtCookie, JwtCookieHandler.cs.
func userToken(r *http.Request) string {
	if cookie, err := r.Cookie(cookieUserToken); err == nil && cookie.Value != "" {
		return cookie.Value
	}
	const scheme = "bearer "
	header := r.Header.Get("Authorization")
	if len(header) < len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return ""
	}
	return strings.TrimSpace(header[len(scheme):])
}

// platformAccess returns "{org}/{app}" of the platform access token. Without
// exactly one, valid, the reason says what is wrong.
func (s *Sink) platformAccess(r *http.Request) (app, reason string) {
	values := r.Header.Values(headerPlatformToken)
	if len(values) != 1 {
		return "", "platform access token: want 1 header, got " + strconv.Itoa(len(values))
	}
	claims, err := s.decodeToken(values[0], platformSkew)
	if err != nil {
		return "", "platform access token: " + err.Error()
	}
	issuer := claimText(claims, "iss")
	if issuer == "" {
		return "", "platform access token: no issuer"
	}
	return issuer + "/" + claimText(claims, claimApp), ""
}

// signatures are the algorithms that a key of SinkConfig.Keys can have made. None
// of them can be made with a public key.
var signatures = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// decodeToken returns the claims of a well-formed token that is valid now, give
// or take skew, and signed as the mode asks. They are shared, so nobody writes to
// them. Its errors say nothing of the token's content.
func (s *Sink) decodeToken(token string, skew time.Duration) (jwt.MapClaims, error) {
	if token == "" {
		return nil, errors.New("there is none")
	}
	claims, err := s.claims.get(token, s.parseToken)
	if err != nil {
		return nil, err
	}
	err = jwt.NewValidator(jwt.WithLeeway(skew), jwt.WithExpirationRequired()).Validate(claims)
	if s.cfg.Auth == AuthVerify {
		for _, known := range []error{jwt.ErrTokenExpired, jwt.ErrTokenNotValidYet, jwt.ErrTokenRequiredClaimMissing} {
			if errors.Is(err, known) {
				return nil, known
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return claims, nil
}

// parseToken returns the claims of a well-formed token that is signed as the mode
// asks, whenever it is valid.
func (s *Sink) parseToken(token string) (jwt.MapClaims, error) {
	claims := jwt.MapClaims{}
	if s.cfg.Auth != AuthVerify {
		if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
			return nil, jwt.ErrTokenMalformed
		}
		return claims, nil
	}
	parser := jwt.NewParser(jwt.WithValidMethods(signatures), jwt.WithoutClaimsValidation())
	switch _, err := parser.ParseWithClaims(token, claims, s.verificationKeys); {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, jwt.ErrTokenMalformed
	case err != nil:
		return nil, jwt.ErrTokenSignatureInvalid
	}
	return claims, nil
}

// claimsCache keeps what tokens say that were parsed. A suite sends the same few
// again and again, and parsing them was a seventh of what POST /app costs.
type claimsCache struct {
	mu   sync.Mutex
	kept map[string]jwt.MapClaims
}

// get returns what is kept of token, or else what parse returns.
func (c *claimsCache) get(token string, parse func(string) (jwt.MapClaims, error)) (jwt.MapClaims, error) {
	c.mu.Lock()
	claims, ok := c.kept[token]
	c.mu.Unlock()
	if ok {
		return claims, nil
	}
	claims, err := parse(token)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= maxCachedTokens {
		clear(c.kept)
	}
	if c.kept == nil {
		c.kept = map[string]jwt.MapClaims{}
	}
	c.kept[token] = claims
	return claims, nil
}

// verificationKeys implements jwt.Keyfunc: the keys that may have signed, of which
// the parser tries those that fit the algorithm.
func (s *Sink) verificationKeys(*jwt.Token) (any, error) {
	own, err := s.signing()
	if err != nil {
		return nil, err
	}
	keys := []jwt.VerificationKey{own.public}
	for _, key := range s.cfg.Keys {
		keys = append(keys, key)
	}
	return jwt.VerificationKeySet{Keys: keys}, nil
}

// hasScope reports whether the token has a scope; names compare without case.
func hasScope(claims jwt.MapClaims, scope string) bool {
	scopes := claimText(claims, claimScope)
	if scopes == "" {
		scopes = claimText(claims, "scope")
	}
	for s := range strings.FieldsSeq(scopes) {
		if strings.EqualFold(s, scope) {
			return true
		}
	}
	return false
}

// claimText returns a claim that is a string or a number.
func claimText(claims jwt.MapClaims, name string) string {
	switch v := claims[name].(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return ""
	}
}
