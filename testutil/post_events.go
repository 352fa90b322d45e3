package testutil

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
)

// postEvents is POST /events: any CloudEvent, structured.
//
// Source: Altinn/altinn-events, EventsController.cs,
// PublishScopeOrAccessTokenHandler.cs, CloudEventJsonInputFormatter.cs,
// UriExtensions.cs, EventsService.cs (2026-08).
func (s *Sink) postEvents(x *exchange) {
	claims, ok := s.user(x)
	if !ok {
		return
	}
	if !hasScope(claims, scopePublish) {
		if _, reason := s.platformAccess(x.request); reason != "" {
			x.empty(http.StatusForbidden, fmt.Sprintf("no scope %s, and %s", scopePublish, reason))
			return
		}
	}
	if !x.acceptsBody("application/cloudevents+json") {
		return
	}
	if len(x.body) == 0 {
		x.invalid("", "A non-empty request body is required.")
		return
	}
	ev, err := decodeCloudEvent(x.body)
	if err != nil {
		x.invalid("RequestBody", err.Error())
		return
	}
	switch resource := extensionText(ev, models.ExtResource); {
	case resource == "":
		x.problem(http.StatusBadRequest, "A 'resource' property must be defined.")
	case !resourceURN.MatchString(resource):
		x.problem(http.StatusBadRequest, "'Resource' must be a valid urn.")
	case !hasScope(claims, scopePublishAdmin) && !s.policy.permits(consumerOf(claims), resource, ActionPublish):
		x.empty(http.StatusForbidden, "the policy denies publishing to "+resource)
	default:
		renameLegacyResource(ev, resource)
		s.accept(x, ev)
		x.empty(http.StatusOK, "")
	}
}

// resourceURN is the service's grammar, which allows no upper case.
var resourceURN = regexp.MustCompile(`^urn:[a-z0-9-]{1,30}(:[a-z0-9()+,.\-;$_!/]{1,100}){1,10}$`)

// renameLegacyResource gives an app's resource of the old form its new name, as
// the service does before it stores the event.
func renameLegacyResource(ev event.Event, resource string) {
	if !strings.HasPrefix(resource, "urn:altinn:resource:altinnapp.") {
		return
	}
	var org, app string
	if source, err := url.Parse(ev.Source()); err == nil {
		path, _ := absolutePath(source)
		org, app, _, _ = appPathParts(path)
	}
	ev.SetExtension(models.ExtResource, "urn:altinn:resource:app_"+org+"_"+app)
}

// extensionText returns an extension that is a string, or "".
func extensionText(ev event.Event, name string) string {
	var value any
	if ec, ok := ev.Context.(*event.EventContextV1); ok {
		value = ec.Extensions[name] // ev.Extensions would copy them all
	} else if ev.Context != nil {
		value = ev.Extensions()[name]
	}
	text, _ := value.(string)
	return text
}
