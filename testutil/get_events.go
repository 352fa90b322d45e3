package testutil

import (
	"net/http"
	"strings"
)

// getEvents is GET /events: the events of one resource.
//
// Source: Altinn/altinn-events, EventsController.cs, getevents.sql (2026-08).
func (s *Sink) getEvents(x *exchange) {
	claims, ok := s.user(x)
	if !ok {
		return
	}
	if !hasScope(claims, scopeSubscribe) {
		x.empty(http.StatusForbidden, "no scope "+scopeSubscribe)
		return
	}
	pairs := parametersOf(x.request.URL)
	size, ok := x.intParameter(pairs, "size", defaultPageSize)
	if !ok {
		return
	}
	if size < 1 {
		size = defaultPageSize
	}
	q := query{
		after:              pairs.first("after"),
		resource:           pairs.first("resource"),
		subject:            pairs.first("subject"),
		alternativeSubject: x.request.Header.Get("Altinn-AlternativeSubject"),
		limit:              min(size, maxPageSize),
	}
	switch {
	case q.resource == "":
		x.invalid("resource", "The resource field is required.")
		return
	case !strings.HasPrefix(q.resource, "urn:altinn:resource:"):
		x.problem(http.StatusBadRequest, "The 'resource' parameter must begin with `urn:altinn:resource:`")
		return
	case q.after == "":
		x.problem(http.StatusBadRequest, "The 'after' parameter must be defined.")
		return
	case q.subject != "" && q.alternativeSubject != "":
		x.problem(http.StatusBadRequest, "Only one of 'subject' or 'alternativeSubject' can be defined.")
		return
	}
	eventType := like(pairs.all("type"), false)
	q.matches = func(e *entry) bool { return eventType(e.Event.Type()) }
	s.visible(&q, false)
	entries := s.readable(consumerOf(claims), s.store.find(q))
	var extra []parameter
	if q.alternativeSubject != "" && len(entries) > 0 {
		extra = []parameter{{"subject", entries[0].Event.Subject()}}
	}
	s.page(x, pairs, entries, extra...)
}
