package credentials_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/credentials"
)

func TestUserToken(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	if token, ok := credentials.UserToken(ctx); token != "" || ok {
		t.Errorf("UserToken = %q, %t, want none", token, ok)
	}
	if got := credentials.WithUserToken(ctx, ""); got != ctx {
		t.Error("WithUserToken of no token changed the context")
	}
	ctx = credentials.WithUserToken(ctx, "first")
	ctx = credentials.WithUserToken(ctx, "second")
	ctx = context.WithoutCancel(credentials.WithUserToken(ctx, ""))
	if token, ok := credentials.UserToken(ctx); token != "second" || !ok {
		t.Errorf("UserToken = %q, %t, want second", token, ok)
	}
}

func TestUserTokenFromRequest(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		header http.Header
		want   string
	}{
		"Bearer":          {http.Header{"Authorization": {"Bearer header"}}, "header"},
		"OtherCase":       {http.Header{"Authorization": {"bEARER header"}}, "header"},
		"MoreSpace":       {http.Header{"Authorization": {"Bearer  header "}}, "header"},
		"Cookie":          {http.Header{"Cookie": {"a=b; AltinnStudioRuntime=cookie; c=d"}}, "cookie"},
		"Both":            {http.Header{"Authorization": {"Bearer header"}, "Cookie": {"AltinnStudioRuntime=cookie"}}, "header"},
		"BasicAndCookie":  {http.Header{"Authorization": {"Basic dTpw"}, "Cookie": {"AltinnStudioRuntime=cookie"}}, "cookie"},
		"EmptyAndCookie":  {http.Header{"Authorization": {"Bearer "}, "Cookie": {"AltinnStudioRuntime=cookie"}}, "cookie"},
		"SchemeOnly":      {http.Header{"Authorization": {"Bearer"}}, ""},
		"OtherScheme":     {http.Header{"Authorization": {"Bearers header"}}, ""},
		"NoScheme":        {http.Header{"Authorization": {"header"}}, ""},
		"OtherCookie":     {http.Header{"Cookie": {"altinnstudioruntime=cookie"}}, ""},
		"MalformedCookie": {http.Header{"Cookie": {"AltinnStudioRuntime"}}, ""},
		"None":            {http.Header{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := credentials.UserTokenFromRequest(&http.Request{Header: tc.header}); got != tc.want {
				t.Errorf("UserTokenFromRequest = %q, want %q", got, tc.want)
			}
		})
	}
}

// fallback is a token source that implements everything and remembers its calls.
type fallback struct{ calls []string }

func (f *fallback) Token() (*oauth2.Token, error) {
	f.calls = append(f.calls, "Token")
	return &oauth2.Token{AccessToken: "service"}, nil
}

func (f *fallback) TokenFor(_ context.Context, org, app string) (*oauth2.Token, error) {
	f.calls = append(f.calls, "TokenFor "+org+" "+app)
	return &oauth2.Token{AccessToken: "service"}, nil
}

func (f *fallback) Invalidate(token *oauth2.Token) {
	f.calls = append(f.calls, "Invalidate "+token.AccessToken)
}

func TestUser(t *testing.T) {
	t.Parallel()
	errNoService := errors.New("no service token")
	inRequest := credentials.WithUserToken(t.Context(), "user")
	full := &fallback{}
	failing := tokenFunc(func() (*oauth2.Token, error) { return nil, errNoService })
	for name, tc := range map[string]struct {
		fallback oauth2.TokenSource
		ctx      context.Context //nolint:containedctx // a table's column
		want     string
		err      error
	}{
		"InRequest":                {full, inRequest, "user", nil},
		"InRequestWithoutFallback": {nil, inRequest, "user", nil},
		"Later":                    {full, t.Context(), "service", nil},
		"LaterOfAPlainSource":      {credentials.Static("static"), t.Context(), "static", nil},
		"LaterOfAFailingSource":    {failing, t.Context(), "", errNoService},
		"LaterWithoutFallback":     {nil, t.Context(), "", credentials.ErrNoUserToken},
	} {
		source := credentials.User(tc.fallback).(altinn.AppTokenSource)
		token, err := source.TokenFor(tc.ctx, "ttd", "apps-test")
		if !errors.Is(err, tc.err) || (err == nil && token.AccessToken != tc.want) {
			t.Errorf("%s: TokenFor = %v, %v, want %q, %v", name, token, err, tc.want, tc.err)
		}
	}

	source := credentials.User(full)
	if token, err := source.Token(); err != nil || token.AccessToken != "service" {
		t.Errorf("Token = %v, %v, want the fallback's", token, err)
	}
	source.(altinn.Invalidator).Invalidate(&oauth2.Token{AccessToken: "refused"})
	credentials.User(nil).(altinn.Invalidator).Invalidate(&oauth2.Token{AccessToken: "refused"})
	want := []string{"TokenFor ttd apps-test", "Token", "Invalidate refused"}
	if diff := cmp.Diff(want, full.calls); diff != "" {
		t.Errorf("the fallback's calls (-want +got):\n%s", diff)
	}
	if _, err := credentials.User(nil).Token(); !errors.Is(err, credentials.ErrNoUserToken) {
		t.Errorf("Token = %v, want ErrNoUserToken", err)
	}
}

type tokenFunc func() (*oauth2.Token, error)

func (f tokenFunc) Token() (*oauth2.Token, error) { return f() }
