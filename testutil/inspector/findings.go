package inspector

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
)

// Level is how bad a finding is.
type Level string

// The levels, the worst first.
const (
	// LevelError is what the service refuses, or what no subscriber can ever get.
	LevelError Level = "error"
	// LevelWarning is what is taken and probably not meant.
	LevelWarning Level = "warning"
	// LevelInfo is what is worth knowing.
	LevelInfo Level = "info"
)

// Finding is something worth saying about an event. It quotes no subject and no
// data.
type Finding struct {
	Level Level `json:"level"`
	// Rule is whose rule it is: "CloudEvents", "Altinn" or "Subscriptions".
	Rule string `json:"rule"`
	// Attribute is the one it is about, or "".
	Attribute string `json:"attribute,omitempty"`
	Message   string `json:"message"`
}

// Filter is what a subscription asks for, as far as findings need it.
type Filter struct {
	Subscription int
	Resource     string
	Type         *string
	Subject      *string
}

// Posted is an event and how it came.
type Posted struct {
	// Event is as stored or, if the request was refused, as far as it could be
	// read.
	Event event.Event
	// Endpoint is "/app" or "/events".
	Endpoint string
	// Body is the request's.
	Body []byte
	// Filters are those of all subscriptions to the event's resource, in any case.
	Filters []Filter
}

// Findings returns what is worth saying about an event, the worst first: rules of
// CloudEvents and of Altinn that it breaks, spellings that nobody subscribes to,
// and what the service drops.
func Findings(p Posted) []Finding {
	f := findings{Posted: p, all: []Finding{}}
	f.rules()
	f.checkDigits()
	f.subject("subject", p.Event.Subject())
	f.subject(models.ExtAlternativeSubject, extension(p.Event, models.ExtAlternativeSubject))
	f.spelling()
	f.subscriptions()
	f.dropped()
	order := []Level{LevelError, LevelWarning, LevelInfo}
	slices.SortStableFunc(f.all, func(a, b Finding) int {
		return slices.Index(order, a.Level) - slices.Index(order, b.Level)
	})
	return f.all
}

type findings struct {
	Posted
	all []Finding
}

func (f *findings) add(level Level, rule, attribute, format string, args ...any) {
	f.all = append(f.all, Finding{level, rule, attribute, models.Redact(fmt.Sprintf(format, args...))})
}

// rules are those that the publisher of this library holds events to.
func (f *findings) rules() {
	invalid, ok := errors.AsType[*models.ValidationError](models.Validator{}.Validate(f.Event))
	if !ok {
		return
	}
	for _, fault := range invalid.Faults {
		rule := "CloudEvents"
		switch fault.Attribute {
		case "subject", models.ExtAlternativeSubject, models.ExtResource, models.ExtResourceInstance, "source":
			rule = "Altinn"
		case "type":
			if f.Event.Type() != "" {
				rule = "Altinn"
			}
		}
		f.add(LevelError, rule, fault.Attribute, "%s", fault.Message)
	}
}

func (f *findings) checkDigits() {
	known := map[string]bool{}
	for _, found := range f.all {
		known[found.Attribute] = true
	}
	invalid, ok := errors.AsType[*models.ValidationError](models.Validator{CheckDigits: true}.Validate(f.Event))
	if !ok {
		return
	}
	for _, fault := range invalid.Faults {
		if !known[fault.Attribute] {
			f.add(LevelInfo, "Altinn", fault.Attribute, "%s: made up, or mistyped. Altinn Events does not look.", fault.Message)
		}
	}
}

// subject finds forms of subjects that are taken and reach nobody.
func (f *findings) subject(attribute, value string) {
	rest, legacy := strings.CutPrefix(value, "/org/")
	switch {
	case value == "":
	case legacy && rest != "" && rest[0] >= '0' && rest[0] <= '9':
		f.add(LevelWarning, "Altinn", attribute,
			"/org/{9 digits} is the legacy form; documented, and what most ask for, is /organisation/{9 digits}.")
	case strings.HasPrefix(value, "/organization/"):
		f.add(LevelWarning, "Altinn", attribute, "Altinn spells it /organisation/, with an s.")
	case strings.HasPrefix(value, "person/"), strings.HasPrefix(value, "organisation/"), strings.HasPrefix(value, "party/"):
		f.add(LevelWarning, "Altinn", attribute, "It does not begin with a slash, so filters for /%s… do not match.",
			value[:strings.IndexByte(value, '/')+1])
	}
}

// knownTypes are those that Altinn's own products publish.
func knownTypes() []string {
	return append([]string{
		models.TypeInstanceCreated, models.TypeProcessCompleted, models.TypeSubstatusChanged, models.TypeEFormidlingReminder,
		models.TypeProcessMovedToPrefix, models.TypeValidateSubscription,
	}, models.BrokerTypes(models.BrokerSender)...)
}

// spelling finds what compares letter by letter and is a letter off.
func (f *findings) spelling() {
	eventType := f.Event.Type()
	broken := slices.ContainsFunc(f.all, func(found Finding) bool { return found.Attribute == "type" })
	for _, known := range knownTypes() {
		inOtherCase := strings.EqualFold(eventType, known) ||
			known == models.TypeProcessMovedToPrefix && isMovedToInOtherCase(eventType)
		if broken || eventType == known || !inOtherCase {
			continue
		}
		f.add(LevelWarning, "Altinn", "type", "Altinn spells it %s; types match with case.", known)
	}
	if resource := extension(f.Event, models.ExtResource); resource != strings.ToLower(resource) {
		f.add(LevelWarning, "Altinn", models.ExtResource,
			"Subscriptions are kept in lower case and match with case, so no one can get this.")
	}
}

func isMovedToInOtherCase(eventType string) bool {
	const prefix = models.TypeProcessMovedToPrefix
	return len(eventType) > len(prefix) && strings.EqualFold(eventType[:len(prefix)], prefix) && !strings.HasPrefix(eventType, prefix)
}

// subscriptions finds why none of those to the resource gets the event.
func (f *findings) subscriptions() {
	resource := extension(f.Event, models.ExtResource)
	var types, emptyType, emptySubject []string
	wanted, pushed := false, false
	for _, filter := range f.Filters {
		if filter.Resource != resource {
			continue
		}
		switch {
		case filter.Type == nil || *filter.Type == f.Event.Type():
			wanted = true
			pushed = pushed || filter.Subject == nil || *filter.Subject == f.Event.Subject()
		case *filter.Type == "":
			emptyType = append(emptyType, strconv.Itoa(filter.Subscription))
		default:
			types = append(types, *filter.Type)
		}
		if filter.Subject != nil && *filter.Subject == "" && f.Event.Subject() != "" {
			emptySubject = append(emptySubject, strconv.Itoa(filter.Subscription))
		}
	}
	level := LevelWarning
	if pushed {
		level = LevelInfo // another subscription gets it
	}
	if emptyType != nil {
		f.add(level, "Subscriptions", "type",
			"An empty type filter matches nothing; leave it out to match all. Subscriptions that have one: %s.", listed(emptyType))
	}
	if emptySubject != nil {
		f.add(level, "Subscriptions", "subject",
			"An empty subject filter matches only events without a subject. Subscriptions that have one: %s.", listed(emptySubject))
	}
	if wanted || types == nil {
		return
	}
	for _, other := range types {
		if strings.EqualFold(other, f.Event.Type()) {
			f.add(LevelWarning, "Subscriptions", "type",
				"No subscription matches this type: one asks for %s, which differs in upper and lower case only.", other)
			return
		}
		if strings.EqualFold(strings.TrimSpace(other), strings.TrimSpace(f.Event.Type())) {
			f.add(LevelWarning, "Subscriptions", "type",
				"No subscription matches this type: one asks for %q, which has white space around it or lacks it.", other)
			return
		}
	}
	f.add(LevelWarning, "Subscriptions", "type", "No subscription matches this type: those to the resource ask for %s.",
		listed(types))
}

func listed(texts []string) string {
	const most = 3
	slices.Sort(texts)
	texts = slices.Compact(texts)
	if n := len(texts); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(texts[:most], ", "), n-most)
	}
	return strings.Join(texts, ", ")
}

// dropped finds what POST /app takes and does not keep.
func (f *findings) dropped() {
	if f.Endpoint != "/app" {
		return
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(f.Body, &members) != nil {
		return
	}
	var lost, replaced []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if string(members[name]) == "null" {
			continue
		}
		switch strings.ToLower(name) {
		case "source", "type", "subject", "specversion", models.ExtAlternativeSubject:
		case "id", "time", models.ExtResource, models.ExtResourceInstance:
			replaced = append(replaced, name)
		default:
			lost = append(lost, name)
		}
	}
	if lost != nil {
		f.add(LevelWarning, "Altinn", "", "POST /app takes and drops: %s.", strings.Join(lost, ", "))
	}
	if replaced != nil {
		f.add(LevelInfo, "Altinn", "", "POST /app sets its own in place of: %s.", strings.Join(replaced, ", "))
	}
	if resource := extension(f.Event, models.ExtResource); resource == "urn:altinn:resource:app__" {
		f.add(LevelWarning, "Altinn", "source", "It is of no instance, so the service cannot tell the app, and nobody can subscribe to it.")
	}
}

func extension(ev event.Event, name string) string {
	if ev.Context == nil {
		return ""
	}
	text, _ := ev.Extensions()[name].(string)
	return text
}
