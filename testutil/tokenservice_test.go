package testutil_test

import (
	"crypto"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/altinn-go/events/testutil"
)

// Each rule of a grant, broken by itself; package credentials tests what keeps them.
func TestTokenService_Grants(t *testing.T) {
	t.Parallel()
	key, other := rsaKey(t), rsaKey(t)
	service := testutil.NewTokenService(t, testutil.TokenServiceConfig{
		Clients: map[string]testutil.TokenClient{"service": {Keys: []crypto.PublicKey{key.Public()}, Scopes: []string{"a", "b"}}},
	})
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	for name, tt := range map[string]struct {
		change func(jwt.MapClaims, map[string]any)
		signer any
		method jwt.SigningMethod
		grant  string
		want   string
	}{
		"Good":       {nil, key, nil, "", `"access_token"`},
		"Both":       {func(c jwt.MapClaims, _ map[string]any) { c["scope"] = "a b" }, key, nil, "", `"scope":"a b"`},
		"Repeated":   {func(c jwt.MapClaims, _ map[string]any) { c["jti"] = "first" }, key, nil, "", "jti is missing or was used"},
		"NoJTI":      {func(c jwt.MapClaims, _ map[string]any) { delete(c, "jti") }, key, nil, "", "jti is missing"},
		"Audience":   {func(c jwt.MapClaims, _ map[string]any) { c["aud"] = "https://maskinporten.no/" }, key, nil, "", "the audience or a time is wrong"},
		"Old":        {func(c jwt.MapClaims, _ map[string]any) { c["iat"] = time.Now().Unix() - 11 }, key, nil, "", "iat is missing or too old"},
		"Early":      {func(c jwt.MapClaims, _ map[string]any) { c["iat"] = time.Now().Unix() + 30 }, key, nil, "", "a time is wrong"},
		"Long":       {func(c jwt.MapClaims, _ map[string]any) { c["exp"] = time.Now().Unix() + 130 }, key, nil, "", "more than 120 seconds"},
		"NoScope":    {func(c jwt.MapClaims, _ map[string]any) { delete(c, "scope") }, key, nil, "", "invalid_scope"},
		"OtherScope": {func(c jwt.MapClaims, _ map[string]any) { c["scope"] = "a c" }, key, nil, "", "has not been given c"},
		"Client":     {func(c jwt.MapClaims, _ map[string]any) { c["iss"] = "x" }, key, nil, "", "invalid_client"},
		"NoKey":      {func(_ jwt.MapClaims, h map[string]any) { delete(h, "kid") }, key, nil, "", "want kid or x5c"},
		"OtherKey":   {nil, other, nil, "", "the signature"},
		"None":       {nil, jwt.UnsafeAllowNoneSignatureType, jwt.SigningMethodNone, "", "the signature"},
		"GrantType":  {nil, key, nil, "client_credentials", "unsupported_grant_type"},
	} {
		claims := jwt.MapClaims{
			"aud": "https://test.maskinporten.no/", "iss": "service", "scope": "a", "jti": name,
			"iat": time.Now().Unix(), "exp": time.Now().Unix() + 100,
		}
		method := tt.method
		if method == nil {
			method = jwt.SigningMethodRS256
		}
		token := jwt.NewWithClaims(method, claims)
		token.Header["kid"] = "k"
		if tt.change != nil {
			tt.change(claims, token.Header)
		}
		text, err := token.SignedString(tt.signer)
		if err != nil {
			t.Fatal(err)
		}
		grantType := tt.grant
		if grantType == "" {
			grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"
		}
		times := 1
		if name == "Repeated" {
			times = 2
		}
		var body string
		for range times {
			body = postForm(t, server.URL+"/token", url.Values{"grant_type": {grantType}, "assertion": {text}})
		}
		if !strings.Contains(body, tt.want) {
			t.Errorf("%s: %s, want %q", name, body, tt.want)
		}
	}
}

func postForm(t *testing.T, address string, form url.Values) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := socketClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
