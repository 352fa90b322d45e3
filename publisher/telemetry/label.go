package telemetry

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
)

// The attributes, as the conventions spell them.
const (
	keySystem        = attribute.Key("messaging.system")
	keyOperation     = attribute.Key("messaging.operation.name")
	keyOperationType = attribute.Key("messaging.operation.type")
	keyDestination   = attribute.Key("messaging.destination.name")
	keyMessageID     = attribute.Key("messaging.message.id")
	keyEventType     = attribute.Key("cloudevents.event_type")
	keyErrorType     = attribute.Key("error.type")
	keyStatus        = attribute.Key("http.response.status_code")
	keyOutcome       = attribute.Key("altinn.outcome")
	keyQueue         = attribute.Key("altinn.queue")
	keyState         = attribute.Key("altinn.queue.state")
	keyAttempt       = attribute.Key("altinn.attempt")

	system = "altinn_events"
)

// The operations, by name.
const (
	opPublish = "publish"
	opDeliver = "deliver"
	opProcess = "process"
)

// handlerError is the error.type of all that goes wrong in Process: what a handler says
// is not of Altinn Events.
const handlerError = "handler"

// operationTypes are what the conventions call them.
var operationTypes = map[string]string{opPublish: "create", opDeliver: "send", opProcess: "process"}

// label is what distinguishes a measurement or a kind of span. Each member has few
// values; empty ones are no attribute.
type label struct{ operation, endpoint, eventType, errorType, outcome string }

func (l label) attributes() []attribute.KeyValue {
	var all []attribute.KeyValue
	if l.operation != "" {
		all = append(all, keySystem.String(system))
	}
	for _, a := range []attribute.KeyValue{
		keyOperation.String(l.operation), keyOperationType.String(operationTypes[l.operation]), keyDestination.String(l.endpoint),
		keyEventType.String(l.eventType), keyErrorType.String(l.errorType), keyOutcome.String(l.outcome),
	} {
		if a.Value.AsString() != "" {
			all = append(all, a)
		}
	}
	return all
}

// kept is a map that is read all the time and seldom grows. A sync.Map would allocate
// its key, 80 bytes of a label, at every look.
type kept[K comparable, V any] struct {
	values atomic.Pointer[map[K]V]
	mu     sync.Mutex // of who adds
}

// get returns the value of key, which is made where there is none.
func (k *kept[K, V]) get(key K, made func() V) V {
	if values := k.values.Load(); values != nil {
		if v, ok := (*values)[key]; ok {
			return v
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	more := map[K]V{}
	if values := k.values.Load(); values != nil {
		if v, ok := (*values)[key]; ok {
			return v
		}
		more = maps.Clone(*values)
	}
	v := made()
	more[key] = v
	k.values.Store(&more)
	return v
}

// errorType is one of few words for an error, or the status that it had.
func errorType(err error) string {
	if status := statusOf(err); status >= 100 && status <= 599 {
		return strconv.Itoa(status)
	}
	if _, invalid := errors.AsType[*models.ValidationError](err); invalid {
		return "invalid"
	}
	switch {
	case errors.Is(err, publisher.ErrRejected):
		return "rejected"
	case errors.Is(err, publisher.ErrUnauthorized):
		return "unauthorized"
	case errors.Is(err, publisher.ErrUnavailable):
		return "unavailable"
	default:
		return "_OTHER" // the conventions' word
	}
}

// statusOf is the status of the answer that an error tells of, or 0.
func statusOf(err error) int {
	if e, ok := errors.AsType[interface {
		error
		HTTPStatus() int
	}](err); ok {
		return e.HTTPStatus()
	}
	return 0
}

// messageID is an event's id without an identity number in it. A UUID has none.
func messageID(id string) string {
	const canonical = 36 // other forms of a UUID have no hyphens to tell them from numbers
	if len(id) == canonical && uuid.Validate(id) == nil {
		return id
	}
	return models.Redact(id)
}

// KnownType is what metrics call a type of event: itself if Altinn has it,
// "app.instance.process.movedTo" for every task, and else "other".
func KnownType(eventType string) string {
	if strings.HasPrefix(eventType, models.TypeProcessMovedToPrefix) {
		return strings.TrimSuffix(models.TypeProcessMovedToPrefix, ".")
	}
	if slices.Contains(knownTypes, eventType) {
		return eventType
	}
	return "other"
}

// knownTypes are those that Altinn has.
var knownTypes = append(models.BrokerTypes(models.BrokerSender), models.TypeInstanceCreated, models.TypeProcessCompleted,
	models.TypeSubstatusChanged, models.TypeEFormidlingReminder, models.TypeValidateSubscription)
