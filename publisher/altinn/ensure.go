package altinn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/altinn-go/events/models"
)

// EnsureConfig says how far Ensure goes.
type EnsureConfig struct {
	// DryRun changes nothing: Ensure returns what it would do.
	DryRun bool

	// Delete deletes what is of these webhooks and not wanted any more.
	Delete bool
}

// Plan is what stands between the subscriptions that are wanted and those that are
// registered. It prints a line for each, without secrets and with subjects masked.
type Plan struct {
	// Keep are registered as wanted.
	Keep []Subscription
	// Create are wanted and not registered. After Ensure they have their ids.
	Create []Subscription
	// Delete go to one of the webhooks and are not wanted. They are deleted only with
	// EnsureConfig.Delete.
	Delete []Subscription
	// Unknown are the caller's, and go to webhooks that are none of these.
	Unknown []Subscription
}

// String returns the plan, a line for each subscription.
func (p Plan) String() string {
	var b strings.Builder
	for _, part := range []struct {
		sign string
		all  []Subscription
	}{{"  keep    ", p.Keep}, {"+ create  ", p.Create}, {"- delete  ", p.Delete}, {"? unknown ", p.Unknown}} {
		for i := range part.all {
			b.WriteString(part.sign + part.all[i].String() + "\n")
		}
	}
	return b.String()
}

// Ensure makes the subscriptions that are wanted and not registered, and waits until
// every one is validated or ctx ends: start the webhook first. What it made before is
// known by the webhook, the endpoint without its query: those that are not wanted any
// more are deleted if cfg says so, and all others reported as Unknown.
//
// It may run in several replicas at once, because the service has one subscription of
// the same filters and endpoint. A filter by alternative subject cannot be compared
// with what the service made of it, so such a subscription is always made again,
// which the service answers with the one that is there.
//
// The error is a *models.ValidationError before anything is sent, or as Send's; the
// plan tells what was wanted.
func (c *Client) Ensure(ctx context.Context, cfg EnsureConfig, wanted ...Subscription) (Plan, error) {
	var faults []error
	for i := range wanted {
		if err := wanted[i].Validate(); err != nil && !wanted[i].Insist {
			faults = append(faults, fmt.Errorf("subscription %d: %w", i, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return Plan{}, err
	}
	registered, err := c.Subscriptions(ctx)
	if err != nil {
		return Plan{}, err
	}
	plan := newPlan(wanted, registered)
	if cfg.DryRun {
		return plan, nil
	}
	for i := range plan.Create {
		s := &plan.Create[i]
		made, err := c.Subscribe(ctx, *s)
		if err != nil {
			return plan, fmt.Errorf("create %s: %w", s, err)
		}
		made.AlternativeSubjectFilter = s.AlternativeSubjectFilter
		*s = made
		// It may be one that could not be told from those that are not wanted.
		plan.Delete = slices.DeleteFunc(plan.Delete, func(s Subscription) bool { return s.ID == made.ID })
	}
	if cfg.Delete {
		for i := range plan.Delete {
			if err := c.Unsubscribe(ctx, plan.Delete[i].ID); err != nil {
				return plan, fmt.Errorf("delete %s: %w", plan.Delete[i], err)
			}
		}
	}
	for _, all := range [][]Subscription{plan.Keep, plan.Create} {
		for i := range all {
			if all[i].Validated, err = c.awaitValidation(ctx, all[i]); err != nil {
				return plan, err
			}
		}
	}
	return plan, nil
}

// newPlan compares.
func newPlan(wanted, registered []Subscription) Plan {
	var plan Plan
	kept := map[int]bool{}
	webhooks := map[string]bool{}
	for n := range wanted {
		w := &wanted[n]
		webhooks[withoutQuery(w.EndPoint)] = true
		i := slices.IndexFunc(registered, func(r Subscription) bool { return w.AlternativeSubjectFilter == "" && w.same(r) })
		if i < 0 {
			plan.Create = append(plan.Create, *w)
			continue
		}
		if !kept[registered[i].ID] {
			kept[registered[i].ID] = true
			plan.Keep = append(plan.Keep, registered[i])
		}
	}
	for i := range registered {
		r := &registered[i]
		switch {
		case kept[r.ID]:
		case webhooks[withoutQuery(r.EndPoint)]:
			plan.Delete = append(plan.Delete, *r)
		default:
			plan.Unknown = append(plan.Unknown, *r)
		}
	}
	return plan
}

// same reports whether r is registered as s wants it.
func (s Subscription) same(r Subscription) bool {
	resource := s.ResourceFilter
	if resource == "" {
		if source, err := models.ParseAppSource(s.SourceFilter); err == nil {
			resource = source.Resource()
		}
	}
	return s.EndPoint == r.EndPoint && strings.EqualFold(resource, r.ResourceFilter) && s.SourceFilter == r.SourceFilter &&
		s.SubjectFilter == r.SubjectFilter && s.TypeFilter == r.TypeFilter && s.IncludeSubunits == r.IncludeSubunits
}

func withoutQuery(endpoint string) string {
	before, _, _ := strings.Cut(endpoint, "?")
	return before
}

// awaitValidation looks until a subscription is validated.
func (c *Client) awaitValidation(ctx context.Context, s Subscription) (bool, error) {
	const longest = 5 * time.Second
	for pause := 50 * time.Millisecond; !s.Validated; pause = min(pause*2, longest) {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false, fmt.Errorf("%s is not validated: its webhook has not answered the validation event with a 2xx: %w", s, ctx.Err())
		}
		seen, err := c.Subscription(ctx, s.ID)
		if refused, ok := errors.AsType[*ResponseError](err); ok && refused.Status == http.StatusNotFound {
			return false, fmt.Errorf("%s was deleted while it was to be validated: %w", s, err)
		}
		if err == nil {
			s.Validated = seen.Validated
		}
	}
	return true, nil
}
