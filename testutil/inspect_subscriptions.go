package testutil

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/altinn-go/events/testutil/inspector"
)

const (
	maxShownSubscriptions = 500
	maxSubscriptionEvents = 50     // that match, and as many that do not
	maxLookedThrough      = 10_000 // events, for those
)

// subscriptionView is a subscription as the inspector shows it.
type subscriptionView struct {
	Subscription

	Delivered int `json:"delivered"` // events that the webhook took
	Failed    int `json:"failed"`    // attempts without success
	HeldBack  int `json:"heldBack"`
}

// view masks what a subscription says of persons, and leaves out the secret of its
// webhook, whatever the mask.
func (v Subscription) view(mask *inspector.Mask) subscriptionView {
	v.EndPoint = mask.Text(withoutSecrets(v.EndPoint))
	v.ResourceFilter = mask.Text(v.ResourceFilter)
	for _, filter := range []**string{&v.SourceFilter, &v.TypeFilter} {
		if *filter != nil {
			*filter = new(mask.Text(**filter))
		}
	}
	if v.SubjectFilter != nil {
		v.SubjectFilter = new(mask.Subject(*v.SubjectFilter))
	}
	v.Consumer, v.CreatedBy = mask.Text(v.Consumer), mask.Text(v.CreatedBy)
	return subscriptionView{Subscription: v}
}

// count adds an attempt to what is known of a subscription.
func (v *subscriptionView) count(d *Delivery) {
	switch {
	case d.HeldBack:
		v.HeldBack++
	case !d.Delivered():
		v.Failed++
	case !d.Validation:
		v.Delivered++
	}
}

// inspectSubscriptions is GET subscriptions: of every consumer, the newest first.
func (s *Sink) inspectSubscriptions(x *exchange) {
	mask := s.mask(x.request)
	all := s.subscriptions.list("")
	slices.Reverse(all)
	views := []subscriptionView{}
	position := map[int]int{}
	for i := range min(len(all), maxShownSubscriptions) {
		position[all[i].ID] = len(views)
		views = append(views, all[i].view(mask))
	}
	attempts, _ := s.pushes.record.all()
	for i := range attempts {
		if at, ok := position[attempts[i].Subscription]; ok {
			views[at].count(&attempts[i])
		}
	}
	x.json(http.StatusOK, contentJSON, map[string]any{"total": len(all), "subscriptions": views})
}

// subscriptionEvent is a stored event and why a subscription gets it, or not.
type subscriptionEvent struct {
	arrivalRow

	ID       string      `json:"id"`
	Pushed   bool        `json:"pushed"`
	Criteria []Criterion `json:"criteria"`
}

// inspectSubscription is GET subscriptions/{id}.
func (s *Sink) inspectSubscription(x *exchange) {
	sub, ok := s.inspectedSubscription(x)
	if !ok {
		return
	}
	mask, filters := s.mask(x.request), s.resourceFilters()
	view := sub.view(mask)
	attempts, _ := s.pushes.record.all()
	for i := range attempts {
		if attempts[i].Subscription == sub.ID {
			view.count(&attempts[i])
		}
	}
	events := []subscriptionEvent{}
	total := map[bool]int{} // by whether they match
	entries, _ := s.store.since(0)
	notLookedAt := max(0, len(entries)-maxLookedThrough)
	entries = entries[notLookedAt:]
	for _, e := range slices.Backward(entries) {
		if e.Duplicate {
			continue
		}
		pushed := isPushed(s.Explain(sub, e.Event))
		if total[pushed]++; total[pushed] > maxSubscriptionEvents {
			continue
		}
		why := s.explain(sub, e, mask)
		events = append(events, subscriptionEvent{
			e.arrival().row(filters, mask), mask.Text(e.identity.id), why.Pushed, why.Criteria,
		})
	}
	deliveries, attemptsTotal := s.deliveryViews(mask, func(d *Delivery) bool { return d.Subscription == sub.ID })
	x.json(http.StatusOK, contentJSON, map[string]any{
		"subscription": view, "events": events, "matchesTotal": total[true], "othersTotal": total[false],
		"notLookedAt": notLookedAt, "deliveries": deliveries, "deliveriesTotal": attemptsTotal, "masked": mask.Masked,
	})
}

// inspectedSubscription returns the subscription that the path names, or answers
// 404.
func (s *Sink) inspectedSubscription(x *exchange) (Subscription, bool) {
	id, err := strconv.Atoi(x.request.PathValue("id"))
	sub, ok := s.subscriptions.get(id)
	if err != nil || !ok {
		x.problem(http.StatusNotFound, "There is no such subscription.")
		return Subscription{}, false
	}
	return sub, true
}

// inspectValidate is POST subscriptions/{id}/validate: the validation event is sent
// again.
func (s *Sink) inspectValidate(x *exchange) {
	if sub, ok := s.inspectedSubscription(x); ok {
		s.sendValidation(sub)
		x.empty(http.StatusNoContent, "")
	}
}

// inspectRedeliver is POST subscriptions/{id}/redeliver: a stored event is pushed
// again, whether it matches or not.
func (s *Sink) inspectRedeliver(x *exchange) {
	sub, ok := s.inspectedSubscription(x)
	if !ok {
		return
	}
	var req struct {
		Number int `json:"number"`
	}
	if !x.decodes(&req) {
		return
	}
	a, ok := s.store.arrival(req.Number)
	if !ok || a.accepted == nil {
		x.problem(http.StatusNotFound, "number: there is no such event.")
		return
	}
	s.redeliver(sub, a.accepted)
	x.empty(http.StatusNoContent, "")
}
