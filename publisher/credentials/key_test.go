package credentials_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/altinn-go/events/publisher/credentials"
	"github.com/altinn-go/events/testutil"
)

func TestParseKey(t *testing.T) {
	t.Parallel()
	key := firstKey()
	own, other := certificatePEM(certificate(key)), certificatePEM(certificate(secondKey()))
	for name, tt := range map[string]struct{ text, password string }{
		"PKCS8":              {keyPEM(key), ""},
		"PKCS8Certificate":   {keyPEM(key) + own, "ignored"},
		"CertificatesFirst":  {other + own + keyPEM(key), ""},
		"PKCS1":              {pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), ""},
		"JWK":                {jwkOf(key, nil), ""},
		"JWKWithoutAlg":      {" " + jwkOf(key, map[string]string{"alg": ""}), ""},
		"PKCS12":             {p12(key, "secret"), "secret"},
		"PKCS12NoPassword":   {p12(key, ""), ""},
		"WindowsLineEndings": {strings.ReplaceAll(keyPEM(key)+own, "\n", "\r\n"), ""},
	} {
		got, err := credentials.ParseKey([]byte(tt.text), tt.password)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !key.PublicKey.Equal(got.Public()) {
			t.Errorf("%s: another key", name)
		}
		jwks, err := got.JWKS()
		if err != nil {
			t.Errorf("%s: JWKS: %v", name, err)
		}
		public, err := testutil.ParseKeys(jwks)
		if err != nil || len(public) != 1 || !key.PublicKey.Equal(public[0]) {
			t.Errorf("%s: JWKS is %s, %v", name, jwks, err)
		}
	}
}

// Each bad key is refused with what to do, and without the key.
func TestParseKey_Refuses(t *testing.T) {
	t.Parallel()
	key := firstKey()
	//nolint:staticcheck // what old tools have made
	encrypted := must(x509.EncryptPEMBlock(nilReader{}, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), []byte("x"), x509.PEMCipherAES256))
	for name, tt := range map[string]struct{ text, password, want string }{
		"Empty":            {" \n", "", "there is no data"},
		"Nonsense":         {"hello", "", "neither PEM, nor a JWK, nor PKCS #12"},
		"WrongPassword":    {p12(key, "secret"), "other", "the password of the PKCS #12 data is wrong"},
		"NoPassword":       {p12(key, "secret"), "", "the password of the PKCS #12 data is wrong"},
		"Curve":            {keyPEM(curveKey()), "", "it is ECDSA; Altinn and Maskinporten take RSA"},
		"Short":            {keyPEM(shortKey()), "", "1024 bits, want 2048"},
		"OtherCertificate": {keyPEM(key) + certificatePEM(certificate(secondKey())), "", "none of the certificates is the key's"},
		"OnlyCertificate":  {certificatePEM(certificate(key)), "", "no private key among the PEM blocks"},
		"PublicPEM":        {pemOf("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(key.Public()))), "", `a PEM block is "PUBLIC KEY"`},
		"TwoKeys":          {keyPEM(key) + keyPEM(key), "", "more than one private key"},
		"Damaged":          {pemOf("PRIVATE KEY", []byte("x")), "", `the PEM block "PRIVATE KEY" is damaged`},
		"Encrypted":        {pemOf("ENCRYPTED PRIVATE KEY", []byte("x")), "", "is encrypted; use PKCS #12"},
		"EncryptedPKCS1":   {string(pem.EncodeToMemory(encrypted)), "", "is encrypted; use PKCS #12"},
		"JWKMalformed":     {`{"kty":`, "", "no valid JSON"},
		"JWKPublic":        {jwkOf(key, map[string]string{"d": "", "p": "", "q": "", "dp": "", "dq": "", "qi": ""}), "", "give the private one"},
		"JWKNone":          {jwkOf(key, map[string]string{"alg": "none"}), "", `alg "none", want one of RS256`},
		"JWKHMAC":          {jwkOf(key, map[string]string{"alg": "HS256"}), "", `alg "HS256"`},
		"JWKSymmetric":     {`{"kty":"oct","k":"c2VjcmV0"}`, "", `kty "oct"`},
		"JWKCurve":         {`{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}`, "", `kty "EC" P-256`},
		"JWKDamaged":       {jwkOf(key, map[string]string{"n": "!"}), "", "make no RSA key"},
		"TrailingPEM":      {keyPEM(key) + "-----BEGIN ", "", "damaged"},
	} {
		got, err := credentials.ParseKey([]byte(tt.text), tt.password)
		if got != nil {
			t.Errorf("%s was taken", name)
		}
		wantError(t, err, "key: ", tt.want)
	}
	_, err := credentials.NewKey(nil)
	wantError(t, err, "no signer")
}

type nilReader struct{}

func (nilReader) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// write puts a file there as a mounted secret does: whole, by a rename.
func write(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		tb.Fatal(err)
	}
}

func TestKeyFile_FollowsChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key.pem")
	write(t, path, keyPEM(firstKey()))
	var logged bytes.Buffer
	keys, err := credentials.KeyFile(credentials.KeyFileConfig{Path: path, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	is := func(when string, first bool) {
		t.Helper()
		key, err := keys.Key()
		if err != nil || firstKey().PublicKey.Equal(key.Public()) != first {
			t.Errorf("%s: first key %t, %v; want %t", when, !first, err, first)
		}
	}
	is("at start", true)
	write(t, path, "half wri")
	is("while it is written", true)
	is("once more", true)
	if n := strings.Count(logged.String(), "\n"); n != 1 || !strings.Contains(logged.String(), "going on with the last one") {
		t.Errorf("logged %d lines, want one warning:\n%s", n, logged.String())
	}
	write(t, path, keyPEM(secondKey()))
	is("rotated", false)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	is("gone", false)
	write(t, path, keyPEM(firstKey()))
	is("there again", true)
}

// The way in which Kubernetes swaps a secret: a link to a folder is replaced.
func TestKeyFile_FollowsLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for folder, key := range map[string]string{"one": p12(firstKey(), "a"), "two": p12(secondKey(), "b")} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, folder, "key.p12"), key)
		write(t, filepath.Join(dir, folder, "password"), map[string]string{"one": "a\n", "two": "b\r\n"}[folder])
	}
	data := filepath.Join(dir, "data")
	if err := os.Symlink(filepath.Join(dir, "one"), data); err != nil {
		t.Fatal(err)
	}
	keys, err := credentials.KeyFile(credentials.KeyFileConfig{
		Path: filepath.Join(data, "key.p12"), PasswordPath: filepath.Join(data, "password"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "two"), data+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(data+".new", data); err != nil {
		t.Fatal(err)
	}
	if key, err := keys.Key(); err != nil || !secondKey().PublicKey.Equal(key.Public()) {
		t.Errorf("after the swap: %v, %v", key, err)
	}
}

func TestKeyFile_CertificateApart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key, crt := filepath.Join(dir, "tls.key"), filepath.Join(dir, "tls.crt")
	write(t, key, strings.TrimSpace(keyPEM(firstKey())))
	write(t, crt, certificatePEM(certificate(firstKey())))
	keys, err := credentials.KeyFile(credentials.KeyFileConfig{Path: key, CertificatePath: crt})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := credentials.NewPlatform(keys, credentials.PlatformConfig{}); err != nil {
		t.Errorf("NewPlatform: %v", err)
	}
	for _, cfg := range []credentials.KeyFileConfig{
		{Path: filepath.Join(dir, "none")},
		{Path: key, CertificatePath: filepath.Join(dir, "none")},
		{Path: key, PasswordPath: filepath.Join(dir, "none")},
	} {
		_, err := credentials.KeyFile(cfg)
		wantError(t, err, "none: no such file")
	}
}

// Nothing that holds a secret prints it.
func TestCredentials_PrintAsRedacted(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	path := filepath.Join(t.TempDir(), "key.pem")
	write(t, path, keyPEM(firstKey()))
	cfg := credentials.KeyFileConfig{Path: path, Password: "hunter2"}
	file, err := credentials.KeyFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	platform, err := credentials.NewPlatform(key, credentials.PlatformConfig{})
	if err != nil {
		t.Fatal(err)
	}
	maskinporten, err := credentials.NewMaskinporten(key, credentials.MaskinportenConfig{ClientID: "c", Scopes: []string{"s"}})
	if err != nil {
		t.Fatal(err)
	}
	exchange, err := credentials.NewExchange(maskinporten, credentials.ExchangeConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{key, *key, file, cfg, &cfg, platform, maskinporten, exchange, &credentials.Set{SubscriptionKey: "hunter2"}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
			if got := fmt.Sprintf(verb, v); got != "REDACTED" {
				t.Errorf("%s of %T is %.40s", verb, v, got)
			}
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", slog.Any("v", v))
		if !strings.Contains(log.String(), `"v":"REDACTED"`) {
			t.Errorf("slog of %T is %.80s", v, log.String())
		}
		if text, err := json.Marshal(v); err != nil || string(text) != `"REDACTED"` {
			t.Errorf("JSON of %T is %.40s, %v", v, text, err)
		}
	}
}

func TestNewPlatform_Refuses(t *testing.T) {
	t.Parallel()
	bare, err := credentials.NewKey(firstKey())
	if err != nil {
		t.Fatal(err)
	}
	expired, err := credentials.NewKey(firstKey(), certificateUntil(firstKey(), time.Date(2020, 2, 1, 0, 0, 0, 0, time.UTC)))
	if err != nil {
		t.Fatal(err)
	}
	for want, tt := range map[string]struct {
		keys credentials.KeySource
		cfg  credentials.PlatformConfig
	}{
		"there is no key":                        {nil, credentials.PlatformConfig{}},
		"the key has no certificate":             {bare, credentials.PlatformConfig{}},
		"expired on 2020-02-01; have it renewed": {expired, credentials.PlatformConfig{}},
		"the App needs an Org":                   {newKey(t), credentials.PlatformConfig{App: "a"}},
		"App is no name of an app":               {newKey(t), credentials.PlatformConfig{Org: "ttd", App: "ttd/a"}},
		"Org is no service owner's code":         {newKey(t), credentials.PlatformConfig{Org: "t d"}},
	} {
		_, err := credentials.NewPlatform(tt.keys, tt.cfg)
		wantError(t, err, "platform access token: ", want)
	}
}
