package publisher

import (
	"sync"
	"time"
)

// maxLinesPerSecond is how many lines of one kind are logged in a second. When the
// endpoint goes away, every event in flight has a first failure.
const maxLinesPerSecond = 10

// sampler thins out lines of one kind.
type sampler struct {
	mu         sync.Mutex
	began      time.Time // of the second
	lines      int       // in it
	suppressed int       // since the last line
}

// allow reports whether a line is written, and how many were not since the last one
// that was.
func (s *sampler) allow(now time.Time) (ok bool, suppressed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.began) >= time.Second {
		s.began, s.lines = now, 0
	}
	if s.lines == maxLinesPerSecond {
		s.suppressed++
		return false, 0
	}
	s.lines++
	suppressed, s.suppressed = s.suppressed, 0
	return true, suppressed
}
