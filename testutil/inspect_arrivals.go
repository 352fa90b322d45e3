package testutil

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/testutil/inspector"
)

// arrival is a request as the inspector lists it: an entry or a refusal, the other
// being nil.
type arrival struct {
	*Received
	number   int
	accepted *entry
	refused  *refusal
}

func (e *entry) arrival() arrival   { return arrival{&e.Received, e.number, e, nil} }
func (r *refusal) arrival() arrival { return arrival{&r.Received, r.number, nil, r} }

// arrivals returns what came after the request with a number, accepted or refused,
// the oldest first, and a channel that is closed when there is a change.
func (s *store) arrivals(after int) (found []arrival, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, _ := slices.BinarySearchFunc(s.kept, after+1, func(e *entry, number int) int { return e.number - number })
	kept := s.kept[from:]
	from, _ = slices.BinarySearchFunc(s.refusals, after+1, func(r *refusal, number int) int { return r.number - number })
	refusals := s.refusals[from:]
	found = make([]arrival, 0, len(kept)+len(refusals))
	for len(kept) > 0 || len(refusals) > 0 {
		if len(refusals) == 0 || len(kept) > 0 && kept[0].number < refusals[0].number {
			found, kept = append(found, kept[0].arrival()), kept[1:]
		} else {
			found, refusals = append(found, refusals[0].arrival()), refusals[1:]
		}
	}
	return found, s.changed
}

// arrival returns the request with a number.
func (s *store) arrival(number int) (arrival, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := slices.BinarySearchFunc(s.kept, number, func(e *entry, n int) int { return e.number - n }); ok {
		return s.kept[i].arrival(), true
	}
	if i, ok := slices.BinarySearchFunc(s.refusals, number, func(r *refusal, n int) int { return r.number - n }); ok {
		return s.refusals[i].arrival(), true
	}
	return arrival{}, false
}

// forget removes a request and, if it was accepted, every other arrival of its
// event. It reports false if there is none.
func (s *store) forget(a arrival) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.kept) + len(s.refusals)
	defer func() { s.cleared++; s.wake() }()
	if a.refused != nil {
		s.refusals = slices.DeleteFunc(slices.Clone(s.refusals), func(r *refusal) bool {
			if r == a.refused {
				s.refusalBytes -= r.size()
			}
			return r == a.refused
		})
		return len(s.kept)+len(s.refusals) < before
	}
	same := func(e *entry) bool { return e.identity == a.accepted.identity }
	s.kept = slices.DeleteFunc(slices.Clone(s.kept), func(e *entry) bool {
		if same(e) {
			s.bytes -= e.size()
			if !e.Duplicate {
				s.indexes.each(e, func(x index, value string) { x.remove(value, e) })
			}
		}
		return same(e)
	})
	delete(s.known, a.accepted.identity)
	return len(s.kept)+len(s.refusals) < before
}

// remove forgets an entry wherever it stands.
func (x index) remove(value string, e *entry) {
	rest := slices.DeleteFunc(slices.Clone(x[value]), func(other *entry) bool { return other == e })
	if len(rest) > 0 {
		x[value] = rest
	} else {
		delete(x, value)
	}
}

// looseEvent reads what can be read of a request that was refused.
func looseEvent(body []byte) event.Event {
	if ev, err := decodeCloudEvent(body); err == nil {
		return ev
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return event.Event{}
	}
	ec := &event.EventContextV1{}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		text, ok := jsonString(members[name])
		if !ok {
			continue
		}
		switch name {
		case "specversion", "data", "data_base64":
		case "source":
			if u, err := url.Parse(text); err == nil {
				ec.Source = types.URIRef{URL: *u}
			}
		case "subject":
			ec.Subject = &text
		default:
			_ = setAttribute(ec, name, members[name]) // what it cannot be, it stays without
		}
	}
	return event.Event{Context: ec}
}

func (a arrival) method() string {
	if a.refused != nil {
		return a.refused.method
	}
	return http.MethodPost
}

// status is what was answered, or 0.
func (a arrival) status() int {
	switch {
	case a.refused != nil:
		return a.refused.status
	case a.Endpoint == "/app":
		return http.StatusCreated
	default:
		return http.StatusOK
	}
}

// The outcomes of a request, as the inspector names them.
const (
	outcomeAccepted  = "accepted"
	outcomeDuplicate = "duplicate"
	outcomeRefused   = "refused" // 4xx
	outcomeFailed    = "failed"  // 5xx, or no answer
)

func (a arrival) outcome() string {
	switch {
	case a.accepted != nil && a.accepted.Duplicate:
		return outcomeDuplicate
	case a.accepted != nil:
		return outcomeAccepted
	case a.refused.status >= 400 && a.refused.status < 500:
		return outcomeRefused
	default:
		return outcomeFailed
	}
}

// arrivalFilter is what the inspector shows. Empty members match everything.
type arrivalFilter struct {
	eventType, source, subject, text string // in lower case; what the attribute has to contain
	outcome                          string
	status                           int
}

// parseArrivalFilter reads a filter from a query. Parameters that it does not know
// are others'.
func parseArrivalFilter(query url.Values) (arrivalFilter, error) {
	lower := func(name string) string { return strings.ToLower(strings.TrimSpace(query.Get(name))) }
	f := arrivalFilter{eventType: lower("type"), source: lower("source"), subject: lower("subject"), text: lower("q")}
	switch status := lower("status"); status {
	case "", outcomeAccepted, outcomeDuplicate, outcomeRefused, outcomeFailed:
		f.outcome = status
	default:
		code, err := strconv.Atoi(status)
		if err != nil {
			return f, fmt.Errorf("status: want %s, %s, %s, %s or the code of an answer",
				outcomeAccepted, outcomeDuplicate, outcomeRefused, outcomeFailed)
		}
		f.status = code
	}
	return f, nil
}

func (f arrivalFilter) matches(a arrival) bool {
	if f == (arrivalFilter{}) {
		return true
	}
	if f.outcome != "" && a.outcome() != f.outcome || f.status != 0 && a.status() != f.status {
		return false
	}
	ev := a.Event
	alternative := extensionText(ev, models.ExtAlternativeSubject)
	return containsFold(ev.Type(), f.eventType) && containsFold(ev.Source(), f.source) &&
		(containsFold(ev.Subject(), f.subject) || containsFold(alternative, f.subject)) &&
		(f.text == "" || f.mentions(a))
}

// mentions reports whether the free text is anywhere in a request.
func (f arrivalFilter) mentions(a arrival) bool {
	ev := a.Event
	for _, text := range []string{
		ev.ID(), ev.Type(), ev.Source(), extensionText(ev, models.ExtResource), extensionText(ev, models.ExtResourceInstance),
		a.Endpoint,
	} {
		if containsFold(text, f.text) {
			return true
		}
	}
	body := string(a.Body)
	return containsFold(body, f.text) || strings.Contains(body, `\`) && containsFold(unescaped(body), f.text) ||
		a.refused != nil && containsFold(a.refused.reason, f.text)
}

// containsFold reports whether text contains lower, which is in lower case, in any
// case.
func containsFold(text, lower string) bool {
	if lower == "" {
		return true
	}
	if strings.ContainsFunc(lower, func(c rune) bool { return c >= utf8.RuneSelf }) {
		return strings.Contains(strings.ToLower(text), lower)
	}
	first := lower[:1] + strings.ToUpper(lower[:1])
	for len(text) >= len(lower) {
		i := strings.IndexAny(text, first)
		if i < 0 || len(text)-i < len(lower) {
			return false
		}
		if strings.EqualFold(text[i:i+len(lower)], lower) {
			return true
		}
		text = text[i+1:]
	}
	return false
}

// escapes are those of JSON strings.
var escapes = regexp.MustCompile(`(?:\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt]))+`)

// unescaped returns JSON as a reader sees it, each escape as what it stands for.
func unescaped(body string) string {
	return escapes.ReplaceAllStringFunc(body, func(found string) string {
		var text string
		if json.Unmarshal([]byte(`"`+found+`"`), &text) != nil {
			return found
		}
		return text
	})
}

// arrivalRow is a request in the inspector's list.
type arrivalRow struct {
	Number   int             `json:"number"`
	At       time.Time       `json:"at"`
	Method   string          `json:"method"`
	Endpoint string          `json:"endpoint"`
	Status   int             `json:"status"`
	Outcome  string          `json:"outcome"`
	Reason   string          `json:"reason,omitempty"`
	Type     string          `json:"type,omitempty"`
	Source   string          `json:"source,omitempty"`
	Subject  string          `json:"subject,omitempty"`
	Instance string          `json:"instance,omitempty"`
	Level    inspector.Level `json:"level,omitempty"` // of the worst finding, if it is worth a mark
}

func (a arrival) row(filters resourceFilters, mask *inspector.Mask) arrivalRow {
	ev := a.Event
	row := arrivalRow{
		Number: a.number, At: a.ReceivedAt.UTC(), Method: a.method(), Endpoint: mask.Text(a.Endpoint), Status: a.status(),
		Outcome: a.outcome(), Type: mask.Text(ev.Type()), Source: mask.Text(ev.Source()), Subject: mask.Subject(ev.Subject()),
		Instance: mask.Text(extensionText(ev, models.ExtResourceInstance)),
	}
	if a.refused != nil {
		row.Reason = mask.Text(a.refused.reason)
	}
	if findings := a.findings(filters); len(findings) > 0 && findings[0].Level != inspector.LevelInfo {
		row.Level = findings[0].Level
	}
	return row
}

// findings returns what is worth saying about a request, the reason of a refusal
// first.
func (a arrival) findings(filters resourceFilters) []inspector.Finding {
	found := []inspector.Finding{}
	if a.refused != nil {
		found = append(found, inspector.Finding{
			Level: inspector.LevelError, Rule: "Altinn", Message: models.Redact(a.refused.reason),
		})
	}
	ev := a.Event
	if ev.Context == nil {
		return found
	}
	return append(found, inspector.Findings(inspector.Posted{
		Event: ev, Endpoint: a.Endpoint, Body: a.Body, Filters: filters.to(extensionText(ev, models.ExtResource)),
	})...)
}

// resourceFilters are what subscriptions ask for, by resource in lower case.
type resourceFilters map[string][]inspector.Filter

func (f resourceFilters) to(resource string) []inspector.Filter { return f[strings.ToLower(resource)] }

func (s *Sink) resourceFilters() resourceFilters {
	filters := resourceFilters{}
	all := s.subscriptions.list("")
	for i := range all {
		sub := &all[i]
		key := strings.ToLower(sub.ResourceFilter)
		filters[key] = append(filters[key], inspector.Filter{
			Subscription: sub.ID, Resource: sub.ResourceFilter, Type: sub.TypeFilter, Subject: sub.SubjectFilter,
		})
	}
	return filters
}

// maskSubjects returns ev with its subjects masked.
func maskSubjects(ev event.Event, mask *inspector.Mask) event.Event {
	if mask.Off {
		return ev
	}
	ev = ev.Clone()
	if subject := ev.Subject(); subject != "" {
		ev.SetSubject(mask.Subject(subject))
	}
	if alternative := extensionText(ev, models.ExtAlternativeSubject); alternative != "" {
		ev.SetExtension(models.ExtAlternativeSubject, mask.Subject(alternative))
	}
	return ev
}
