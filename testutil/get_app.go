package testutil

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// getApp is GET /app/{org}/{app}: an app's events, for its owner.
//
// Source: Altinn/altinn-events, AppController.cs, getappevents.sql,
// AppCloudEventXacmlMapper.cs (2026-08).
func (s *Sink) getApp(x *exchange) {
	claims, ok := s.user(x)
	if !ok {
		return
	}
	if claimText(claims, claimOrg) == "" {
		x.text(http.StatusUnauthorized, "Only orgs can call this api")
		return
	}
	pairs := parametersOf(x.request.URL)
	q, ok := s.appQuery(x, pairs)
	if !ok {
		return
	}
	q.resource = appResource + x.request.PathValue("org") + "_" + x.request.PathValue("app")
	s.page(x, pairs, s.readable(consumerOf(claims), s.store.find(q.query)))
}

// getAppParty is GET /app/party: the events of one party, of all apps.
//
// Source: as getApp.
func (s *Sink) getAppParty(x *exchange) {
	claims, ok := s.user(x)
	if !ok {
		return
	}
	pairs := parametersOf(x.request.URL)
	q, ok := s.appQuery(x, pairs)
	if !ok {
		return
	}
	if q.subject == "" {
		x.problem(http.StatusBadRequest, "Subject must be specified using either query params party or unit or header value person.")
		return
	}
	source := like(pairs.all("source"), true)
	matches := q.matches
	q.matches = func(e *entry) bool { return source(e.Event.Source()) && matches(e) }
	s.page(x, pairs, s.readable(consumerOf(claims), s.store.find(q.query)))
}

// appQuery is the query of an app's events.
type appQuery struct{ query }

var unitNumber = regexp.MustCompile(`^\d{9}$`)

// appQuery reads what both queries of app events take. It answers what is wrong
// and reports false.
func (s *Sink) appQuery(x *exchange, pairs parameters) (q appQuery, ok bool) {
	var bounds [2]time.Time // from, to
	var unzoned string
	for i, name := range []string{"from", "to"} {
		text := pairs.first(name)
		if text == "" {
			continue
		}
		at, zoned, ok := parseTime(text)
		if !ok {
			x.notValid(name, text)
			return q, false
		}
		if bounds[i] = at; !zoned && unzoned == "" {
			unzoned = strings.ToUpper(name[:1]) + name[1:]
		}
	}
	size, ok := x.intParameter(pairs, "size", defaultPageSize)
	if !ok {
		return q, false
	}
	party, ok := x.intParameter(pairs, "party", 0)
	if !ok {
		return q, false
	}
	after, unit, person := pairs.first("after"), pairs.first("unit"), x.request.Header.Get("Person")
	var fault string
	switch {
	case bounds[0].IsZero() && after == "":
		fault = "The 'From' or 'After' parameter must be defined."
	case unzoned != "":
		fault = "The '" + unzoned + "' parameter must specify timezone. E.g. 2022-07-07T11:00:53.3917Z for UTC"
	case size < 1:
		fault = "The 'Size' parameter must be a number larger that 0."
	case party > 0 && person != "":
		fault = "Only one of 'Party' or 'Person' can be defined."
	case party > 0 && unit != "":
		fault = "Only one of 'Party' or 'Unit' can be defined."
	case unit != "" && !unitNumber.MatchString(unit):
		fault = "Value of 'Unit' needs to be exactly 9 digits."
	}
	if fault != "" {
		x.problem(http.StatusBadRequest, fault)
		return q, false
	}
	if unit != "" || person != "" {
		found, known := s.register.organisation(unit)
		if unit == "" {
			found, known = s.register.person(person)
		}
		if !known {
			x.problem(http.StatusNotFound, "")
			return q, false
		}
		party = found.PartyID
	}
	eventType := like(pairs.all("type"), true)
	q.query = query{after: after, limit: size, matches: func(e *entry) bool {
		at := e.Event.Time()
		return eventType(e.Event.Type()) && ofInstance(e.Event.Source()) &&
			(bounds[0].IsZero() || !at.Before(bounds[0])) && (bounds[1].IsZero() || !at.IsZero() && !at.After(bounds[1]))
	}}
	if party > 0 {
		q.subject = "/party/" + strconv.Itoa(party)
	}
	s.visible(&q.query, true)
	return q, true
}

// ofInstance reports whether a source has the parts of an instance's, without
// which the service cannot ask who may read the event, and leaves it out.
func ofInstance(source string) bool {
	u, err := url.Parse(source)
	return err == nil && strings.Count(u.RequestURI(), "/") == 5
}
