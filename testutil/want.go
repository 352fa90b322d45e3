package testutil

import (
	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
)

// Want describes an event that a test expects. Fields that are empty are
// ignored; the zero Want matches every event.
type Want struct {
	// The attributes, equal as they stand in the stored event.
	ID, Type, Source, Subject, AlternativeSubject, Resource, ResourceInstance string

	// Match, if not nil, also has to return nil. Its error says what is wrong
	// with the event. The matchers of the CloudEvents SDK have this signature.
	Match func(event.Event) error
}

// attribute is one attribute as wanted and as an event has it.
type attribute struct {
	name      string
	want, got string
	personal  bool // masked in reports
}

// ok reports whether the event has what is wanted.
func (a attribute) ok() bool { return a.want == "" || a.want == a.got }

// attributes pairs each attribute of the want with that of ev.
func (w Want) attributes(ev event.Event) []attribute {
	return []attribute{
		{"id", w.ID, ev.ID(), false},
		{"type", w.Type, ev.Type(), false},
		{"source", w.Source, ev.Source(), false},
		{"subject", w.Subject, ev.Subject(), true},
		{"alternativesubject", w.AlternativeSubject, extensionText(ev, models.ExtAlternativeSubject), true},
		{"resource", w.Resource, extensionText(ev, models.ExtResource), false},
		{"resourceinstance", w.ResourceInstance, extensionText(ev, models.ExtResourceInstance), false},
	}
}

// matches reports whether ev is wanted.
func (w Want) matches(ev event.Event) bool {
	for _, a := range w.attributes(ev) {
		if !a.ok() {
			return false
		}
	}
	return w.Match == nil || w.Match(ev.Clone()) == nil
}

// comparison is how close an event comes to a want.
type comparison struct {
	entry      *entry
	attributes []attribute
	matchErr   error // of Want.Match

	wanted, met int // requirements of the want, and how many of them are met
	prefix      int // bytes that unmet attributes have in common with the wanted
}

func (w Want) compare(e *entry) comparison {
	c := comparison{entry: e, attributes: w.attributes(e.Event)}
	for _, a := range c.attributes {
		if a.want == "" {
			continue
		}
		c.wanted++
		if a.ok() {
			c.met++
		} else {
			c.prefix += commonPrefix(a.want, a.got)
		}
	}
	if w.Match != nil {
		c.wanted++
		if c.matchErr = w.Match(e.Event.Clone()); c.matchErr == nil {
			c.met++
		}
	}
	return c
}

// closer orders comparisons, the nearest miss first, of equals the newest.
func closer(a, b comparison) int {
	switch {
	case a.met != b.met:
		return b.met - a.met
	case a.prefix != b.prefix:
		return b.prefix - a.prefix
	default:
		return b.entry.seq - a.entry.seq
	}
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
