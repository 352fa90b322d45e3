package inspector

import (
	"maps"
	"slices"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
)

// Attribute is one attribute of an event, as the page shows it.
type Attribute struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Meaning string `json:"meaning"`
}

// meanings say in a line what an attribute is for.
var meanings = map[string]string{
	"specversion":     "The version of CloudEvents that the event is written in.",
	"id":              "Names the event. With the source it is unique: the same pair again is the same event.",
	"source":          "Where it happened: the URL of the instance, or of the service.",
	"type":            "What happened. Subscriptions compare it letter by letter, upper and lower case included.",
	"subject":         "Whom it is about, in a form that Altinn knows.",
	"time":            "When it happened, as the publisher says; for events of apps when the service took it.",
	"datacontenttype": "The media type of the data.",
	"dataschema":      "Where the form of the data is described.",
	models.ExtAlternativeSubject: "Whom it is about, in a form that subscribers know: /person/{11 digits} or " +
		"/organisation/{9 digits}.",
	models.ExtResource:         "What decides who may read it, and what subscriptions ask for first.",
	models.ExtResourceInstance: "Which instance or file transfer it is about.",
	models.ExtTraceParent:      "The trace that it belongs to, as W3C Trace Context writes it.",
}

// Attributes returns the attributes that ev has, those that CloudEvents names
// first, then the extensions by name.
func Attributes(ev event.Event, mask *Mask) []Attribute {
	if ev.Context == nil {
		return []Attribute{}
	}
	attributes := []Attribute{}
	add := func(name, value string) {
		if value == "" {
			return
		}
		meaning, known := meanings[name]
		if !known {
			meaning = "An extension that Altinn does not know."
		}
		attributes = append(attributes, Attribute{mask.Text(name), value, meaning})
	}
	add("specversion", ev.SpecVersion())
	add("id", mask.Text(ev.ID()))
	add("source", mask.Text(ev.Source()))
	add("type", mask.Text(ev.Type()))
	add("subject", mask.Subject(ev.Subject()))
	if !ev.Time().IsZero() {
		add("time", ev.Time().Format(time.RFC3339Nano))
	}
	add("datacontenttype", mask.Text(ev.DataContentType()))
	add("dataschema", mask.Text(ev.DataSchema()))
	extensions := ev.Extensions()
	for _, name := range slices.Sorted(maps.Keys(extensions)) {
		text, _ := extensions[name].(string)
		if name == models.ExtAlternativeSubject {
			add(name, mask.Subject(text))
			continue
		}
		add(name, mask.Text(text))
	}
	return attributes
}
