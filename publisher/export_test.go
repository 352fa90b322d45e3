package publisher

import (
	"time"

	"github.com/altinn-go/events/publisher/outbox"
)

// Decide is the policy as a pure function.
func (p RetryPolicy) Decide(item outbox.Item, err error, now time.Time, random float64) outbox.Outcome {
	return p.withDefaults().decide(item, err, now, random)
}

// Attempts counts the attempts that p believes to be under way.
func (p *Publisher) Attempts() (n int) {
	p.tries.mu.Lock()
	defer p.tries.mu.Unlock()
	for c := p.tries.first; c != nil; c = c.after {
		n++
	}
	return n
}
