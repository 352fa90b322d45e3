package webhook

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// secrets are the hashes of the secrets. Hashes are of one length, so comparing them
// tells not even that of a secret.
type secrets [][sha256.Size]byte

func newSecrets(texts []string) secrets {
	hashed := make(secrets, len(texts))
	for i, text := range texts {
		hashed[i] = sha256.Sum256([]byte(text))
	}
	return hashed
}

// match reports whether text is one of them, in a time that does not depend on
// which, or on how much of it is right.
func (s secrets) match(text string) bool {
	got := sha256.Sum256([]byte(text))
	found := 0
	for i := range s {
		found |= subtle.ConstantTimeCompare(s[i][:], got[:])
	}
	return found == 1
}

// allowedSource reports whether a request comes from where it may.
func (rc *Receiver) allowedSource(r *http.Request) bool {
	if len(rc.cfg.AllowedSources) == 0 {
		return true
	}
	source, ok := sourceOf(r, rc.cfg.TrustedProxies)
	return ok && contains(rc.cfg.AllowedSources, source)
}

// sourceOf is the address of the connection or, as long as that is a trusted proxy's,
// the one before it in X-Forwarded-For.
func sourceOf(r *http.Request, trusted []netip.Prefix) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, false
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(forwarded) {
		if !contains(trusted, addr) {
			break
		}
		if text = strings.TrimSpace(text); text == "" {
			break
		}
		if addr, err = netip.ParseAddr(text); err != nil {
			return netip.Addr{}, false
		}
	}
	return addr.Unmap(), true
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) })
}
