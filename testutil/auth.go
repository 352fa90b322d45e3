package testutil

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// AuthMode says how a sink checks tokens.
type AuthMode string

const (
	// AuthDecode requires the tokens that the service requires, well-formed and
	// not expired. Signatures are not checked.
	AuthDecode AuthMode = "decode"

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

	scopePublish   = "altinn:events.publish"
	scopeSubscribe = "altinn:events.subscribe"
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
	claims, err := decodeToken(userToken(x.request), 0)
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
func platformAccess(r *http.Request) (app, reason string) {
	values := r.Header.Values(headerPlatformToken)
	if len(values) != 1 {
		return "", "platform access token: want 1 header, got " + strconv.Itoa(len(values))
	}
	claims, err := decodeToken(values[0], platformSkew)
	if err != nil {
		return "", "platform access token: " + err.Error()
	}
	issuer := claimText(claims, "iss")
	if issuer == "" {
		return "", "platform access token: no issuer"
	}
	return issuer + "/" + claimText(claims, claimApp), ""
}

// decodeToken returns the claims of a well-formed token that is valid now, give
// or take skew. Its errors say nothing of the token's content.
func decodeToken(token string, skew time.Duration) (jwt.MapClaims, error) {
	claims := jwt.MapClaims{}
	if token == "" {
		return nil, errors.New("there is none")
	}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		return nil, jwt.ErrTokenMalformed
	}
	if err := jwt.NewValidator(jwt.WithLeeway(skew), jwt.WithExpirationRequired()).Validate(claims); err != nil {
		return nil, err
	}
	return claims, nil
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
