package testutil

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
)

// endpointDeliveries is what a Fault or a hook calls the pushes to webhooks.
const endpointDeliveries = "/deliveries"

const (
	maxKeptDeliveries  = 10_000 // of Sink.Deliveries
	maxShownDeliveries = 20     // in a report
)

// Delivery is one attempt to push an event to a webhook.
type Delivery struct {
	// Subscription is the id of the subscription.
	Subscription int
	// Endpoint is the webhook's URL, with the secret that may be in it.
	Endpoint string
	// Event is what was pushed.
	Event event.Event
	// Validation marks the event that a new subscription is validated by.
	Validation bool
	// Attempt counts from 1.
	Attempt int
	// Status is the answer's, or 0 if there was none.
	Status int
	// Error is why there was no answer.
	Error string
	// HeldBack marks a delivery that the sink did not send, because the webhook is on
	// another machine. See SinkConfig.RemoteWebhooks.
	HeldBack bool
	// At is when the attempt began, and Took how long it lasted.
	At   time.Time
	Took time.Duration
	// NextAttempt is when the sink tries again, or zero if it does not.
	NextAttempt time.Time
}

// Delivered reports whether the webhook has taken the event.
func (d *Delivery) Delivered() bool { return d.Status >= 200 && d.Status < 300 }

// Deliveries returns the attempts to push events to webhooks in the order in which
// they ended, the newest 10,000 of them.
func (s *Sink) Deliveries() []Delivery {
	all, _ := s.pushes.record.all()
	for i := range all {
		all[i].Event = all[i].Event.Clone()
	}
	return all
}

// RequireDelivered returns the one event that a webhook has taken and that want
// describes. To is the webhook's URL as the subscription has it; empty means any. It
// looks now; EventuallyDelivered waits.
//
// The test fails, at once, if no such event was taken, or another one too. The
// report lists the attempts.
func (s *Sink) RequireDelivered(tb testing.TB, to string, want Want) Delivery {
	tb.Helper()
	all, _ := s.pushes.record.all()
	return s.requireDelivered(tb, to, want, all)
}

// EventuallyDelivered is RequireDelivered as soon as an event was taken. The test
// fails if ctx ends before: give it a deadline.
func (s *Sink) EventuallyDelivered(ctx context.Context, tb testing.TB, to string, want Want) Delivery {
	tb.Helper()
	for {
		ended := ctx.Err() != nil
		all, changed := s.pushes.record.all()
		if ended || slices.ContainsFunc(all, func(d Delivery) bool { return d.to(to, want) }) {
			return s.requireDelivered(tb, to, want, all)
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (d *Delivery) to(endpoint string, want Want) bool {
	return d.Delivered() && !d.Validation && (endpoint == "" || endpoint == d.Endpoint) && want.matches(d.Event)
}

func (s *Sink) requireDelivered(tb testing.TB, to string, want Want, all []Delivery) Delivery {
	tb.Helper()
	var taken []*Delivery
	for i := range all {
		d := &all[i]
		if d.to(to, want) && !slices.ContainsFunc(taken, d.repeats) {
			taken = append(taken, d)
		}
	}
	if len(taken) == 1 {
		d := *taken[0]
		d.Event = d.Event.Clone()
		return d
	}
	r := s.reporter()
	r.line("%d deliveries match, want 1, to %s:", len(taken), cmp.Or(withoutSecrets(to), "any webhook"))
	r.want(want)
	r.line("There were %d attempts, for %d subscriptions.", len(all), len(s.Subscriptions()))
	all = all[max(0, len(all)-maxShownDeliveries):]
	for i := range all {
		d := &all[i]
		outcome := d.Error
		if d.Status != 0 {
			outcome = fmt.Sprintf("answered %d", d.Status)
		}
		r.line("    attempt %d of %s %s to subscription %d, %s: %s",
			d.Attempt, r.redact(d.Event.Type()), r.redact(d.Event.ID()), d.Subscription, withoutSecrets(d.Endpoint), outcome)
	}
	tb.Fatal(r.finish())
	return Delivery{}
}

// repeats reports whether both took the same event for the same subscription.
func (d *Delivery) repeats(other *Delivery) bool {
	return d.Subscription == other.Subscription && d.Event.ID() == other.Event.ID() && d.Event.Source() == other.Event.Source()
}

// withoutSecrets leaves out where webhooks have theirs: the query, the fragment and the
// user.
func withoutSecrets(endpoint string) string {
	if end := strings.IndexAny(endpoint, "?#"); end >= 0 {
		endpoint = endpoint[:end]
	}
	scheme, rest, _ := strings.Cut(endpoint, "://")
	host, _, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		return scheme + "://" + host[at+1:] + strings.TrimPrefix(rest, host)
	}
	return endpoint
}

// attempt is a Delivery and what it belongs to.
type attempt struct {
	Delivery
	push    int // number of the push, which all of its attempts share
	request int // number of the request, or 0
}

// deliveries is the record of attempts, bounded.
type deliveries struct {
	mu      sync.Mutex
	kept    []attempt
	total   int           // ever
	changed chan struct{} // closed when one is added
}

func (r *deliveries) init() { r.changed = make(chan struct{}) }

func (r *deliveries) add(of *pushing, d Delivery, err string) {
	d.Error = err
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kept) == maxKeptDeliveries {
		r.kept[0] = attempt{}
		r.kept = r.kept[1:]
	}
	r.kept = append(r.kept, attempt{d, of.number, of.request})
	r.total++
	close(r.changed)
	r.changed = make(chan struct{})
}

// all returns what is kept, and a channel that is closed when more is.
func (r *deliveries) all() (kept []Delivery, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept = make([]Delivery, len(r.kept))
	for i := range r.kept {
		kept[i] = r.kept[i].Delivery
	}
	return kept, r.changed
}

// attempts is all, with what they belong to.
func (r *deliveries) attempts() []attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.kept)
}

// ever returns how many attempts there were, and a channel that is closed when there
// is another.
func (r *deliveries) ever() (total int, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total, r.changed
}

func (r *deliveries) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = nil
}
