package credentials

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/oauth2"
)

// static is the source of one token.
type static struct {
	hidden

	token *oauth2.Token
}

// Static returns a source of token, for tests, tools and tokens that are renewed by
// restarting the program. White space around token, such as the end of line of the
// file that it was read from, is not part of it.
//
// The token never expires here: when the service refuses it, publishing fails with
// publisher.ErrUnauthorized. An empty token is an error of Token. The source prints
// as REDACTED.
func Static(token string) oauth2.TokenSource {
	return static{token: bearer(strings.TrimSpace(token))}
}

// Token returns the token as a bearer token without expiry.
func (s static) Token() (*oauth2.Token, error) {
	if s.token.AccessToken == "" {
		return nil, errors.New("the static token is empty")
	}
	return s.token, nil
}

// TokenFor returns the same token for every app.
func (s static) TokenFor(context.Context, string, string) (*oauth2.Token, error) { return s.Token() }

func bearer(token string) *oauth2.Token {
	return &oauth2.Token{AccessToken: token, TokenType: "Bearer"}
}
