package testutil

// SetMaxBytes replaces the bound on the bytes of kept requests.
func (s *Sink) SetMaxBytes(n int) { s.store.maxBytes = n }

// MaxCachedTokens bounds the tokens that Credentials keeps.
const MaxCachedTokens = maxCachedTokens

// CachedTokens is how many tokens Credentials keeps.
func (s *Sink) CachedTokens() int {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	return len(s.tokens.kept)
}
