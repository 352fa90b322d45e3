package publisher

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
	"unicode"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher/outbox"
)

// RetryPolicy says when an event that could not be delivered is tried again and
// when it is given up. A zero field means its default, so the zero policy with
// one field set is the default policy but for that field.
//
// The pause before attempt n+1 is random, between 0 and Base·2ⁿ⁻¹ but at most
// Max ("full jitter"), so that many publishers do not come back at once. After
// ErrUnauthorized it is between Max/2 and Max, because waiting for a human is no
// reason to knock every second. A Retry-After of the endpoint wins over both.
type RetryPolicy struct {
	// Base is the longest first pause. Defaults to 1 s.
	Base time.Duration

	// Max bounds every pause that we choose. Defaults to 5 min.
	Max time.Duration

	// MaxRetryAfter bounds every pause that the endpoint asks for. Defaults to
	// 1 h.
	MaxRetryAfter time.Duration

	// MaxAge is how long after it was published an event is given up; the last
	// attempt is made then. Defaults to 7 days, -1 means never.
	MaxAge time.Duration

	// MaxAttempts is after how many attempts an event is given up. Defaults to
	// -1: any number.
	MaxAttempts int
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	if p.Base == 0 {
		p.Base = time.Second
	}
	if p.Max == 0 {
		p.Max = 5 * time.Minute
	}
	if p.MaxRetryAfter == 0 {
		p.MaxRetryAfter = time.Hour
	}
	if p.MaxAge == 0 {
		p.MaxAge = 7 * 24 * time.Hour
	}
	if p.MaxAttempts == 0 {
		p.MaxAttempts = -1
	}
	return p
}

func (p RetryPolicy) validate() error {
	var faults []error
	for _, d := range []struct {
		name  string
		value time.Duration
		least time.Duration
	}{
		{"Base", p.Base, 0},
		{"Max", p.Max, 0},
		{"MaxRetryAfter", p.MaxRetryAfter, 0},
		{"MaxAge", p.MaxAge, -1},
	} {
		if d.value < d.least {
			faults = append(faults, fmt.Errorf("publisher.RetryPolicy: %s is %v, want a positive duration", d.name, d.value))
		}
	}
	if p.MaxAttempts < -1 {
		faults = append(faults, fmt.Errorf("publisher.RetryPolicy: MaxAttempts is %d, want -1 or more", p.MaxAttempts))
	}
	if full := p.withDefaults(); full.Base > full.Max {
		faults = append(faults, fmt.Errorf("publisher.RetryPolicy: Base %v is longer than Max %v", full.Base, full.Max))
	}
	return errors.Join(faults...)
}

// pause is how long to wait after the given attempt failed with err. random is
// in [0,1).
func (p RetryPolicy) pause(attempt int, err error, random float64) time.Duration {
	if d := retryDelay(err); d > 0 {
		return min(d, p.MaxRetryAfter)
	}
	if errors.Is(err, ErrUnauthorized) {
		return p.Max/2 + time.Duration(random*float64(p.Max/2))
	}
	ceiling := p.Max
	if doublings := attempt - 1; doublings < 62 && p.Base <= p.Max>>doublings {
		ceiling = p.Base << doublings
	}
	return time.Duration(random * float64(ceiling))
}

// decide is the whole policy: what becomes of an item whose attempt ended with
// err at now. random is in [0,1).
func (p RetryPolicy) decide(item outbox.Item, err error, now time.Time, random float64) outbox.Outcome {
	switch {
	case err == nil:
		return outbox.Outcome{State: outbox.Delivered}
	case errors.Is(err, ErrRejected):
		return outbox.Outcome{State: outbox.Discard, Reason: reason(err)}
	case p.MaxAttempts > 0 && item.Attempt >= p.MaxAttempts:
		return outbox.Outcome{State: outbox.Discard, Reason: fmt.Sprintf("gave up after %d attempts: %s", item.Attempt, reason(err))}
	}
	at := now.Add(p.pause(item.Attempt, err, random))
	if p.MaxAge > 0 {
		last := item.PublishedAt.Add(p.MaxAge)
		if !now.Before(last) {
			return outbox.Outcome{State: outbox.Discard, Reason: fmt.Sprintf("gave up after %v: %s", p.MaxAge, reason(err))}
		}
		if at.After(last) {
			at = last
		}
	}
	return outbox.Outcome{State: outbox.Retry, RetryAt: at, Reason: reason(err)}
}

// reason is err's text as a queue may store it and a terminal show it: redacted, in
// UTF-8, and without control characters but the white space among them.
func reason(err error) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return unicode.ReplacementChar
		}
		return r // the replacement character for what is no UTF-8
	}, models.Redact(err.Error()))
}

// next decides with the clock and real randomness.
func (p RetryPolicy) next(item *outbox.Item, err error) outbox.Outcome {
	return p.decide(*item, err, time.Now(), rand.Float64()) //nolint:gosec // jitter needs no secret
}
