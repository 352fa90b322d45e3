package credentials_test

import (
	"testing"

	"github.com/altinn-go/events/publisher/credentials"
)

func TestStatic(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"token", " token", "token\r\n"} {
		token, err := credentials.Static(text).Token()
		if err != nil || token.AccessToken != "token" || !token.Expiry.IsZero() || !token.Valid() || token.Type() != "Bearer" {
			t.Errorf("Static(%q).Token() = %v, %v, want a bearer token without expiry", text, token, err)
		}
	}
}

func TestStatic_WithoutToken(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\n"} {
		if token, err := credentials.Static(text).Token(); err == nil {
			t.Errorf("Static(%q).Token() = %v, want an error", text, token)
		}
	}
}
