package testutil

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// subscriptionRequest is what a subscriber may say.
type subscriptionRequest struct {
	EndPoint                 *string `json:"endPoint"`
	SourceFilter             *string `json:"sourceFilter"`
	SubjectFilter            *string `json:"subjectFilter"`
	ResourceFilter           *string `json:"resourceFilter"`
	AlternativeSubjectFilter *string `json:"alternativeSubjectFilter"`
	TypeFilter               *string `json:"typeFilter"`
	IncludeSubunits          bool    `json:"includeSubunits"`
}

// postSubscriptions is POST /subscriptions.
//
// Source: Altinn/altinn-events, SubscriptionController.cs,
// AppSubscriptionService.cs, GenericSubscriptionService.cs, SubscriptionService.cs
// (2026-08).
func (s *Sink) postSubscriptions(x *exchange) {
	claims, ok := s.user(x)
	if !ok || !x.acceptsBody("application/json") {
		return
	}
	req, ok := decodeSubscription(x)
	if !ok {
		return
	}
	sub := Subscription{
		EndPoint: deref(req.EndPoint), SubjectFilter: req.SubjectFilter, TypeFilter: req.TypeFilter,
		IncludeSubunits: req.IncludeSubunits, Consumer: consumerOf(claims),
	}
	sub.CreatedBy = sub.Consumer

	endpoint, err := url.Parse(sub.EndPoint)
	if err != nil || !s.acceptsEndpoint(endpoint) {
		x.text(http.StatusBadRequest, "Missing or invalid endpoint to push events towards")
		return
	}
	var source *url.URL
	if req.SourceFilter != nil {
		if source, err = url.Parse(*req.SourceFilter); err != nil || source.Scheme != "https" || source.Host == "" {
			x.text(http.StatusBadRequest, "SourceFilter must be an absolute URL with the https scheme.")
			return
		}
		sub.SourceFilter = req.SourceFilter
	}
	resource := deref(req.ResourceFilter)
	app := strings.HasPrefix(strings.ToLower(resource), appResource) ||
		source != nil && strings.HasSuffix(strings.ToLower(source.Hostname()), strings.ToLower(s.cfg.AppsDomain))
	if !app && !hasScope(claims, scopeSubscribe) {
		x.empty(http.StatusForbidden, "no scope "+scopeSubscribe)
		return
	}
	if resource != "" && !resourceURN.MatchString(resource) {
		x.text(http.StatusBadRequest, "Resource filter must be a valid urn")
		return
	}
	sub.ResourceFilter = resource
	var fault string
	if app {
		fault = s.completeAppSubscription(&sub, req, source, claims)
	} else {
		fault = completeGenericSubscription(sub, req)
	}
	if fault == "" && sub.Consumer == "" {
		fault = "Missing event consumer"
	}
	if fault != "" {
		x.text(http.StatusBadRequest, fault)
		return
	}
	if !s.mayRead(sub.Consumer, sub.ResourceFilter) {
		x.text(http.StatusForbidden, "Not authorized to create a subscription for resource "+sub.ResourceFilter+".")
		return
	}
	sub.Created = time.Now().UTC().Truncate(time.Microsecond) // as PostgreSQL keeps it
	if sub, ok = s.subscriptions.add(sub); !ok {
		x.problem(http.StatusInsufficientStorage, "The sink keeps "+strconv.Itoa(maxSubscriptions)+" subscriptions at most.")
		return
	}
	// Not a route of the service's, but what it says.
	x.header.Set("Location", basePath+"/subscription/"+strconv.Itoa(sub.ID))
	x.json(http.StatusCreated, contentJSON, sub)
	s.sendValidation(sub)
}

// decodeSubscription reads the body, or answers what is wrong with it and reports
// false.
func decodeSubscription(x *exchange) (req subscriptionRequest, ok bool) {
	body := bytes.TrimSpace(x.body)
	if len(body) == 0 || string(body) == "null" {
		x.invalid("", "A non-empty request body is required.")
		return req, false
	}
	var raw map[string]json.RawMessage
	if err := unmarshal(body, &raw); err != nil {
		x.invalid("$", err.Error())
		return req, false
	}
	for name, value := range raw {
		var err error
		var kind string
		switch {
		case strings.EqualFold(name, "includeSubunits"):
			kind = "System.Boolean"
			if jsonKind(value) == "Null" {
				err = serviceError("null")
			} else {
				err = json.Unmarshal(value, &req.IncludeSubunits)
			}
		default:
			kind = "System.String"
			for member, text := range map[string]**string{
				"endPoint": &req.EndPoint, "sourceFilter": &req.SourceFilter, "subjectFilter": &req.SubjectFilter,
				"resourceFilter": &req.ResourceFilter, "alternativeSubjectFilter": &req.AlternativeSubjectFilter, "typeFilter": &req.TypeFilter,
			} {
				if strings.EqualFold(name, member) {
					err = json.Unmarshal(value, text)
				}
			}
		}
		if err != nil {
			x.invalid("$."+name, notConvertible(kind, name))
			return req, false
		}
	}
	return req, true
}

// acceptsEndpoint reports whether a webhook may be there: by https, or as
// SinkConfig.HTTPSOnly says.
func (s *Sink) acceptsEndpoint(u *url.URL) bool {
	return u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && !s.cfg.HTTPSOnly && isLoopback(u.Hostname()))
}

// isLoopback reports whether a host's name is that of this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// completeAppSubscription fills what follows from an app's subscription, or returns
// what is wrong with it.
func (s *Sink) completeAppSubscription(sub *Subscription, req subscriptionRequest, source *url.URL, claims jwt.MapClaims) (fault string) {
	const noSubject = "A valid subject to the authenticated identity is required"
	if alternative := deref(req.AlternativeSubjectFilter); alternative != "" {
		subject, known := s.register.subject(alternative)
		if !known {
			return noSubject
		}
		sub.SubjectFilter = &subject
	}
	if deref(sub.SubjectFilter) == "" && claimText(claims, claimOrg) == "" {
		return noSubject
	}
	if source != nil {
		parts := strings.Split(source.EscapedPath(), "/")
		if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
			return "A valid app id is required in source filter {environment}/{org}/{app}"
		}
		resource := strings.ToLower(appResource + parts[1] + "_" + parts[2])
		if sub.ResourceFilter == "" {
			sub.ResourceFilter = resource
		}
		if sub.ResourceFilter != resource {
			return "Provided resource filter and source filter are not compatible"
		}
	}
	return needsSubject(*sub)
}

// completeGenericSubscription returns what is wrong with a subscription to events
// that are no app's.
func completeGenericSubscription(sub Subscription, req subscriptionRequest) (fault string) {
	switch {
	case deref(req.AlternativeSubjectFilter) != "":
		return "AlternativeSubject filter is not supported for subscriptions on this resource."
	case sub.SourceFilter != nil:
		return "Source filter is not supported for subscriptions on this resource."
	case sub.ResourceFilter == "":
		return "Resource filter is required."
	}
	return needsSubject(sub)
}

func needsSubject(sub Subscription) (fault string) {
	if sub.IncludeSubunits && deref(sub.SubjectFilter) == "" {
		return "IncludeSubunits requires a subject filter."
	}
	return ""
}

// deref returns the text, or "" of none.
func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
