package testutil_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/altinn-go/events/testutil"
)

func rsaKey(tb testing.TB) *rsa.PrivateKey {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func pemBlock(tb testing.TB, kind string, der []byte, err error) string {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func publicPEM(tb testing.TB, key crypto.PublicKey) string {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	return pemBlock(tb, "PUBLIC KEY", der, err)
}

func certificatePEM(tb testing.TB, key *rsa.PrivateKey) string {
	tb.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return pemBlock(tb, "CERTIFICATE", der, err)
}

func jwk(tb testing.TB, key *rsa.PublicKey, more map[string]string) string {
	tb.Helper()
	members := map[string]string{
		"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}
	maps.Copy(members, more)
	text, err := json.Marshal(members)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	key := rsaKey(t)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	one := jwk(t, &key.PublicKey, nil)
	for name, tt := range map[string]struct {
		text string
		keys int
	}{
		"JWKS":         {`{"keys":[` + one + `,` + one + `]}`, 2},
		"JWK":          {one, 1},
		"Certificate":  {certificatePEM(t, key), 1},
		"PublicKeys":   {publicPEM(t, curve.Public()) + publicPEM(t, edwards) + "\n", 2},
		"RSAPublicKey": {pemBlock(t, "RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey), nil), 1},
	} {
		keys, err := testutil.ParseKeys([]byte(tt.text))
		if err != nil || len(keys) != tt.keys {
			t.Errorf("%s: %d keys, %v; want %d", name, len(keys), err, tt.keys)
		}
	}
	private := pemBlock(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), nil)
	for text, want := range map[string]string{
		"":                         "there are none",
		"hello":                    "block 0 is none",
		"{":                        "JWKS: ",
		`{"keys":[]}`:              "there are none",
		`{"keys":[{"kty":"X"}]}`:   "JWKS: key 0: ",
		`{"kty":"oct","k":"AAAA"}`: "verifies no token",
		private:                    `"RSA PRIVATE KEY" is no certificate`,
		publicPEM(t, curve.Public()) + "trailing": "block 1 is none",
		jwk(t, &key.PublicKey, map[string]string{
			"d": base64.RawURLEncoding.EncodeToString(key.D.Bytes()), "p": base64.RawURLEncoding.EncodeToString(key.Primes[0].Bytes()),
			"q":  base64.RawURLEncoding.EncodeToString(key.Primes[1].Bytes()),
			"dp": base64.RawURLEncoding.EncodeToString(key.Precomputed.Dp.Bytes()), "dq": base64.RawURLEncoding.EncodeToString(key.Precomputed.Dq.Bytes()),
			"qi": base64.RawURLEncoding.EncodeToString(key.Precomputed.Qinv.Bytes()),
		}): "private key",
	} {
		if keys, err := testutil.ParseKeys([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %d keys, %v; want an error with %q", text, len(keys), err, want)
		}
	}
}

// With AuthVerify a token is as good as its signature.
func TestSink_AuthVerify(t *testing.T) {
	t.Parallel()
	key, other := rsaKey(t), rsaKey(t)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{
		Auth: testutil.AuthVerify, Keys: []crypto.PublicKey{&key.PublicKey, curve.Public()},
	})
	own, err := sink.Token(testutil.TokenSpec{})
	if err != nil {
		t.Fatal(err)
	}
	claims := func(exp time.Duration) jwt.MapClaims {
		return jwt.MapClaims{"urn:altinn:org": "ttd", "scope": "altinn:events.subscribe", "exp": time.Now().Add(exp).Unix()}
	}
	sign := func(method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
		token, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	good := sign(jwt.SigningMethodRS256, key, claims(time.Hour))
	for name, tt := range map[string]struct {
		token  string
		status int
	}{
		"Own":        {own, 200},
		"RS256":      {good, 200},
		"RS512":      {sign(jwt.SigningMethodRS512, key, claims(time.Hour)), 200},
		"PS256":      {sign(jwt.SigningMethodPS256, key, claims(time.Hour)), 200},
		"ES256":      {sign(jwt.SigningMethodES256, curve, claims(time.Hour)), 200},
		"OtherKey":   {sign(jwt.SigningMethodRS256, other, claims(time.Hour)), 401},
		"Expired":    {sign(jwt.SigningMethodRS256, key, claims(-time.Second)), 401},
		"NoExpiry":   {sign(jwt.SigningMethodRS256, key, jwt.MapClaims{"urn:altinn:org": "ttd"}), 401},
		"None":       {sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims(time.Hour)), 401},
		"PublicHMAC": {sign(jwt.SigningMethodHS256, x509.MarshalPKCS1PublicKey(&key.PublicKey), claims(time.Hour)), 401},
		"PEMHMAC":    {sign(jwt.SigningMethodHS256, []byte(publicPEM(t, &key.PublicKey)), claims(time.Hour)), 401},
		"Cut":        {good[:len(good)-4], 401},
		"Malformed":  {"x", 401},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			"http://sink/events/api/v1/events?after=0&resource=urn:altinn:resource:x", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+tt.token)
		resp, err := sink.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.status {
			t.Errorf("%s: %s, want %d", name, resp.Status, tt.status)
		}
	}
	sink.Publisher(t) // the sink's own credentials serve in this mode too
}

func TestSinkConfig_Keys(t *testing.T) {
	t.Parallel()
	tb := record(t, func(tb *recordingTB) {
		testutil.NewSinkWithConfig(tb, testutil.SinkConfig{
			Auth: "x", Keys: []crypto.PublicKey{rsaKey(t)}, BaseURL: "localhost", RetryScale: -1, VisibilityLag: -1, MatchCache: -1, MaxEvents: -1,
		})
	})
	for _, want := range []string{"Auth is", "key 0: this is a private key", "BaseURL is", "RetryScale is", "VisibilityLag is", "MatchCache is", "MaxEvents is"} {
		if !strings.Contains(tb.failure, want) {
			t.Errorf("%q lacks %q", tb.failure, want)
		}
	}
}
