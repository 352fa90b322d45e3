package models

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"mime"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// What attributes should look like, as faults say it.
const (
	wantSource      = "want an absolute http or https URL with a host and no user"
	wantAppSource   = "want the path /{org}/{app}/instances/{party}/{guid}, org and app in lower case"
	wantResource    = "want a URN in lower case such as urn:altinn:resource:{id}"
	wantAppResource = "want urn:altinn:resource:app_{org}_{app} in lower case"
	wantText        = "want UTF-8 without control characters"
)

// Validator checks events against the rules of CloudEvents and Altinn. The
// package comment lists them. The zero value is what Altinn Events expects. It
// is a value; use it from any goroutine.
type Validator struct {
	// CheckDigits also checks the check digits of identity numbers and
	// organisation numbers in subject and alternativesubject. Off by default,
	// as in Altinn, whose own examples fail them.
	CheckDigits bool
}

// Validate reports every fault of ev in one *ValidationError, or nil.
//
// It does not change ev. Faults name attributes and say what they should look
// like, without their values; only what the SDK says of an attribute that could
// not be set may quote it, redacted, and never if it is subject, data or an
// extension.
func (v Validator) Validate(ev event.Event) error { return v.read(&ev, false, &Reading{}) }

// ValidateDraft is Validate for an event as it may be handed to Publish, which
// fills specversion, id and time and, for an event about an app instance,
// resource and resourceinstance: those may be missing.
func (v Validator) ValidateDraft(ev event.Event) error { return v.read(&ev, true, &Reading{}) }

// Reading is what the attributes of an event say, read while it was validated. It
// prints masked, with fmt and with log/slog; its fields are in clear.
type Reading struct {
	// App is what the source names if it is the source of an app, else zero.
	App AppSource
	// Resource, ResourceInstance and AlternativeSubject are the extensions of those
	// names. They are empty if the event has none.
	Resource, ResourceInstance, AlternativeSubject string
	// PlainSource tells that the source is scheme, host and path, and that nothing in
	// them needs escaping, be it in a URL or in JSON. Of a source with a port, or with
	// capitals in its host, it is false all the same.
	PlainSource bool
}

// Format writes the resource, its instance and the alternative subject, masked,
// whatever the verb.
func (r Reading) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "resource %s, instance %s, alternative subject %s",
		Redact(r.Resource), Redact(r.ResourceInstance), MaskSubject(r.AlternativeSubject))
}

// LogValue returns the same under the names of the attributes.
func (r Reading) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String(ExtResource, Redact(r.Resource)),
		slog.String(ExtResourceInstance, Redact(r.ResourceInstance)),
		slog.String(ExtAlternativeSubject, MaskSubject(r.AlternativeSubject)),
	)
}

// Read is ValidateDraft, and returns what it has read of ev on the way, so that
// nobody has to read it again. The Reading is meaningless if there is an error.
func (v Validator) Read(ev event.Event) (Reading, error) {
	var r Reading
	err := v.read(&ev, true, &r)
	return r, err
}

// IsAppEvent reports whether ev is an event of an app, which goes to POST /app:
// whether its resource is an app's or, if it has none, its source is of an app
// instance. All other events go to POST /events.
func IsAppEvent(ev event.Event) bool {
	ec := contextV1(&ev)
	if ec == nil {
		return false
	}
	resource, _ := ec.Extensions[ExtResource].(string)
	if resource != "" {
		return IsAppResource(resource)
	}
	s, _, _, ok := splitAppPath(rawPath(&ec.Source.URL))
	return ok && s.Instance != ""
}

// contextV1 returns the attributes of ev, those of an older CloudEvents version
// converted; nil if it has none.
func contextV1(ev *event.Event) *event.EventContextV1 {
	switch ec := ev.Context.(type) {
	case nil:
		return nil
	case *event.EventContextV1:
		return ec
	case *event.EventContextV03:
		if ec == nil {
			return nil
		}
		return ec.AsV1()
	default:
		return ec.AsV1()
	}
}

func (v Validator) read(ev *event.Event, draft bool, r *Reading) error {
	c := checker{what: "event", digits: v.CheckDigits, fieldErrors: ev.FieldErrors}
	ec := contextV1(ev)
	if ec == nil {
		ec = &event.EventContextV1{}
		if !draft {
			c.add("specversion", "is required: build the event with event.New")
		}
	} else if ec != ev.Context {
		c.add("specversion", "want 1.0: convert the event's context with AsV1")
	}
	if strings.TrimSpace(ec.ID) == "" && (ec.ID != "" || !draft) {
		c.add("id", "is required")
	}
	c.text("id", ec.ID)
	c.eventType(ec.Type)
	c.extensions(ec.Extensions, r)
	c.about(ec, r)
	c.data(ev, ec)
	return c.err()
}

// text checks what every attribute must be.
func (c *checker) text(attribute, value string) {
	if !isText(value) {
		c.add(attribute, wantText)
	}
}

func (c *checker) eventType(t string) {
	switch {
	case t == "":
		c.add("type", "is required, such as "+TypeInstanceCreated)
	case !isWord(t):
		c.add("type", wantText+" or white space")
	case t == TypeProcessMovedToPrefix:
		c.add("type", "names no task: want "+TypeProcessMovedToPrefix+"{elementId}")
	case isMixedCaseBrokerType(t):
		c.add("type", "want lower case, because types match exactly and Altinn Broker's subscribers ask for lower case")
	}
}

// isMixedCaseBrokerType reports whether t is one of Altinn Broker's types but
// for its case.
func isMixedCaseBrokerType(t string) bool {
	n := len(brokerTypePrefix)
	return len(t) >= n && strings.EqualFold(t[:n], brokerTypePrefix) && strings.ToLower(t) != t
}

func (c *checker) extensions(all map[string]any, r *Reading) {
	ours := 0
	if value, ok := all[ExtResource]; ok {
		ours++
		r.Resource = c.extensionText(ExtResource, value)
	}
	if value, ok := all[ExtResourceInstance]; ok {
		ours++
		r.ResourceInstance = c.extensionText(ExtResourceInstance, value)
	}
	if value, ok := all[ExtAlternativeSubject]; ok {
		ours++
		r.AlternativeSubject = c.extensionText(ExtAlternativeSubject, value)
		if r.AlternativeSubject != "" {
			c.identifier(ExtAlternativeSubject, r.AlternativeSubject)
		}
	}
	if ours == len(all) {
		return // nearly always, and at half the cost of the loop below
	}
	for name, value := range all {
		if name != ExtResource && name != ExtResourceInstance && name != ExtAlternativeSubject {
			c.extension(name, value)
		}
	}
}

// extensionText returns the value of an extension that must be text.
func (c *checker) extensionText(name string, value any) string {
	text, ok := value.(string)
	if !ok || text == "" {
		c.add(name, "want text that is not empty")
	}
	return text
}

func (c *checker) extension(name string, value any) {
	if name == "" || !lowerAlnum.has(name) {
		c.add("extension", "want names of lower-case letters and digits only")
		return
	}
	switch name {
	case "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data":
		c.add(name, "is no extension: set the attribute itself")
		return
	}
	if text, ok := value.(string); ok {
		if !isText(text) {
			c.add(Redact(name), wantText)
		}
	} else if _, err := types.Validate(value); err != nil {
		c.add(Redact(name), "want a CloudEvents type: text, a truth value, a 32-bit number, bytes, a URI or a time")
	}
}

// about checks what and whom the event is about: source, resource and subject,
// which must agree.
func (c *checker) about(ec *event.EventContextV1, r *Reading) {
	u := &ec.Source.URL
	isURL := isWebURL(u) && isText(u.RawQuery)
	if !isURL {
		c.add("source", wantSource)
	}
	app, instance, rest, isApp := splitAppPath(rawPath(u))
	r.App = app
	r.PlainSource = isURL && isPlainURL(u, isApp && rest == "")
	if instance != r.ResourceInstance { // what is in a source has been checked
		c.text(ExtResourceInstance, r.ResourceInstance)
	}
	switch isAppResource := IsAppResource(r.Resource); {
	case isAppResource && isURL && !isApp:
		c.add("source", wantAppSource)
		c.party(ec.Subject)
	case isAppResource:
		if isURL && !isResourceOf(r.Resource, app) {
			c.add("source", "want the path /{org}/{app} of its resource")
		}
		c.instance(instance, r)
		c.party(ec.Subject)
	case r.Resource == "" && isApp && app.Instance != "":
		c.instance(instance, r)
		c.party(ec.Subject)
	default:
		if !IsResource(r.Resource) {
			c.add(ExtResource, wantResource+"; only events with the source of an app instance do without")
		}
		if ec.Subject != nil {
			c.identifier("subject", *ec.Subject)
		}
	}
}

// instance checks that the event names one instance, that of the source.
func (c *checker) instance(ofSource string, r *Reading) {
	if ofSource != r.ResourceInstance && r.ResourceInstance != "" && ofSource != "" {
		c.add(ExtResourceInstance, "want {party}/{guid} as in the source")
	}
}

// party checks the subject of an app's event.
func (c *checker) party(subject *string) {
	var id string
	ok := subject != nil
	if ok {
		id, ok = strings.CutPrefix(*subject, partyPrefix)
	}
	if !ok || !SubjectParty.hasDigits(id) {
		c.add("subject", subjectForm{partyPrefix, SubjectParty}.want())
	}
}

// identifier checks a subject or an alternative subject: in the forms that name
// a number, the digits.
func (c *checker) identifier(attribute, value string) {
	form, number, ok := splitSubject(value)
	isOrgCode := form.prefix == legacyOrganisationPrefix && (number == "" || !isDigit(number[0]))
	switch {
	case value == "":
		c.add(attribute, "want none, or text that is not empty")
	case !ok || isOrgCode:
		c.text(attribute, value)
	case !form.kind.hasDigits(number):
		c.add(attribute, form.want())
	case c.digits && form.kind == SubjectPerson && !IsPersonNumber(number),
		c.digits && form.kind == SubjectOrganisation && !IsOrganisationNumber(number):
		c.add(attribute, "fails its check digits")
	}
}

// The years 0 to 9999, all that RFC 3339 can write, in seconds of Unix.
const firstSecond, lastSecond = -62_167_219_200, 253_402_300_799

// data checks the data and what describes it.
func (c *checker) data(ev *event.Event, ec *event.EventContextV1) {
	if ec.DataSchema != nil && !ec.DataSchema.IsAbs() {
		c.add("dataschema", "want an absolute URI")
	}
	if ec.Time != nil {
		if second := ec.Time.Unix(); second < firstSecond || second > lastSecond {
			c.add("time", "want a year of 0 to 9999")
		}
	}
	isJSON := true
	if ec.DataContentType != nil {
		mediaType, _, err := mime.ParseMediaType(*ec.DataContentType)
		if err != nil || !strings.Contains(mediaType, "/") || !isText(*ec.DataContentType) {
			c.add("datacontenttype", "want a media type such as application/json")
		}
		isJSON = strings.HasSuffix(mediaType, "/json") || strings.HasSuffix(mediaType, "+json")
	}
	switch {
	case ev.DataEncoded == nil || ev.DataBase64:
	case isJSON && !json.Valid(ev.DataEncoded):
		c.add("data", "want valid JSON, or another datacontenttype")
	case !isJSON && !utf8.Valid(ev.DataEncoded):
		c.add("data", "want UTF-8, or DataBase64 for bytes")
	}
}

// baseURL checks the URL that sources begin with. It returns nil if it is none.
func (c *checker) baseURL(field, value string) *url.URL {
	u, err := url.Parse(value)
	if err != nil || !isWebURL(u) || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		c.add(field, "want an absolute http or https URL without user, query and fragment")
		return nil
	}
	return u
}
