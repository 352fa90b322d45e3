package credentials

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // a thumbprint that names a certificate, as the platform wants it
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/MicahParks/jwkset"
	"software.sslmate.com/src/go-pkcs12"
)

// minKeyBits is the shortest RSA key that is taken.
const minKeyBits = 2048

// KeySource has the key to sign with. A Key is a source of itself, and KeyFile one
// of a file that may change. It is asked whenever a token is made, from one
// goroutine at a time.
type KeySource interface {
	Key() (*Key, error)
}

// Key signs tokens: an RSA key, which may be in a vault or a security module, and
// the certificates that go with it. It is safe for concurrent use if its signer is,
// and prints as REDACTED.
type Key struct {
	hidden

	signer       crypto.Signer
	certificates []*x509.Certificate // of the key first, then who signed it
	id           string              // of a JWK
}

// NewKey returns a key that signer signs with: an *rsa.PrivateKey, or what a vault
// or security module offers. The platform wants the key's certificate; Maskinporten
// can do without.
//
// The error says what is wrong: no RSA key, one below 2048 bits, a certificate of
// another key.
func NewKey(signer crypto.Signer, certificates ...*x509.Certificate) (*Key, error) {
	if signer == nil {
		return nil, errors.New("key: there is no signer")
	}
	public, ok := signer.Public().(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("key: it is %s; Altinn and Maskinporten take RSA", keyKind(signer.Public()))
	}
	if bits := public.N.BitLen(); bits < minKeyBits {
		return nil, fmt.Errorf("key: it has %d bits, want %d or more", bits, minKeyBits)
	}
	at := slices.IndexFunc(certificates, func(c *x509.Certificate) bool { return public.Equal(c.PublicKey) })
	if len(certificates) > 0 && at < 0 {
		return nil, errors.New("key: none of the certificates is the key's; give the pair")
	}
	if at > 0 {
		certificates = slices.Concat(certificates[at:at+1], certificates[:at], certificates[at+1:])
	}
	return &Key{signer: signer, certificates: certificates}, nil
}

// Key returns the key itself.
func (k *Key) Key() (*Key, error) { return k, nil }

// ParseKey reads a key: PEM blocks (a private key in PKCS #8 or #1, and
// certificates), a JWK, or PKCS #12 with its password. A password is ignored where
// there is nothing to decrypt.
//
// The error says what it is not, and holds nothing of the key.
func ParseKey(data []byte, password string) (*Key, error) {
	switch trimmed := bytes.TrimSpace(data); {
	case len(trimmed) == 0:
		return nil, errors.New("key: there is no data")
	case bytes.HasPrefix(trimmed, []byte("{")):
		return parseJWK(trimmed)
	case bytes.Contains(trimmed, []byte("-----BEGIN ")):
		return parsePEM(trimmed)
	default:
		return parsePKCS12(data, password)
	}
}

func parseJWK(data []byte) (*Key, error) {
	var members struct {
		Kty string `json:"kty"`
		Alg string `json:"alg"`
		Kid string `json:"kid"`
		Crv string `json:"crv"`
	}
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, errors.New("key: the JWK is no valid JSON")
	}
	if members.Kty != "RSA" {
		return nil, fmt.Errorf("key: the JWK is of kty %q %s; Altinn and Maskinporten take RSA", members.Kty, members.Crv)
	}
	if members.Alg != "" && !slices.Contains(algorithms, members.Alg) {
		return nil, fmt.Errorf("key: the JWK is for alg %q, want one of %s", members.Alg, strings.Join(algorithms, ", "))
	}
	jwk, err := jwkset.NewJWKFromRawJSON(data, jwkset.JWKMarshalOptions{Private: true}, jwkset.JWKValidateOptions{})
	if err != nil {
		return nil, errors.New("key: the JWK's members make no RSA key")
	}
	signer, ok := jwk.Key().(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("key: the JWK is a public key; give the private one")
	}
	key, err := NewKey(signer, jwk.X509().X5C...)
	if err != nil {
		return nil, err
	}
	key.id = members.Kid
	return key, nil
}

func parsePEM(data []byte) (*Key, error) {
	var signer crypto.Signer
	var certificates []*x509.Certificate
	for len(bytes.TrimSpace(data)) > 0 {
		block, rest := pem.Decode(data)
		if block == nil {
			return nil, errors.New("key: a PEM block is damaged")
		}
		data = rest
		var err error
		var parsed any
		switch block.Type {
		case "CERTIFICATE":
			var certificate *x509.Certificate
			if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
				certificates = append(certificates, certificate)
			}
		case "PRIVATE KEY":
			parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, errEncryptedPEM
			}
			parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			parsed, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errEncryptedPEM
		default:
			return nil, fmt.Errorf("key: a PEM block is %q; want a private key and certificates", block.Type)
		}
		if err != nil {
			return nil, fmt.Errorf("key: the PEM block %q is damaged", block.Type)
		}
		if parsed != nil {
			if signer != nil {
				return nil, errors.New("key: there is more than one private key")
			}
			signer, _ = parsed.(crypto.Signer)
		}
	}
	if signer == nil {
		return nil, errors.New("key: there is no private key among the PEM blocks")
	}
	return NewKey(signer, certificates...)
}

var errEncryptedPEM = errors.New("key: the PEM private key is encrypted; use PKCS #12 with a password, or decrypt it: openssl pkey -in FILE -out KEY")

func parsePKCS12(data []byte, password string) (*Key, error) {
	private, certificate, chain, err := pkcs12.DecodeChain(data, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, errors.New("key: the password of the PKCS #12 data is wrong")
	case err != nil:
		return nil, errors.New("key: it is neither PEM, nor a JWK, nor PKCS #12 with one key and its certificate")
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, errors.New("key: the PKCS #12 data have no private key that signs")
	}
	return NewKey(signer, append([]*x509.Certificate{certificate}, chain...)...)
}

// valid reports why the key's certificate cannot be used now.
func (k *Key) valid(now time.Time) error {
	if len(k.certificates) == 0 {
		return errors.New("the key has no certificate; add it to the file, or give PKCS #12")
	}
	switch certificate := k.certificates[0]; {
	case now.After(certificate.NotAfter):
		return fmt.Errorf("the certificate expired on %s; have it renewed", certificate.NotAfter.Format(time.DateOnly))
	case now.Before(certificate.NotBefore):
		return fmt.Errorf("the certificate is valid from %s on; check the clock", certificate.NotBefore.Format(time.DateOnly))
	}
	return nil
}

// thumbprint is the SHA-1 of the key's certificate, by which the platform names it.
func (k *Key) thumbprint() []byte {
	sum := sha1.Sum(k.certificates[0].Raw) //nolint:gosec // see the import
	return sum[:]
}

// x5c are the certificates as the header of a token has them.
func (k *Key) x5c() []string {
	chain := make([]string, len(k.certificates))
	for i, certificate := range k.certificates {
		chain[i] = base64.StdEncoding.EncodeToString(certificate.Raw)
	}
	return chain
}

// Public returns the public key, of which somebody else can verify what this key has
// signed.
func (k *Key) Public() crypto.PublicKey { return k.signer.Public() }

// JWKS returns the public key as a JSON Web Key Set, for those who verify: the
// self-service of Maskinporten, or testutil/cmd/eventsink -keys.
func (k *Key) JWKS() ([]byte, error) {
	public, _ := k.Public().(*rsa.PublicKey)
	id := k.id
	if id == "" && len(k.certificates) > 0 {
		id = strings.ToUpper(hex.EncodeToString(k.thumbprint()))
	}
	jwk, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: id, USE: jwkset.UseSig}})
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return json.Marshal(jwkset.JWKSMarshal{Keys: []jwkset.JWKMarshal{jwk.Marshal()}})
}

// keyKind names a public key that is not RSA.
func keyKind(public crypto.PublicKey) string {
	kind := strings.TrimPrefix(fmt.Sprintf("%T", public), "*")
	kind = strings.ToUpper(strings.TrimSuffix(strings.TrimSuffix(kind, ".PublicKey"), "PublicKey"))
	return kind
}
