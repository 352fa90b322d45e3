package testutil

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
)

// organisationURN stands before the organisation number in subjects of Broker and
// others.
const organisationURN = "urn:altinn:organization:identifier-no:"

// match returns the subscriptions that an event is pushed to: those whose filters it
// passes and whose consumers may read it.
//
// Source: Altinn/altinn-events, OutboundService.cs, getsubscriptions.sql (2026-08).
func (s *Sink) match(ev event.Event) []Subscription {
	find := func() []Subscription {
		resource := extensionText(ev, models.ExtResource)
		return slices.DeleteFunc(s.subscriptions.matching(ev, s.mainUnit(ev)), func(sub Subscription) bool {
			return !s.mayRead(sub.Consumer, resource)
		})
	}
	if s.cfg.MatchCache <= 0 {
		return find()
	}
	return s.subscriptions.cached.get(matchKey{
		source: ev.Source(), resource: extensionText(ev, models.ExtResource), subject: ev.Subject(), eventType: ev.Type(),
	}, s.cfg.MatchCache, find)
}

// mainUnit returns the subject of the organisation that the event's subject is a
// sub-unit of, in the same form, or "".
func (s *Sink) mainUnit(ev event.Event) string {
	if number, ok := strings.CutPrefix(ev.Subject(), organisationURN); ok {
		if main, ok := s.mainUnitOf(number); ok && main.OrganisationNumber != "" {
			return organisationURN + main.OrganisationNumber
		}
		return ""
	}
	if !strings.HasPrefix(ev.Subject(), "/party/") {
		return ""
	}
	alternative := extensionText(ev, models.ExtAlternativeSubject)
	for _, prefix := range []string{"/organisation/", "/org/", "/organization/"} {
		if number, ok := strings.CutPrefix(alternative, prefix); ok {
			if main, ok := s.mainUnitOf(number); ok {
				return "/party/" + strconv.Itoa(main.PartyID)
			}
		}
	}
	return ""
}

func (s *Sink) mainUnitOf(organisationNumber string) (Party, bool) {
	p, ok := s.register.organisation(organisationNumber)
	if !ok {
		return Party{}, false
	}
	return s.register.mainUnit(p)
}

// Criterion is one thing that decides whether an event is pushed to a subscription.
type Criterion struct {
	// Name is the filter's as the subscription spells it, "validated", or "policy".
	Name string `json:"name"`
	// Want is what the subscription says, and Got what the event has.
	Want string `json:"want"`
	Got  string `json:"got"`
	// OK reports whether it lets the event pass.
	OK bool `json:"ok"`
	// Hint says what is behind a difference that is easily overlooked, or "".
	Hint string `json:"hint,omitempty"`
}

// Explain tells why an event is pushed to a subscription, or why not: every
// criterion with the values compared. It is pushed if all of them are OK.
//
// The values hold subjects as they are, and those may be personal data.
func (s *Sink) Explain(sub Subscription, ev event.Event) []Criterion {
	resource := extensionText(ev, models.ExtResource)
	criteria := []Criterion{
		{Name: "validated", Want: "true", Got: strconv.FormatBool(sub.Validated), OK: sub.Validated},
		{Name: "resourceFilter", Want: sub.ResourceFilter, Got: resource, OK: sub.ResourceFilter == resource},
	}
	if sub.SubjectFilter != nil {
		c := Criterion{Name: "subjectFilter", Want: *sub.SubjectFilter, Got: ev.Subject(), OK: *sub.SubjectFilter == ev.Subject()}
		if main := s.mainUnit(ev); !c.OK && sub.IncludeSubunits && main != "" && main == *sub.SubjectFilter {
			c.OK, c.Hint = true, "the event's subject is a sub-unit of it"
		}
		criteria = append(criteria, c)
	}
	if sub.TypeFilter != nil {
		criteria = append(criteria, Criterion{
			Name: "typeFilter", Want: *sub.TypeFilter, Got: ev.Type(), OK: *sub.TypeFilter == ev.Type(),
		})
	}
	if sub.SourceFilter != nil {
		criteria = append(criteria, Criterion{
			Name: "sourceFilter", Want: *sub.SourceFilter, Got: ev.Source(), OK: isBaseOf(*sub.SourceFilter, ev.Source()),
		})
	}
	for i := range criteria {
		switch c := &criteria[i]; {
		case c.OK || c.Hint != "":
		case c.Name == "validated":
			c.Hint = "the webhook has not answered the validation event with a 2xx"
		case c.Want == "":
			c.Hint = "the filter is empty, which is not the same as none"
		case strings.EqualFold(c.Want, c.Got):
			c.Hint = "they differ in upper and lower case only"
		case strings.EqualFold(strings.TrimSpace(c.Want), strings.TrimSpace(c.Got)):
			c.Hint = "they differ in white space at their ends"
		case strings.TrimSuffix(c.Want, "/") == c.Got || c.Name == "sourceFilter" && strings.HasSuffix(c.Want, "/"):
			c.Hint = "there is a slash at the end of the filter"
		}
	}
	action := readAction(resource)
	return append(criteria, Criterion{
		Name: "policy", Want: string(Permit), Got: fmt.Sprintf("%s of %s by %s", action, resource, sub.Consumer),
		OK: s.policy.permits(sub.Consumer, resource, action),
	})
}

// matchKey is what the service keeps the subscriptions to an event by.
type matchKey struct{ source, resource, subject, eventType string }

// maxCachedMatches bounds a matchCache; it is emptied when full.
const maxCachedMatches = 10_000

// matchCache keeps matches for as long as the service does, which nothing makes it
// forget: a new subscription gets nothing before, a deleted one still does.
type matchCache struct {
	mu   sync.Mutex
	kept map[matchKey]cachedMatch
}

type cachedMatch struct {
	until         time.Time
	subscriptions []Subscription
}

func (c *matchCache) get(key matchKey, lifetime time.Duration, find func() []Subscription) []Subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if kept, ok := c.kept[key]; ok && now.Before(kept.until) {
		return kept.subscriptions
	}
	if c.kept == nil || len(c.kept) >= maxCachedMatches {
		c.kept = map[matchKey]cachedMatch{}
	}
	found := find()
	c.kept[key] = cachedMatch{now.Add(lifetime), found}
	return found
}
