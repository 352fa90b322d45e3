package testutil

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
)

// Subscription is a subscription as the service answers it. Filters that are nil
// match anything; an empty one is a filter too.
type Subscription struct {
	// ID is the service's number, from 1.
	ID int `json:"id"`
	// EndPoint is the URL of the webhook.
	EndPoint string `json:"endPoint"`
	// SourceFilter is the URL that the source has to be below; only of apps.
	SourceFilter *string `json:"sourceFilter,omitempty"`
	// SubjectFilter is the subject.
	SubjectFilter *string `json:"subjectFilter,omitempty"`
	// ResourceFilter is the URN of the resource, in lower case.
	ResourceFilter string `json:"resourceFilter,omitempty"`
	// TypeFilter is the type of the event.
	TypeFilter *string `json:"typeFilter,omitempty"`
	// IncludeSubunits says that events of the subject's sub-units match too.
	IncludeSubunits bool `json:"includeSubunits"`
	// Consumer is who subscribes, such as "/org/ttd".
	Consumer string `json:"consumer"`
	// CreatedBy may read and delete the subscription.
	CreatedBy string `json:"createdBy"`
	// Created is when, in UTC.
	Created time.Time `json:"created"`
	// Validated says that the webhook has answered the validation event, without
	// which nothing is pushed.
	Validated bool `json:"validated"`
}

// Subscriptions returns the subscriptions of all consumers in order of their ids.
func (s *Sink) Subscriptions() []Subscription { return s.subscriptions.list("") }

// same reports whether two subscriptions differ in nothing that a subscriber can
// choose.
func (v Subscription) same(w Subscription) bool {
	return v.EndPoint == w.EndPoint && equalText(v.SourceFilter, w.SourceFilter) && equalText(v.SubjectFilter, w.SubjectFilter) &&
		v.ResourceFilter == w.ResourceFilter && equalText(v.TypeFilter, w.TypeFilter) &&
		v.IncludeSubunits == w.IncludeSubunits && v.Consumer == w.Consumer
}

func equalText(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// slot is the place of a subscription in the index: all of its filters that have to
// be equal to an attribute.
type slot struct {
	resource, subject, eventType string
	anySubject, anyType          bool
}

func (v Subscription) slot() slot {
	at := slot{resource: v.ResourceFilter, anySubject: v.SubjectFilter == nil, anyType: v.TypeFilter == nil}
	if v.SubjectFilter != nil {
		at.subject = *v.SubjectFilter
	}
	if v.TypeFilter != nil {
		at.eventType = *v.TypeFilter
	}
	return at
}

// maxSubscriptions bounds what a sink remembers of subscribers.
const maxSubscriptions = 100_000

// subscriptions is the sink's table of them.
type subscriptions struct {
	mu      sync.RWMutex
	last    int // id given
	changes int // ever
	byID    map[int]Subscription
	bySlot  map[slot][]int // ids, ascending
	cached  matchCache
}

func (t *subscriptions) init() {
	t.byID, t.bySlot = map[int]Subscription{}, map[slot][]int{}
}

// add stores v with an id, or returns the one that is the same. Without room it
// reports false.
func (t *subscriptions) add(v Subscription) (Subscription, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := v.slot()
	for _, id := range t.bySlot[at] {
		if t.byID[id].same(v) {
			return t.byID[id], true
		}
	}
	if len(t.byID) == maxSubscriptions {
		return Subscription{}, false
	}
	t.last++
	t.changes++
	v.ID = t.last
	t.byID[v.ID] = v
	t.bySlot[at] = append(t.bySlot[at], v.ID)
	return v, true
}

func (t *subscriptions) get(id int) (Subscription, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	v, ok := t.byID[id]
	return v, ok
}

// list returns the subscriptions that somebody created, or all, by id.
func (t *subscriptions) list(createdBy string) []Subscription {
	t.mu.RLock()
	defer t.mu.RUnlock()
	found := []Subscription{}
	for _, id := range slices.Sorted(maps.Keys(t.byID)) {
		if v := t.byID[id]; createdBy == "" || v.CreatedBy == createdBy {
			found = append(found, v)
		}
	}
	return found
}

func (t *subscriptions) delete(id int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, ok := t.byID[id]
	if !ok {
		return
	}
	t.changes++
	delete(t.byID, id)
	at := v.slot()
	if t.bySlot[at] = slices.DeleteFunc(t.bySlot[at], func(other int) bool { return other == id }); len(t.bySlot[at]) == 0 {
		delete(t.bySlot, at)
	}
}

// validate marks a subscription and returns it.
func (t *subscriptions) validate(id int) (Subscription, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, ok := t.byID[id]
	if ok {
		t.changes++
		v.Validated = true
		t.byID[id] = v
	}
	return v, ok
}

// counts returns how many there are, and how often something changed.
func (t *subscriptions) counts() (subscriptions, changes int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.byID), t.changes
}

// matching returns the validated subscriptions that want an event, by id.
func (t *subscriptions) matching(ev event.Event, mainUnit string) []Subscription {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var found []Subscription
	look := func(subject string, anySubject, subunits bool) {
		for _, at := range []slot{
			{eventType: ev.Type()},
			{anyType: true},
		} {
			at.resource, at.subject, at.anySubject = extensionText(ev, models.ExtResource), subject, anySubject
			for _, id := range t.bySlot[at] {
				v := t.byID[id]
				if v.Validated && (!subunits || v.IncludeSubunits) && (v.SourceFilter == nil || isBaseOf(*v.SourceFilter, ev.Source())) {
					found = append(found, v)
				}
			}
		}
	}
	look(ev.Subject(), false, false)
	look("", true, false)
	if mainUnit != "" && mainUnit != ev.Subject() {
		look(mainUnit, false, true)
	}
	slices.SortFunc(found, func(a, b Subscription) int { return a.ID - b.ID })
	return found
}

// isBaseOf is .NET's Uri.IsBaseOf: same scheme, host and port, and a path below the
// last slash of the base's.
func isBaseOf(base, source string) bool {
	b, err := url.Parse(base)
	if err != nil {
		return false
	}
	u, err := url.Parse(source)
	if err != nil || !strings.EqualFold(b.Scheme, u.Scheme) || !strings.EqualFold(b.Hostname(), u.Hostname()) || port(b) != port(u) {
		return false
	}
	folder := b.EscapedPath()
	folder = folder[:strings.LastIndexByte(folder, '/')+1]
	return folder == "" || strings.HasPrefix(u.EscapedPath(), folder)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	default:
		return "443"
	}
}
