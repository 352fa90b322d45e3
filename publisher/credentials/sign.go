package credentials

import (
	"crypto"
	"crypto/rand"
	_ "crypto/sha256" // RS256
	_ "crypto/sha512" // RS384, RS512
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// algorithms are those that Maskinporten and the platform take. There is no "none"
// among them, and none that a public key could be used for.
var algorithms = []string{"RS256", "RS384", "RS512"}

var hashes = map[string]crypto.Hash{"RS256": crypto.SHA256, "RS384": crypto.SHA384, "RS512": crypto.SHA512}

func checkAlgorithm(name string) error {
	if !slices.Contains(algorithms, name) {
		return fmt.Errorf("the Algorithm is %q, want one of %s", name, strings.Join(algorithms, ", "))
	}
	return nil
}

// sign returns a signed token. The signer may be far away: a signature can take as
// long as a request to a vault.
func (k *Key) sign(algorithm string, header map[string]any, claims jwt.MapClaims) (string, error) {
	token := jwt.NewWithClaims(jwt.GetSigningMethod(algorithm), claims)
	maps.Copy(token.Header, header)
	text, err := token.SigningString()
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	hash := hashes[algorithm]
	h := hash.New()
	h.Write([]byte(text))
	signature, err := k.signer.Sign(rand.Reader, h.Sum(nil), hash)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
