package credentials_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/altinn-go/events/publisher/credentials"
)

// The keys are made once: making one takes longer than all that is done with it.
var (
	firstKey  = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	secondKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	shortKey  = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 1024)) })
	curveKey  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// certificate is one of a key, valid around the year 2000, where synctest begins,
// and now.
func certificate(key crypto.Signer) *x509.Certificate {
	return certificateUntil(key, time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC))
}

func certificateUntil(key crypto.Signer, end time.Time) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: end,
	}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))))
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func keyPEM(key any) string { return pemOf("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))) }

func certificatePEM(c *x509.Certificate) string { return pemOf("CERTIFICATE", c.Raw) }

func p12(key *rsa.PrivateKey, password string) string {
	return string(must(pkcs12.Modern.Encode(key, certificate(key), nil, password)))
}

// jwkOf is a private JWK with members replaced; an empty one is left out.
func jwkOf(key *rsa.PrivateKey, replace map[string]string) string {
	text := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }
	members := map[string]string{
		"kty": "RSA", "kid": "key-1", "alg": "RS256", "use": "sig",
		"n": text(key.N), "e": text(big.NewInt(int64(key.E))), "d": text(key.D), "p": text(key.Primes[0]), "q": text(key.Primes[1]),
		"dp": text(key.Precomputed.Dp), "dq": text(key.Precomputed.Dq), "qi": text(key.Precomputed.Qinv),
	}
	for name, value := range replace {
		if members[name] = value; value == "" {
			delete(members, name)
		}
	}
	return string(must(json.Marshal(members)))
}

// newKey is the first key with its certificate.
func newKey(tb testing.TB) *credentials.Key {
	tb.Helper()
	key, err := credentials.NewKey(firstKey(), certificate(firstKey()))
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// vault is a signer whose private key cannot be had, which counts.
type vault struct {
	key        *rsa.PrivateKey
	signatures atomic.Int64
}

func (v *vault) Public() crypto.PublicKey { return v.key.Public() }

func (v *vault) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	v.signatures.Add(1)
	return v.key.Sign(random, digest, opts)
}

// parse verifies a token with key and returns its header and claims.
func parse(tb testing.TB, token string, key crypto.PublicKey) (header map[string]any, claims jwt.MapClaims) {
	tb.Helper()
	parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return key, nil }, jwt.WithoutClaimsValidation())
	if err != nil {
		tb.Fatalf("token: %v", err)
	}
	return parsed.Header, parsed.Claims.(jwt.MapClaims)
}

// wantError fails the test unless err has all texts.
func wantError(tb testing.TB, err error, texts ...string) {
	tb.Helper()
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			tb.Errorf("error is %v, want it with %q", err, text)
		}
	}
}
