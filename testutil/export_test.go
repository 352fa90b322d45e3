package testutil

import "time"

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

// PushesIdle reports whether no push is under way. Those that wait for their next
// attempt do not count.
func (s *Sink) PushesIdle() bool {
	s.pushes.mu.Lock()
	defer s.pushes.mu.Unlock()
	return len(s.pushes.lanes) == 0
}

// The schedules of pushes.
var (
	PushSchedule       = pushSchedule
	ValidationSchedule = validationSchedule
)

// DialLoopback is the check of addresses that webhooks resolve to.
var DialLoopback = dialLoopback

// SetReadTimeout replaces the bound on reading one request, before URL is called.
func (s *Sink) SetReadTimeout(d time.Duration) { s.readTimeout = d }
