package testutil

import (
	"net/http"
	"strconv"
)

// getSubscriptions is GET /subscriptions: those that the caller created.
//
// Source: Altinn/altinn-events, SubscriptionController.cs, SubscriptionService.cs
// (2026-08).
func (s *Sink) getSubscriptions(x *exchange) {
	claims, ok := s.user(x)
	if !ok {
		return
	}
	found := []Subscription{}
	if consumer := consumerOf(claims); consumer != "" {
		found = s.subscriptions.list(consumer)
	}
	x.json(http.StatusOK, contentJSON, struct {
		Count         int            `json:"count"`
		Subscriptions []Subscription `json:"subscriptions"`
	}{len(found), found})
}

// getSubscription is GET /subscriptions/{id}.
func (s *Sink) getSubscription(x *exchange) {
	if sub, ok := s.ownSubscription(x); ok {
		x.json(http.StatusOK, contentJSON, sub)
	}
}

// deleteSubscription is DELETE /subscriptions/{id}.
func (s *Sink) deleteSubscription(x *exchange) {
	if sub, ok := s.ownSubscription(x); ok {
		s.subscriptions.delete(sub.ID)
		x.empty(http.StatusOK, "")
	}
}

// ownSubscription returns the subscription that the path names. If it is not there
// or not the caller's it answers so and reports false.
func (s *Sink) ownSubscription(x *exchange) (Subscription, bool) {
	id, ok := routeID(x)
	if !ok {
		x.empty(http.StatusNotFound, "the route takes a number")
		return Subscription{}, false
	}
	claims, ok := s.user(x)
	if !ok {
		return Subscription{}, false
	}
	sub, ok := s.subscriptions.get(id)
	if !ok {
		x.problem(http.StatusNotFound, "")
		return Subscription{}, false
	}
	if consumer := consumerOf(claims); consumer == "" || sub.CreatedBy != consumer {
		x.empty(http.StatusForbidden, "the subscription is another's")
		return Subscription{}, false
	}
	return sub, true
}

// putValidate is PUT /subscriptions/validate/{id}, which the platform calls itself.
//
// Source: as getSubscriptions.
func (s *Sink) putValidate(x *exchange) {
	if s.cfg.Auth != AuthOff {
		if _, reason := s.platformAccess(x.request); reason != "" {
			x.empty(http.StatusForbidden, reason)
			return
		}
	}
	id, ok := routeID(x)
	if !ok {
		x.notValid("id", x.request.PathValue("id"))
		return
	}
	sub, ok := s.subscriptions.validate(id)
	if !ok {
		x.problem(http.StatusNotFound, "")
		return
	}
	x.json(http.StatusOK, contentJSON, sub)
}

// routeID returns the number in the path.
func routeID(x *exchange) (id int, ok bool) {
	n, err := strconv.ParseInt(x.request.PathValue("id"), 10, 32)
	return int(n), err == nil
}
