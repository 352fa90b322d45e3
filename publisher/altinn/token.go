package altinn

import (
	"context"
	"errors"
	"net"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/altinn-go/events/publisher"
)

// AppTokenSource is what a token source implements to be told for what a token is
// needed. The client then calls TokenFor instead of Token, and trusts it to return
// when ctx ends.
type AppTokenSource interface {
	// TokenFor returns a token for a request about the app {org}/{app}. Both are
	// empty for events that are not an app's. ctx is the caller's: it ends with
	// the request, and carries the caller's values.
	TokenFor(ctx context.Context, org, app string) (*oauth2.Token, error)
}

// Invalidator is what a token source implements to be told that the service
// refused its token with a 401. The client asks for a token again right after.
// Sources without TokenFor are told right before that, on the goroutine on which
// Token is called.
type Invalidator interface {
	// Invalidate says that token is of no use any more. A source that holds
	// another token by now ignores the call: callers that were refused at the same
	// time each report the same token.
	Invalidate(token *oauth2.Token)
}

// How errors name the two tokens.
const (
	bearerToken   = "bearer token"
	platformToken = "platform access token"
)

var (
	errEmptyToken     = errors.New("the source returned an empty token")
	errMalformedToken = errors.New("it has white space or characters other than ASCII")
)

// tokens are the tokens of one request; nil where there is no source.
type tokens struct {
	bearer, platform *oauth2.Token
}

func (t tokens) equal(other tokens) bool {
	return accessToken(t.bearer) == accessToken(other.bearer) &&
		accessToken(t.platform) == accessToken(other.platform)
}

// accessToken returns the token's text, or "" if there is no token.
func accessToken(t *oauth2.Token) string {
	if t == nil {
		return ""
	}
	return t.AccessToken
}

// tokens asks the sources for the tokens of a request about source.
func (c *Client) tokens(ctx context.Context, op *operation, source string) (t tokens, err error) {
	if c.bearer == nil && c.platform == nil {
		return tokens{}, nil
	}
	org, app := appOf(source)
	if t.bearer, err = tokenFrom(ctx, c.bearer, org, app); err != nil {
		return t, c.tokenError(ctx, op, bearerToken, err)
	}
	if t.platform, err = tokenFrom(ctx, c.platform, org, app); err != nil {
		return t, c.tokenError(ctx, op, platformToken, err)
	}
	return t, nil
}

// tokenFrom asks source, if there is one.
func tokenFrom(ctx context.Context, source AppTokenSource, org, app string) (*oauth2.Token, error) {
	if source == nil {
		return nil, nil //nolint:nilnil // no source, no token, no error
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	token, err := source.TokenFor(ctx, org, app)
	if err == nil && accessToken(token) == "" {
		err = errEmptyToken
	}
	return token, err
}

// invalidate tells the sources that their tokens were refused.
func (c *Client) invalidate(t tokens) {
	if s, ok := c.bearer.(Invalidator); ok {
		s.Invalidate(t.bearer)
	}
	if s, ok := c.platform.(Invalidator); ok {
		s.Invalidate(t.platform)
	}
}

// appOf returns the first two segments of the path of an app event's source:
// "ttd" and "apps-test" of
// "https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/…".
func appOf(source string) (org, app string) {
	start, slashes := 0, 0 // of the segment, and before it: two of "://", one before the path
	for i := range len(source) {
		if source[i] != '/' {
			continue
		}
		switch slashes {
		case 3:
			org = source[start:i]
		case 4:
			return named(org, source[start:i])
		}
		start = i + 1
		slashes++
	}
	if slashes != 4 {
		return "", ""
	}
	return named(org, source[start:])
}

// named returns the app, or nothing if it lacks one of its names.
func named(org, app string) (string, string) {
	if org == "" || app == "" {
		return "", ""
	}
	return org, app
}

// tokenErrorClass returns how a token source's error is met. Nothing that a source
// reports makes an event undeliverable: an issuer that cannot be reached is
// waited for, one that refuses us somebody can mend.
func tokenErrorClass(err error) error {
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok && e.Response != nil {
		switch code := e.Response.StatusCode; {
		case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
			return publisher.ErrUnavailable
		default:
			return publisher.ErrUnauthorized
		}
	}
	if _, ok := errors.AsType[net.Error](err); ok ||
		errors.Is(err, context.Canceled) || errors.Is(err, publisher.ErrUnavailable) {
		return publisher.ErrUnavailable
	}
	return publisher.ErrUnauthorized
}
