package credentials_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/publisher/credentials"
	"github.com/altinn-go/events/testutil"
)

// josed is what the npm package jose read of a token.
type josed struct {
	Header  map[string]any `json:"header"`
	Payload map[string]any `json:"payload"`
	Error   string         `json:"error"`
}

// jose has tokens verified by an implementation of JWT that is not ours.
func jose(t *testing.T, jwks []byte, tokens ...string) []josed {
	t.Helper()
	if _, err := os.Stat("testdata/jose/node_modules/jose"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("jose is not installed: npm ci in publisher/credentials/testdata/jose")
		}
		t.Skip("jose is not installed: npm ci in publisher/credentials/testdata/jose")
	}
	input, err := json.Marshal(map[string]any{"jwks": json.RawMessage(jwks), "tokens": tokens})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "verify.mjs")
	cmd.Dir = "testdata/jose"
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, stderr.String())
	}
	var read []josed
	if err := json.Unmarshal(out, &read); err != nil || len(read) != len(tokens) {
		t.Fatalf("%v in %s", err, out)
	}
	return read
}

// Tokens verify elsewhere, claim by claim as altinn-accesstoken and Maskinporten
// want them.
func TestTokens_VerifyWithJose(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	jwks, err := key.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	platform, err := newPlatform(t, key, credentials.PlatformConfig{}).TokenFor(t.Context(), "ttd", "apps-test")
	if err != nil {
		t.Fatal(err)
	}
	service := tokenService(t, testutil.TokenServiceConfig{})
	recorded := &grants{next: service.Transport()}
	id := strings.ToUpper(hex.EncodeToString(must(base64.RawURLEncoding.DecodeString(header(t, platform.AccessToken)["x5t"].(string)))))
	for _, cfg := range []credentials.MaskinportenConfig{
		{KeyID: id}, {Algorithm: "RS384"}, {Algorithm: "RS512", Resource: "https://api.example/", ConsumerOrg: "974760673"},
	} {
		cfg.ClientID, cfg.Scopes, cfg.URL, cfg.Transport = "service", []string{"a", "b"}, "https://test.maskinporten.no/", recorded
		if _, err := newMaskinporten(t, key, cfg).Token(); err != nil {
			t.Fatal(err)
		}
	}
	tokens := append([]string{platform.AccessToken}, recorded.sent...)
	tampered := platform.AccessToken[:len(platform.AccessToken)-8] + "AAAAAAAA"
	read := jose(t, jwks, append(tokens, tampered)...)
	if last := read[len(read)-1]; last.Error != "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" {
		t.Errorf("a tampered token: %+v", last)
	}
	now := float64(time.Now().Unix())
	grant := func(more map[string]any) map[string]any {
		claims := map[string]any{"aud": "https://test.maskinporten.no/", "iss": "service", "scope": "a b", "life": 110.0}
		maps.Copy(claims, more)
		return claims
	}
	for i, want := range []struct {
		alg     string
		x5c     bool
		payload map[string]any
	}{
		{"RS256", false, map[string]any{"iss": "ttd", "urn:altinn:app": "apps-test", "aud": "platform.altinn.no", "life": 300.0, "lead": 5.0}},
		{"RS256", false, grant(nil)},
		{"RS384", true, grant(nil)},
		{"RS512", true, grant(map[string]any{"resource": "https://api.example/", "consumer_org": "974760673"})},
	} {
		got := read[i]
		if got.Error != "" || got.Header["alg"] != want.alg || got.Header["typ"] != "JWT" || (got.Header["x5c"] != nil) != want.x5c || (got.Header["kid"] == id) == want.x5c {
			t.Errorf("token %d: %q, header %v", i, got.Error, got.Header)
			continue
		}
		p := got.Payload
		if iat := p["iat"].(float64); iat < now-30 || iat > now+30 {
			t.Errorf("token %d: iat is %v, now is %v", i, iat, now)
		}
		p["life"] = p["exp"].(float64) - p["iat"].(float64)
		if nbf, ok := p["nbf"].(float64); ok {
			p["lead"] = p["iat"].(float64) - nbf
		}
		if jti, ok := p["jti"].(string); ok != (i > 0) || ok && len(jti) != 36 {
			t.Errorf("token %d: jti is %v", i, p["jti"])
		}
		for _, name := range []string{"iat", "exp", "nbf", "jti"} {
			delete(p, name)
		}
		if diff := cmp.Diff(want.payload, p); diff != "" {
			t.Errorf("token %d (-want +got):\n%s", i, diff)
		}
	}
}

// header is that of a token, unverified.
func header(tb testing.TB, token string) map[string]any {
	tb.Helper()
	var h map[string]any
	if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])), &h); err != nil {
		tb.Fatal(err)
	}
	return h
}
