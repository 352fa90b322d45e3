package publisher

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher/outbox"
)

// The endpoints that an Item can name, as paths below /events/api/v1.
const (
	// EndpointApp takes events of apps, as plain JSON with five attributes.
	EndpointApp = "/app"
	// EndpointEvents takes all other events, as structured CloudEvents.
	EndpointEvents = "/events"
)

// MaxEventBytes bounds an encoded event: 1 MiB.
const MaxEventBytes = 1 << 20

// Encoder turns an event into an Item: it validates, fills what is missing,
// chooses the endpoint and encodes once. The zero value is what Altinn Events
// expects. It is a value; use it from any goroutine.
//
// An event of an app (its resource begins "urn:altinn:resource:app_", or it has
// none and its source is that of an instance) goes to EndpointApp, as the five
// attributes that the endpoint keeps, and is ordered by its source. Any other
// goes to EndpointEvents and is ordered by resource and resource instance.
type Encoder struct {
	// DropUnsupported lets an app event pass that has data, a data schema or
	// extensions that POST /app ignores: they are left out. Without it such
	// an event is a *models.ValidationError.
	DropUnsupported bool

	// CloudEventsOnly encodes every event as a structured CloudEvent for
	// EndpointEvents, app events too. It is for endpoints that are not Altinn's.
	CloudEventsOnly bool

	// CheckDigits refuses subjects whose identity number or organisation
	// number fails its check digits. Off by default, as in Altinn.
	CheckDigits bool
}

// Validate reports every fault that keeps ev from being published, in one
// *models.ValidationError. What Encode fills may be missing. One thing shows only
// in Encode: an event that is too large.
func (e Encoder) Validate(ev event.Event) error {
	err := models.Validator{CheckDigits: e.CheckDigits}.ValidateDraft(ev)
	if e.DropUnsupported || e.CloudEventsOnly || !models.IsAppEvent(ev) {
		return err
	}
	return addFaults(err, unsupported(ev))
}

// Encode returns ev as an Item that was published now. Missing are filled in:
// specversion with "1.0", id with a UUID of version 7, time with now to the
// microsecond and, for an event of an app, resource and resourceinstance from its
// source. traceParent travels with the item and stands in the body where the
// endpoint keeps it.
//
// Encode never changes ev, and the Item shares no memory with it. The error is a
// *models.ValidationError: ev breaks a rule, or is larger than MaxEventBytes.
func (e Encoder) Encode(ev event.Event, now time.Time, traceParent string) (outbox.Item, error) {
	var item outbox.Item
	err := e.encode(&item, &ev, now, traceParent)
	return item, err
}

// encode is Encode to an item that is zero, and stays it if there is an error.
func (e Encoder) encode(item *outbox.Item, ev *event.Event, now time.Time, traceParent string) error {
	read, err := models.Validator{CheckDigits: e.CheckDigits}.Read(*ev)
	if err != nil {
		return e.Validate(*ev) // it says more
	}
	var a attributes
	a.fill(ev, &read, now, traceParent)
	isApp := models.IsAppResource(a.resource)
	if isApp && !a.isSupported() {
		if err := e.Validate(*ev); err != nil {
			return err
		}
	}
	toApp := isApp && !e.CloudEventsOnly
	body := a.encode(toApp)
	if n := len(body); n > MaxEventBytes {
		return addFaults(nil, []models.Fault{{
			Attribute: "data",
			Message:   fmt.Sprintf("makes the encoded event %d bytes long, want %d or fewer: publish a reference instead", n, MaxEventBytes),
		}})
	}
	item.ID, item.Source, item.Type = a.id, a.source, a.eventType
	item.Body, item.TraceParent, item.PublishedAt = body, a.traceParent, now
	item.Key, item.Endpoint = a.source, EndpointEvents
	if !isApp {
		item.Key = a.resource + "/" + a.resourceInstance
	}
	if toApp {
		item.Endpoint = EndpointApp
	}
	return nil
}

// fill sets the attributes to those of a valid event, and what is missing.
func (a *attributes) fill(ev *event.Event, read *models.Reading, now time.Time, traceParent string) {
	ec := ev.Context.(*event.EventContextV1) // Validate refuses every other version
	a.id = ec.ID
	a.eventType = ec.Type
	a.traceParent = traceParent
	a.data = ev.DataEncoded
	a.dataBase64 = ev.DataBase64
	a.plainSource = read.PlainSource
	a.setSource(&ec.Source.URL, now)
	if ec.Subject != nil {
		a.subject = *ec.Subject
	}
	if ec.Time != nil {
		a.time = ec.Time.Time
	}
	a.now = now
	if ec.DataContentType != nil {
		a.dataContentType = *ec.DataContentType
	}
	if ec.DataSchema != nil {
		a.dataSchema = ec.DataSchema.String()
	}
	a.setExtensions(ec.Extensions, read)
}

// setSource sets source, and id where it is missing. That is one string where there is
// nothing to escape, because memory is what costs here.
func (a *attributes) setSource(u *url.URL, now time.Time) {
	var id [idLength]byte
	if a.id == "" {
		putID(id[:], now)
	}
	switch {
	case a.id != "" && a.plainSource:
		a.source = u.Scheme + "://" + u.Host + u.Path
	case a.plainSource:
		both := u.Scheme + "://" + u.Host + u.Path + string(id[:])
		n := len(both) - idLength
		a.source, a.id = both[:n], both[n:]
	default:
		a.source = u.String()
		if a.id == "" {
			a.id = string(id[:])
		}
	}
}

// setExtensions sets the attributes that are extensions.
func (a *attributes) setExtensions(all map[string]any, read *models.Reading) {
	a.extensions, a.otherExtensions = all, len(all)
	if read.AlternativeSubject != "" {
		a.otherExtensions--
	}
	if read.Resource != "" {
		a.otherExtensions--
	}
	if read.ResourceInstance != "" {
		a.otherExtensions--
	}
	if a.otherExtensions > 0 {
		a.setTrace(all)
	}
	a.alternativeSubject, a.resource, a.resourceInstance = read.AlternativeSubject, read.Resource, read.ResourceInstance
	isApp := a.resource == "" || models.IsAppResource(a.resource)
	if isApp && (a.resource == "" || a.resourceInstance == "") && read.App != (models.AppSource{}) {
		a.resource, a.resourceInstance = read.App.Resource(), read.App.ResourceInstance()
	}
}

// setTrace sets what comes from trace context among the extensions.
func (a *attributes) setTrace(all map[string]any) {
	if value, ok := all[models.ExtTraceParent]; ok {
		a.otherExtensions--
		if text, _ := value.(string); a.traceParent == "" {
			a.traceParent = text
		}
	}
	if _, ok := all[extTraceState]; ok {
		a.otherExtensions--
	}
}

const idLength = 36

// putID writes a UUID of version 7 of that time to b. An id has to be unique, not
// secret, so its 74 random bits come from the runtime's generator: 70 ns, against 250
// for uuid.NewV7, which locks and asks the kernel.
func putID(b []byte, now time.Time) {
	const version, variant = 7 << 12, 0b10 << 62
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16|version|rand.Uint64()>>52) //nolint:gosec // see above
	binary.BigEndian.PutUint64(id[8:], variant|rand.Uint64()>>2)                              //nolint:gosec // see above
	text, _ := id.MarshalText()
	copy(b, text)
}

// appExtensions are those that an event of an app may have: what POST /app keeps, or
// fills from the source, and trace context, which is not of the event and may go.
var appExtensions = []string{
	models.ExtAlternativeSubject, models.ExtResource, models.ExtResourceInstance, models.ExtTraceParent, extTraceState,
}

const extTraceState = "tracestate"

// isSupported reports whether POST /app would drop nothing, as far as unsupported says.
func (a *attributes) isSupported() bool {
	return a.data == nil && a.dataContentType == "" && a.dataSchema == "" && a.otherExtensions == 0
}

// unsupported lists what POST /app would drop from ev.
//
// Source: Altinn/altinn-events, AppCloudEventRequestModel.cs (2026-08).
func unsupported(ev event.Event) []models.Fault {
	const message = "is dropped by POST /app: leave it out, publish a resource other than the app's, or set DropUnsupported"
	var faults []models.Fault
	if ev.DataEncoded != nil {
		faults = append(faults, models.Fault{Attribute: "data", Message: message})
	}
	ec, ok := ev.Context.(*event.EventContextV1)
	if !ok {
		return faults
	}
	if ec.DataContentType != nil && ev.DataEncoded == nil {
		faults = append(faults, models.Fault{Attribute: "datacontenttype", Message: message})
	}
	if ec.DataSchema != nil {
		faults = append(faults, models.Fault{Attribute: "dataschema", Message: message})
	}
	for name := range ec.Extensions {
		if !slices.Contains(appExtensions, name) {
			faults = append(faults, models.Fault{Attribute: models.Redact(name), Message: message})
		}
	}
	return faults
}

// addFaults returns err with more faults.
func addFaults(err error, faults []models.Fault) error {
	if len(faults) == 0 {
		return err
	}
	all := &models.ValidationError{Faults: faults}
	if invalid, ok := errors.AsType[*models.ValidationError](err); ok {
		all.Faults = append(slices.Clone(invalid.Faults), faults...)
	}
	slices.SortFunc(all.Faults, func(a, b models.Fault) int { return strings.Compare(a.Attribute, b.Attribute) })
	return all
}

// identify returns what an error may say about an event that was not encoded.
func identify(ev event.Event) outbox.Item {
	if ev.Context == nil {
		return outbox.Item{}
	}
	return outbox.Item{ID: ev.ID(), Source: ev.Source(), Type: ev.Type()}
}
