package webhook

import (
	"context"
	"slices"

	"github.com/altinn-go/events/models"
)

// Only returns h for the events that all of the conditions hold for; others are done
// without it. It filters what a subscription cannot: Altinn Events takes no filter by
// file transfer or instance, and for Broker none by alternative subject.
func Only(h HandlerFunc, conditions ...func(Received) bool) HandlerFunc {
	return func(ctx context.Context, r Received) error {
		for _, holds := range conditions {
			if !holds(r) {
				return nil
			}
		}
		return h(ctx, r)
	}
}

// About holds for events of these file transfers or instances, "{party}/{guid}".
func About(resourceInstances ...string) func(Received) bool {
	return func(r Received) bool {
		instance, _ := r.Event.Extensions()[models.ExtResourceInstance].(string)
		return instance != "" && slices.Contains(resourceInstances, instance)
	}
}

// To holds for events of these subjects or alternative subjects, in whichever form:
// "/party/50015641", "/organisation/986252933" and
// "urn:altinn:organization:identifier-no:986252933". Of Broker, the subject is who is
// told: the sender, or the recipient.
func To(subjects ...string) func(Received) bool {
	wanted := make(map[models.Subject]bool, len(subjects))
	texts := make(map[string]bool, len(subjects))
	for _, text := range subjects {
		texts[text] = true
		if subject, err := models.ParseSubject(text); err == nil {
			wanted[subject] = true
		}
	}
	return func(r Received) bool {
		alternative, _ := r.Event.Extensions()[models.ExtAlternativeSubject].(string)
		for _, text := range []string{r.Event.Subject(), alternative} {
			if text == "" {
				continue
			}
			subject, err := models.ParseSubject(text)
			if texts[text] || err == nil && wanted[subject] {
				return true
			}
		}
		return false
	}
}
