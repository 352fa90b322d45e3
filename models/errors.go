package models

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
)

// ValidationError lists everything that is wrong with a value, at once. It may
// be logged: no fault holds the value of a subject or of data.
type ValidationError struct {
	// What names the kind of value: "event", "app" and so on. Empty means
	// "event".
	What string
	// Faults are sorted by attribute. There is at least one.
	Faults []Fault
}

// Fault is one rule that a value breaks. It never holds the value of a subject.
type Fault struct {
	// Attribute is the wire name of what is wrong, such as "subject"; of an
	// App or a Broker, the name of the field.
	Attribute string
	// Message says what is wrong and what it should look like.
	Message string
}

// Error lists the faults, in the form
// "invalid event: subject: want /party/{id}; type: is required".
func (e *ValidationError) Error() string {
	var b strings.Builder
	b.WriteString("invalid " + cmp.Or(e.What, "event"))
	separator := ": "
	for _, f := range e.Faults {
		b.WriteString(separator + f.Attribute + ": " + f.Message)
		separator = "; "
	}
	return b.String()
}

// invalid returns the error of one fault.
func invalid(what, attribute, message string) error {
	return &ValidationError{What: what, Faults: []Fault{{attribute, message}}}
}

// buildError is a fault that was found while an event was built. It is kept
// in the event's FieldErrors and quotes nothing.
type buildError string

// Error returns the fault's message.
func (f buildError) Error() string { return string(f) }

func setFault(ev *event.Event, attribute, message string) {
	if ev.FieldErrors == nil {
		ev.FieldErrors = make(map[string]error)
	}
	ev.FieldErrors[attribute] = buildError(message)
}

// fieldFault returns what may be told of an attribute that could not be set.
// The SDK's own errors quote the value.
func fieldFault(field string, err error) Fault {
	attribute, isExtension := strings.CutPrefix(field, extensionField)
	attribute = Redact(attribute)
	if fault, ok := errors.AsType[buildError](err); ok {
		return Fault{attribute, string(fault)}
	}
	if isExtension || attribute == "subject" || attribute == "data" {
		return Fault{attribute, "could not be set: the name or the type of the value is wrong"}
	}
	return Fault{attribute, "could not be set: " + Redact(err.Error())}
}

// extensionField begins the names of extensions in an event's FieldErrors.
const extensionField = "extension:"

// checker gathers the faults of one value.
type checker struct {
	what        string
	digits      bool
	fieldErrors map[string]error
	faults      []Fault
}

// add notes a fault. An attribute that could not even be set has no other.
func (c *checker) add(attribute, message string) {
	if c.fieldErrors[attribute] == nil && c.fieldErrors[extensionField+attribute] == nil {
		c.faults = append(c.faults, Fault{attribute, message})
	}
}

// err returns the faults as one error, or nil.
func (c *checker) err() error {
	if len(c.fieldErrors) == 0 && len(c.faults) == 0 {
		return nil
	}
	for field, err := range c.fieldErrors {
		if err != nil {
			c.faults = append(c.faults, fieldFault(field, err))
		}
	}
	if len(c.faults) == 0 {
		return nil
	}
	slices.SortFunc(c.faults, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.Attribute, b.Attribute), strings.Compare(a.Message, b.Message))
	})
	return &ValidationError{What: c.what, Faults: c.faults}
}
