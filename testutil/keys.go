package testutil

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/MicahParks/jwkset"
)

// ParseKeys reads the public keys of a JWKS (or of one JWK), or of PEM blocks:
// certificates and public keys. RSA, ECDSA and Ed25519 keys are taken.
//
// The error says which key cannot be read, and that a private key is none to give a
// verifier.
func ParseKeys(data []byte) ([]crypto.PublicKey, error) {
	data = bytes.TrimSpace(data)
	var keys []crypto.PublicKey
	var err error
	if bytes.HasPrefix(data, []byte("{")) {
		keys, err = parseJWKS(data)
	} else {
		keys, err = parsePEM(data)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("parse keys: %w", err)
	case len(keys) == 0:
		return nil, errors.New("parse keys: there are none; want a JWKS, or PEM blocks with certificates or public keys")
	}
	return keys, nil
}

func parseJWKS(data []byte) ([]crypto.PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("JWKS: %w", err)
	}
	if set.Keys == nil {
		set.Keys = []json.RawMessage{data}
	}
	keys := make([]crypto.PublicKey, 0, len(set.Keys))
	for i, raw := range set.Keys {
		// Private members are read only to be refused.
		jwk, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{Private: true}, jwkset.JWKValidateOptions{})
		if err != nil {
			return nil, fmt.Errorf("JWKS: key %d: %w", i, err)
		}
		key, err := publicKey(jwk.Key())
		if err != nil {
			return nil, fmt.Errorf("JWKS: key %d: %w", i, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func parsePEM(data []byte) (keys []crypto.PublicKey, err error) {
	for i := 0; ; i++ {
		block, rest := pem.Decode(data)
		if block == nil {
			if len(bytes.TrimSpace(data)) > 0 {
				return nil, fmt.Errorf("PEM: block %d is none, nor is this a JWKS", i)
			}
			return keys, nil
		}
		data = rest
		var key any
		switch block.Type {
		case "CERTIFICATE":
			var certificate *x509.Certificate
			if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
				key = certificate.PublicKey
			}
		case "PUBLIC KEY":
			key, err = x509.ParsePKIXPublicKey(block.Bytes)
		case "RSA PUBLIC KEY":
			key, err = x509.ParsePKCS1PublicKey(block.Bytes)
		default:
			err = fmt.Errorf("%q is no certificate and no public key", block.Type)
		}
		if err == nil {
			key, err = publicKey(key)
		}
		if err != nil {
			return nil, fmt.Errorf("PEM: block %d: %w", i, err)
		}
		keys = append(keys, key)
	}
}

// publicKey is key, if it is one that can verify.
func publicKey(key any) (crypto.PublicKey, error) {
	switch key.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		return key, nil
	case crypto.Signer:
		return nil, errors.New("this is a private key; give the public one")
	default:
		return nil, fmt.Errorf("a %T verifies no token of Altinn; want RSA, ECDSA or Ed25519", key)
	}
}
