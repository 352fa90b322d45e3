package testutil

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
)

const (
	maxKeptBytes        = 256 << 20
	maxKeptRefusals     = 1000
	maxKeptRefusalBytes = 16 << 20
)

// Received is one accepted request, as it came and as it was stored.
type Received struct {
	// Event is the stored form: for POST /app with the id, time, resource and
	// resource instance that the sink has assigned.
	Event event.Event

	// ReceivedAt is when the sink accepted the event.
	ReceivedAt time.Time

	// Endpoint is the path below "/events/api/v1": "/app" or "/events".
	Endpoint string

	// Header is the request's. It holds the tokens as they were sent, so do not
	// print it where secrets must not be.
	Header http.Header

	// Body is the request's, byte for byte.
	Body []byte

	// Duplicate marks an event that was accepted but not stored, because one with
	// its id and source was there. Only events of POST /events can be: POST /app
	// gives each its own id.
	Duplicate bool
}

// Events returns the stored events in order of arrival, as copies. An event that
// came again with the same id and source is there once; Received has every
// arrival.
func (s *Sink) Events() []event.Event {
	entries, _ := s.store.since(0)
	events := make([]event.Event, 0, len(entries))
	for _, e := range entries {
		if !e.Duplicate {
			events = append(events, e.Event.Clone())
		}
	}
	return events
}

// Received returns the accepted requests in order of arrival, as copies. A retry
// of an event whose answer was lost is there twice.
func (s *Sink) Received() []Received {
	entries, _ := s.store.since(0)
	received := make([]Received, 0, len(entries))
	for _, e := range entries {
		r := e.Received
		r.Event = r.Event.Clone()
		r.Header = r.Header.Clone()
		r.Body = slices.Clone(r.Body)
		received = append(received, r)
	}
	return received
}

// Dropped returns how many accepted requests were forgotten because newer ones
// exceeded SinkConfig.MaxEvents or 256 MiB.
func (s *Sink) Dropped() int {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	return s.store.dropped
}

// Reset forgets what was received and what was delivered. Faults, subscriptions and
// deliveries that are still to be made stay.
func (s *Sink) Reset() {
	s.store.reset()
	s.pushes.record.reset()
}

// entry is a Received and its place in the order of arrival. It does not change
// once it is in the store.
type entry struct {
	Received
	seq      int
	number   int // among accepted and refused requests
	identity identity
}

// size is roughly what the entry occupies.
func (e *entry) size() int { return requestSize(e.Header, e.Body) + len(e.Body) }

func requestSize(header http.Header, body []byte) int {
	const fixed = 1 << 10 // event, maps and the like
	size := fixed + len(body)
	for name, values := range header {
		size += len(name)
		for _, value := range values {
			size += len(value)
		}
	}
	return size
}

// identity is what makes two events the same one.
type identity struct{ id, source string }

// index finds stored entries by the value of an attribute, in order of arrival.
type index map[string][]*entry

func (x index) add(value string, e *entry) { x[value] = append(x[value], e) }

// drop forgets the oldest entry with a value.
func (x index) drop(value string) {
	if rest := x[value][1:]; len(rest) > 0 {
		x[value] = rest
	} else {
		delete(x, value)
	}
}

// indexes are those that queries need.
type indexes struct{ id, resource, subject, alternativeSubject index }

func newIndexes() indexes { return indexes{index{}, index{}, index{}, index{}} }

// each calls f with every index and the value that e has there.
func (x indexes) each(e *entry, f func(index, string)) {
	f(x.id, e.identity.id)
	f(x.resource, extensionText(e.Event, models.ExtResource))
	f(x.subject, e.Event.Subject())
	if alternative := extensionText(e.Event, models.ExtAlternativeSubject); alternative != "" {
		f(x.alternativeSubject, alternative)
	}
}

// refusal is a request that did not end as the client wished; its event is what
// could be read of it. It does not change once it is in the store.
type refusal struct {
	Received
	number int // among accepted and refused requests
	method string
	isAPI  bool   // the path was below basePath
	query  string // as it came
	length int64  // of the body as announced, or -1; the body is kept up to a bound
	status int    // 0 if nothing was answered
	reason string
}

func (r *refusal) size() int { return requestSize(r.Header, r.Body) + len(r.query) }

// store is what a sink remembers, bounded.
type store struct {
	maxEvents, maxBytes int

	mu      sync.Mutex
	kept    []*entry
	known   map[identity]struct{} // of kept
	indexes indexes               // of kept, without duplicates
	bytes   int                   // of kept
	seq     int                   // of the newest entry ever
	dropped int
	number  int // of the newest request ever, accepted or not
	cleared int // how often requests were taken away

	refusals     []*refusal
	refusalBytes int
	refused      int           // refusals ever
	changed      chan struct{} // closed when a request is added
}

func (s *store) init(maxEvents int) {
	s.maxEvents, s.maxBytes = maxEvents, maxKeptBytes
	s.changed = make(chan struct{})
	s.reset()
}

func (s *store) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept, s.known, s.indexes = nil, map[identity]struct{}{}, newIndexes()
	s.refusals, s.refusalBytes, s.refused = nil, 0, 0
	s.bytes, s.dropped = 0, 0
	s.cleared++
	s.wake()
}

// accept stores the event of a request, and pushes it to who subscribes to it.
func (s *Sink) accept(x *exchange, ev event.Event) {
	s.push(ev, s.store.add(Received{
		Event: ev, ReceivedAt: time.Now(), Endpoint: x.endpoint, Header: x.request.Header.Clone(), Body: x.body,
	}))
}

// add stores an accepted event, wakes who waits for one and returns the number of
// the request.
func (s *store) add(r Received) (number int) {
	e := &entry{identity: identity{r.Event.ID(), r.Event.Source()}, Received: r}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	s.number++
	e.seq, e.number = s.seq, s.number
	_, e.Duplicate = s.known[e.identity]
	s.known[e.identity] = struct{}{}
	s.kept = append(s.kept, e)
	if !e.Duplicate {
		s.indexes.each(e, func(x index, value string) { x.add(value, e) })
	}
	s.bytes += e.size()
	for len(s.kept) > s.maxEvents || s.bytes > s.maxBytes {
		s.dropOldest()
	}
	s.wake()
	return e.number
}

// wake tells who waits that there is a change. Its caller holds the lock.
func (s *store) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *store) dropOldest() {
	oldest := s.kept[0]
	s.kept[0] = nil
	s.kept = s.kept[1:]
	s.bytes -= oldest.size()
	s.dropped++
	if !oldest.Duplicate {
		delete(s.known, oldest.identity)
		s.indexes.each(oldest, func(x index, value string) { x.drop(value) })
	}
}

// journal remembers an exchange that did not end as the client wished.
func (s *store) journal(x *exchange, fate fate) {
	if fate == answered && x.status < http.StatusBadRequest {
		return
	}
	r := &refusal{
		Received: Received{
			Event: looseEvent(x.body), ReceivedAt: time.Now(), Endpoint: x.endpoint, Header: x.request.Header.Clone(), Body: x.body,
		},
		method: x.request.Method, isAPI: strings.HasPrefix(x.request.URL.Path, basePath),
		query: x.request.URL.RawQuery, length: x.request.ContentLength,
		reason: cmp.Or(x.reason, http.StatusText(x.status)),
	}
	switch fate {
	case answered:
		r.status = x.status
	case truncated:
		r.status, r.reason = x.status, "answer truncated by a fault"
	case reset:
		r.reason = "connection reset by a fault"
	case hungUp:
		r.reason = "the client hung up before the answer"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused++
	s.number++
	r.number = s.number
	s.refusals = append(s.refusals, r)
	s.refusalBytes += r.size()
	for len(s.refusals) > maxKeptRefusals || s.refusalBytes > maxKeptRefusalBytes {
		s.refusalBytes -= s.refusals[0].size()
		s.refusals[0] = nil
		s.refusals = s.refusals[1:]
	}
	s.wake()
}

// since returns the entries that came after the one numbered seq, and a channel
// that is closed when another comes.
func (s *store) since(seq int) (entries []*entry, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, _ := slices.BinarySearchFunc(s.kept, seq+1, func(e *entry, seq int) int { return e.seq - seq })
	return slices.Clone(s.kept[from:]), s.changed
}

// query is what a query of the API asks the store for. Empty members match
// everything.
type query struct {
	after                                 string // an event's id
	resource, subject, alternativeSubject string
	newest                                time.Time // hides what came later; zero hides nothing
	limit                                 int

	matches func(*entry) bool // the other filters
}

// find returns the first entries that match, without duplicates, in order of
// arrival. It looks through the entries that share the rarest of the indexed
// values.
func (s *store) find(q query) []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	candidates, all := s.kept, true
	narrow := func(x index, value string) {
		if value != "" && (all || len(x[value]) < len(candidates)) {
			candidates, all = x[value], false
		}
	}
	narrow(s.indexes.resource, q.resource)
	narrow(s.indexes.subject, q.subject)
	narrow(s.indexes.alternativeSubject, q.alternativeSubject)

	// An id that is not there means from the beginning, one that several sources
	// use the first of them.
	var after int
	if same := s.indexes.id[q.after]; q.after != "" && len(same) > 0 {
		after = same[0].seq
	}
	from, _ := slices.BinarySearchFunc(candidates, after+1, func(e *entry, seq int) int { return e.seq - seq })
	var found []*entry
	for _, e := range candidates[from:] {
		if len(found) == q.limit || !q.newest.IsZero() && e.ReceivedAt.After(q.newest) {
			break
		}
		if e.Duplicate ||
			q.resource != "" && extensionText(e.Event, models.ExtResource) != q.resource ||
			q.subject != "" && e.Event.Subject() != q.subject ||
			q.alternativeSubject != "" && extensionText(e.Event, models.ExtAlternativeSubject) != q.alternativeSubject ||
			q.matches != nil && !q.matches(e) {
			continue
		}
		found = append(found, e)
	}
	return found
}

// withID returns the kept events with an id, in order of arrival.
func (s *store) withID(id string) []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.indexes.id[id])
}

// oldest returns when the oldest kept entry came.
func (s *store) oldest() (at time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) == 0 {
		return time.Time{}, false
	}
	return s.kept[0].ReceivedAt, true
}

// counts returns how many requests are kept, how many accepted ones were dropped,
// and a number that changes when some were taken away.
func (s *store) counts() (kept, dropped, cleared int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.kept) + len(s.refusals), s.dropped, s.cleared
}

// trouble returns what the report of a failed assertion says besides events.
func (s *store) trouble() (refusals []*refusal, refused, dropped int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refusals), s.refused, s.dropped
}
