package altinn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
)

const endpointSubscriptions = "/subscriptions"

// Subscription is a wish to be pushed events. Filters that are empty are not sent, so
// they match anything; all others have to be equal to the event's attribute, case
// included.
//
// Source: Altinn/altinn-events, SubscriptionController.cs (2026-08).
type Subscription struct {
	// EndPoint is the webhook: an https URL with a secret in its query. Required.
	EndPoint string `json:"endPoint"`

	// ResourceFilter is the URN of the resource: "urn:altinn:resource:app_ttd_apps-test".
	// Required unless SourceFilter names an app.
	ResourceFilter string `json:"resourceFilter,omitempty"`

	// SourceFilter is the address of an app, "https://ttd.apps.altinn.no/ttd/apps-test",
	// without a slash at its end. Only for apps.
	SourceFilter string `json:"sourceFilter,omitempty"`

	// SubjectFilter is the subject. Service owners may leave it out, users not.
	SubjectFilter string `json:"subjectFilter,omitempty"`

	// AlternativeSubjectFilter is a person or an organisation, which the service turns
	// into the subject. Only for apps.
	AlternativeSubjectFilter string `json:"alternativeSubjectFilter,omitempty"`

	// TypeFilter is the type of event.
	TypeFilter string `json:"typeFilter,omitempty"`

	// IncludeSubunits takes in the subject's sub-units.
	IncludeSubunits bool `json:"includeSubunits,omitempty"`

	// Insist sends the subscription although it could never match, or would be refused.
	Insist bool `json:"-"`

	// ID and the following are the service's.
	ID        int       `json:"id,omitempty"`
	Consumer  string    `json:"consumer,omitempty"`
	CreatedBy string    `json:"createdBy,omitempty"`
	Created   time.Time `json:"created,omitzero"`
	// Validated says that the webhook has answered the validation event, without which
	// nothing is pushed.
	Validated bool `json:"validated,omitempty"`
}

// String names the subscription without what may be secret or personal: the query of
// the endpoint and the digits of subjects.
func (s Subscription) String() string {
	var b strings.Builder
	endpoint, _, _ := strings.Cut(s.EndPoint, "?")
	if s.ID != 0 {
		fmt.Fprintf(&b, "#%d ", s.ID)
	}
	b.WriteString("to " + endpoint)
	for _, filter := range []struct{ name, value string }{
		{"resource", s.ResourceFilter},
		{"source", s.SourceFilter},
		{"subject", models.MaskSubject(s.SubjectFilter)},
		{"alternative subject", models.MaskSubject(s.AlternativeSubjectFilter)},
		{"type", s.TypeFilter},
	} {
		if filter.value != "" {
			b.WriteString(", " + filter.name + " " + filter.value)
		}
	}
	if s.IncludeSubunits {
		b.WriteString(", with sub-units")
	}
	return b.String()
}

// LogValue returns String.
func (s Subscription) LogValue() slog.Value { return slog.StringValue(s.String()) }

// isApp reports whether the service takes the subscription for an app's.
func (s Subscription) isApp() bool {
	return models.IsAppResource(strings.ToLower(s.ResourceFilter)) || s.ResourceFilter == "" && s.SourceFilter != ""
}

// Validate reports what would make the service refuse the subscription, or never push
// anything to it: a *models.ValidationError that names every fault. Subscribe calls
// it, unless Insist is set.
func (s Subscription) Validate() error {
	var faults []models.Fault
	add := func(bad bool, attribute, message string) {
		if bad {
			faults = append(faults, models.Fault{Attribute: attribute, Message: message})
		}
	}
	endpoint, err := url.Parse(s.EndPoint)
	add(err != nil || endpoint.Host == "" || endpoint.Scheme != "https" && (endpoint.Scheme != "http" || !isLoopback(endpoint.Hostname())),
		"endPoint", "is no https URL; the service pushes nowhere else")
	for _, filter := range []struct{ name, value string }{
		{"resourceFilter", s.ResourceFilter},
		{"sourceFilter", s.SourceFilter},
		{"subjectFilter", s.SubjectFilter},
		{"alternativeSubjectFilter", s.AlternativeSubjectFilter},
		{"typeFilter", s.TypeFilter},
	} {
		add(filter.value != strings.TrimSpace(filter.value), filter.name, "begins or ends with white space, and is compared with it")
	}
	add(s.ResourceFilter != strings.ToLower(s.ResourceFilter), "resourceFilter", "has upper case, which the service refuses")
	add(s.ResourceFilter != "" && !models.IsResource(strings.ToLower(s.ResourceFilter)), "resourceFilter", "is no URN such as urn:altinn:resource:app_ttd_apps-test")
	add(s.ResourceFilter == "" && s.SourceFilter == "", "resourceFilter", "is missing; the service wants it, or the sourceFilter of an app")
	add(s.IncludeSubunits && s.SubjectFilter == "" && s.AlternativeSubjectFilter == "", "includeSubunits", "needs a subjectFilter")
	if s.isApp() {
		faults = append(faults, sourceFaults(s.SourceFilter)...)
	} else {
		add(s.SourceFilter != "", "sourceFilter", "is refused by the service for resources that are no app's, whatever guides say")
		add(s.AlternativeSubjectFilter != "", "alternativeSubjectFilter", "is refused by the service for resources that are no app's, whatever guides say; filter in the receiver, or by subjectFilter")
	}
	faults = append(faults, typeFaults(s.TypeFilter)...)
	if len(faults) == 0 {
		return nil
	}
	slices.SortStableFunc(faults, func(a, b models.Fault) int { return strings.Compare(a.Attribute, b.Attribute) })
	return &models.ValidationError{What: "subscription", Faults: faults}
}

func sourceFaults(source string) []models.Fault {
	if source == "" {
		return nil
	}
	fault := func(message string) []models.Fault {
		return []models.Fault{{Attribute: "sourceFilter", Message: message}}
	}
	u, err := url.Parse(source)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "":
		return fault("is no https URL")
	case strings.HasSuffix(u.Path, "/"):
		return fault("ends with a slash, with which it is no app's; leave it out")
	case strings.Count(u.Path, "/") != 2:
		return fault("has a path that is not /{org}/{app}")
	}
	return nil
}

// typeFaults reports a type that no event has. Types of apps may be anything.
func typeFaults(eventType string) []models.Fault {
	fault := func(message string) []models.Fault {
		return []models.Fault{{Attribute: "typeFilter", Message: message}}
	}
	lower := strings.ToLower(eventType)
	known := models.BrokerTypes(models.BrokerSender)
	switch {
	case strings.ContainsAny(eventType, "*%"):
		return fault("has a wildcard; subscriptions compare types whole")
	case !strings.HasPrefix(lower, "no.altinn.broker."):
		return nil
	case !slices.Contains(known, lower):
		return fault("is no type of Broker; there are " + strings.Join(known, ", "))
	case lower != eventType:
		return fault("has upper case, and events of Broker have " + lower)
	}
	return nil
}

// Subscribe makes a subscription, or returns the one that is the same, and has the
// service validate its webhook. The answer is not yet validated; Ensure waits for
// that.
//
// The error is a *models.ValidationError for what could not work, before anything is
// sent, and else as Send's.
func (c *Client) Subscribe(ctx context.Context, s Subscription) (Subscription, error) {
	if !s.Insist {
		if err := s.Validate(); err != nil {
			return Subscription{}, err
		}
	}
	s.ID, s.Consumer, s.CreatedBy, s.Created, s.Validated = 0, "", "", time.Time{}, false
	body, err := json.Marshal(s)
	if err != nil {
		return Subscription{}, fmt.Errorf("subscription: %w", err)
	}
	var made Subscription
	err = c.call(ctx, http.MethodPost, endpointSubscriptions, nil, nil, body, &made)
	return made, err
}

// Subscriptions returns the subscriptions that the caller has made, validated or
// not.
func (c *Client) Subscriptions(ctx context.Context) ([]Subscription, error) {
	var list struct {
		Subscriptions []Subscription `json:"subscriptions"`
	}
	err := c.call(ctx, http.MethodGet, endpointSubscriptions, nil, nil, nil, &list)
	return list.Subscriptions, err
}

// Subscription returns one of them. An id that is not there is a *ResponseError with
// status 404.
func (c *Client) Subscription(ctx context.Context, id int) (Subscription, error) {
	var s Subscription
	err := c.call(ctx, http.MethodGet, endpointSubscriptions+"/"+strconv.Itoa(id), nil, nil, nil, &s)
	return s, err
}

// Unsubscribe deletes one of them. One that is gone already is no error. The service
// may go on pushing for up to an hour, because it keeps what it has looked up.
func (c *Client) Unsubscribe(ctx context.Context, id int) error {
	err := c.call(ctx, http.MethodDelete, endpointSubscriptions+"/"+strconv.Itoa(id), nil, nil, nil, nil)
	if refused, ok := errors.AsType[*ResponseError](err); ok && refused.Status == http.StatusNotFound {
		return nil
	}
	return err
}

// call performs an operation that is made for the call, and decodes its answer into v,
// if it is not nil.
func (c *Client) call(ctx context.Context, method, endpoint string, query url.Values, header http.Header, body []byte, v any) error {
	op := operation{whole: v != nil}
	all := c.header("application/json")
	if body == nil {
		all.Del("Content-Type")
	}
	maps.Copy(all, header)
	op.init(method, c.url, endpoint, all)
	op.url.RawQuery = query.Encode()
	var decodeErr error
	err := c.do(ctx, &op, "", body, func(reply []byte) {
		if v != nil {
			decodeErr = json.Unmarshal(reply, v)
		}
	})
	if err == nil && decodeErr != nil {
		err = &callError{text: op.name + ": the answer is not the JSON that was expected", class: publisher.ErrUnavailable, cause: decodeErr}
	}
	return err
}
