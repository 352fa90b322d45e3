package testutil

import (
	"iter"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Request is what Intercept shows of a request. It is the hook's to read, not
// to change.
type Request struct {
	// Method is the HTTP method.
	Method string
	// Endpoint is the path below "/events/api/v1", such as "/app". It is "/deliveries"
	// for a push to a webhook, of which the Reply is the webhook's answer.
	Endpoint string
	// Header is as received, tokens included.
	Header http.Header
	// Body is as received, cut after 1 MiB and one byte.
	Body []byte
}

// Reply says what the sink does with a request in place of, or besides, what it
// would have done. The zero value leaves the request alone.
type Reply struct {
	// Delay passes before the request is looked at. A client that hangs up in
	// that time has posted nothing.
	Delay time.Duration

	// Status is answered in place of the sink's own answer; the event is not
	// stored. A status that no answer can have (below 200, above 599) is a 500
	// that says so.
	Status int
	// Body is the answer's body, only with Status. Nil means problem details of
	// that status.
	Body []byte
	// Header is added to the answer, only with Status.
	Header http.Header
	// RetryAfter adds a Retry-After header in seconds, rounded up, only with
	// Status.
	RetryAfter time.Duration
	// RetryAfterDate writes RetryAfter as an HTTP date instead of seconds.
	RetryAfterDate bool

	// Hang never answers: the request ends when the client gives up or the sink
	// is closed.
	Hang bool
	// Reset resets the connection in place of an answer. In process the error is
	// syscall.ECONNRESET.
	Reset bool
	// Truncate breaks the answer off in the middle of its body, the sink's own or
	// that of Status. Reading it ends in io.ErrUnexpectedEOF.
	Truncate bool

	// Stored lets the sink take the request first, so that with Status, Hang or
	// Reset only the answer is lost: the event is there, the client does not know,
	// and its retry makes a duplicate. Truncate alone does so without it.
	Stored bool
}

// instead reports whether the sink's own answer is not wanted.
func (r Reply) instead() bool { return r.Status != 0 || r.Hang || r.Reset }

func (r Reply) isZero() bool { return r.Delay == 0 && !r.Truncate && !r.instead() }

// retryAfter sets the header of that name, if it is wanted.
func (r Reply) retryAfter(header http.Header) {
	if r.RetryAfter <= 0 {
		return
	}
	// A hint that is too short would be wrong, so both forms round up.
	const roundUp = time.Second - 1
	if r.RetryAfterDate {
		at := time.Now().Add(r.RetryAfter + roundUp)
		header.Set("Retry-After", at.UTC().Format(http.TimeFormat))
		return
	}
	header.Set("Retry-After", strconv.FormatInt(int64((r.RetryAfter+roundUp)/time.Second), 10))
}

// Intercept asks a hook about every request to the API, before the sink looks at
// it, until lift is called. Of several hooks the oldest is asked first, and the
// first Reply that is not zero holds.
//
// The sink calls one hook at a time, so a hook may count without a lock. It must
// not wait, nor send requests to the sink; for a wait it returns a Delay.
func (s *Sink) Intercept(ask func(Request) Reply) (lift func()) {
	return s.faults.add(&hook{reply: ask})
}

// Fault is a failure of the sink: what happens, and to which requests. Set it
// with Inject.
type Fault struct {
	// Endpoint is a prefix of the path below "/events/api/v1", such as "/app".
	// Empty means every endpoint. "/deliveries" means the pushes to webhooks, which
	// then end as if the webhook had failed so.
	Endpoint string
	// Method is the HTTP method; empty means every method.
	Method string

	// What happens, as in Reply. A Fault with none of these does nothing.
	Status         int
	RetryAfter     time.Duration
	RetryAfterDate bool
	Delay          time.Duration
	Hang           bool
	Reset          bool
	Truncate       bool
	Stored         bool

	// Times is to how many requests it happens; 0 means until it is lifted.
	Times int
	// Rate is the share of requests to which it happens, such as 0.5; 0 and
	// everything from 1 mean all.
	Rate float64
	// Seed makes the choice of Rate. The same seed chooses the same requests, by
	// their order; 0 is a seed too.
	Seed uint64
}

// Inject makes the sink fail as f says, until f.Times is used up or lift is
// called. Several faults follow the rule of Intercept, so two with Times happen
// one after the other.
func (s *Sink) Inject(f Fault) (lift func()) { return s.faults.inject(f) }

// inject makes a hook of a fault.
func (f *faults) inject(set Fault) (lift func()) {
	var (
		reply = Reply{
			Status: set.Status, RetryAfter: set.RetryAfter, RetryAfterDate: set.RetryAfterDate,
			Delay: set.Delay, Hang: set.Hang, Reset: set.Reset, Truncate: set.Truncate, Stored: set.Stored,
		}
		dice = rand.New(rand.NewPCG(set.Seed, set.Seed)) //nolint:gosec // must be repeatable
		hits int
	)
	h := &hook{fault: &set, left: set.Times}
	h.reply = func(r Request) Reply {
		switch {
		case set.Times > 0 && hits == set.Times,
			!strings.HasPrefix(r.Endpoint, set.Endpoint),
			r.Endpoint == endpointDeliveries && !strings.HasPrefix(set.Endpoint, endpointDeliveries),
			set.Method != "" && !strings.EqualFold(set.Method, r.Method),
			set.Rate > 0 && dice.Float64() >= set.Rate:
			return Reply{}
		}
		hits++
		f.used(h)
		return reply
	}
	return f.add(h)
}

// Faults returns what Inject has set and what is not used up or lifted, the oldest
// first. Times is how often each will still happen.
func (s *Sink) Faults() []Fault {
	var set []Fault
	for _, f := range s.faults.injected() {
		set = append(set, f)
	}
	return set
}

// LiftFaults lifts everything that Inject has set. Hooks of Intercept stay.
func (s *Sink) LiftFaults() { s.faults.lift() }

// hook is something that decides about requests.
type hook struct {
	id    int // from 1
	reply func(Request) Reply
	fault *Fault // nil for Intercept
	left  int    // of fault.Times
}

// faults are the hooks of a sink.
type faults struct {
	calling sync.Mutex // one hook at a time

	mu    sync.Mutex
	last  int // id given
	hooks []*hook
}

func (f *faults) add(h *hook) (lift func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	h.id = f.last
	f.hooks = append(f.hooks, h)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.hooks = slices.DeleteFunc(f.hooks, func(other *hook) bool { return other == h })
	}
}

// liftOne lifts what Inject has set under an id; it reports false if it is not there.
func (f *faults) liftOne(id int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.hooks)
	f.hooks = slices.DeleteFunc(f.hooks, func(h *hook) bool { return h.fault != nil && h.id == id })
	return len(f.hooks) < before
}

// used counts a fault that has happened, and drops one that is used up.
func (f *faults) used(h *hook) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h.fault.Times == 0 {
		return
	}
	if h.left--; h.left == 0 {
		f.hooks = slices.DeleteFunc(f.hooks, func(other *hook) bool { return other == h })
	}
}

// injected returns what Inject has set, by id, the oldest first.
func (f *faults) injected() iter.Seq2[int, Fault] {
	f.mu.Lock()
	hooks := slices.Clone(f.hooks)
	left := make([]int, len(hooks))
	for i, h := range hooks {
		left[i] = h.left
	}
	f.mu.Unlock()
	return func(yield func(int, Fault) bool) {
		for i, h := range hooks {
			if h.fault == nil {
				continue
			}
			fault := *h.fault
			fault.Times = left[i]
			if !yield(h.id, fault) {
				return
			}
		}
	}
}

func (f *faults) lift() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hooks = slices.DeleteFunc(f.hooks, func(h *hook) bool { return h.fault != nil })
}

func (f *faults) ask(r Request) Reply {
	f.mu.Lock()
	hooks := slices.Clone(f.hooks)
	f.mu.Unlock()
	if len(hooks) == 0 {
		return Reply{}
	}
	f.calling.Lock()
	defer f.calling.Unlock()
	for _, hook := range hooks {
		if reply := hook.reply(r); !reply.isZero() {
			return reply
		}
	}
	return Reply{}
}
