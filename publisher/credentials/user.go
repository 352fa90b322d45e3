package credentials

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/oauth2"
)

// UserTokenCookie is the cookie in which a browser carries the Altinn token of its
// user.
//
// Source: Altinn/altinn-events, Program.cs (2026-08).
const UserTokenCookie = "AltinnStudioRuntime" //nolint:gosec // a name

// ErrNoUserToken means that an event was to be sent in a user's name, the context
// carries no user's token and User was given no fallback.
var ErrNoUserToken = errors.New("the context carries no user token, and there is no fallback for it")

// userTokenKey is the context key of an *oauth2.Token.
type userTokenKey struct{}

// WithUserToken returns ctx with the token of the user on whose behalf something
// happens, without "Bearer". An empty token returns ctx as it is.
func WithUserToken(ctx context.Context, token string) context.Context {
	if token == "" {
		return ctx
	}
	return context.WithValue(ctx, userTokenKey{}, bearer(token))
}

// UserToken returns the token that WithUserToken put into ctx, and whether there is
// one.
func UserToken(ctx context.Context) (string, bool) {
	if token := userToken(ctx); token != nil {
		return token.AccessToken, true
	}
	return "", false
}

func userToken(ctx context.Context) *oauth2.Token {
	token, _ := ctx.Value(userTokenKey{}).(*oauth2.Token)
	return token
}

// UserTokenFromRequest returns the Altinn token that r came with, in the header
// Authorization ("Bearer {token}", the scheme in any case) or else in the cookie
// AltinnStudioRuntime; empty if there is none. It does not check the token.
func UserTokenFromRequest(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); strings.EqualFold(scheme, "Bearer") && token != "" {
		return token
	}
	if cookie, err := r.Cookie(UserTokenCookie); err == nil {
		return cookie.Value
	}
	return ""
}

// user is the source of the request's own user token.
type user struct {
	hidden

	fallback oauth2.TokenSource
}

// User returns a source of the user's token that the context carries, see
// WithUserToken, and of fallback's where it carries none: in background jobs, and
// when a queue delivers after the request. fallback is told what the source is told
// (altinn.AppTokenSource, altinn.Invalidator), and asked as a source that Bounded has
// returned. It may be nil: then a token that is missing is ErrNoUserToken, and
// publisher.New refuses the client together with a queue.
//
// The source prints as REDACTED.
func User(fallback oauth2.TokenSource) oauth2.TokenSource {
	return user{fallback: Bounded(fallback)}
}

// TokenFor returns the user's token of ctx, or else fallback's.
func (u user) TokenFor(ctx context.Context, org, app string) (*oauth2.Token, error) {
	if token := userToken(ctx); token != nil {
		return token, nil
	}
	if u.fallback == nil {
		return nil, ErrNoUserToken
	}
	return u.fallback.(appTokenSource).TokenFor(ctx, org, app)
}

// CheckDeferred reports ErrNoUserToken if there is no fallback for events that are sent
// after their request.
func (u user) CheckDeferred() error {
	if u.fallback == nil {
		return fmt.Errorf("%w: events that a queue delivers come after their request; give User the service's own source", ErrNoUserToken)
	}
	return nil
}

// Token returns fallback's token: without a context there is no user.
func (u user) Token() (*oauth2.Token, error) {
	if u.fallback == nil {
		return nil, ErrNoUserToken
	}
	return u.fallback.Token()
}

// Invalidate tells fallback, which ignores tokens that are not its own.
func (u user) Invalidate(token *oauth2.Token) {
	if source, ok := u.fallback.(invalidator); ok {
		source.Invalidate(token)
	}
}
