package publisher

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher/outbox"
)

// The errors of Publish and of a Sender, named by what the caller does next.
// An event that breaks a rule is a *models.ValidationError instead: fix the
// code, it is never queued.
var (
	// ErrRejected means that the endpoint will never take this event: a 400,
	// 413, 415, 422 or another 4xx that is not named below, or a 401 that says
	// that the event's source is not the app's. The event is discarded.
	ErrRejected = errors.New("rejected by the endpoint")

	// ErrUnauthorized means that the endpoint refused who we are, a 401 or 403
	// that a fresh token did not cure. It is retried slowly, up to
	// RetryPolicy.MaxAge, because somebody can mend it.
	ErrUnauthorized = errors.New("not authorized by the endpoint")

	// ErrUnavailable means that the endpoint could not be reached or could not
	// answer: a network error, a 3xx, 404, 405, 408, 409, 425, 429 or 5xx. It is
	// retried with backoff. An error that wraps none of these counts as this one.
	ErrUnavailable = errors.New("endpoint unavailable")

	// ErrClosed means that the publisher or its queue has been closed. A queue
	// says it with the same value.
	ErrClosed = outbox.ErrClosed

	// ErrQueueFull means that the queue refused the events because it is full;
	// none of them was taken. Slow down and publish them again.
	ErrQueueFull = outbox.ErrFull

	// ErrNotSent means that an event was not tried, because an earlier one of
	// the same Publish and the same key had failed: sending it would have
	// broken the order.
	ErrNotSent = errors.New("not sent: an earlier event of the same key failed")
)

// EventError says which event an error is about. Publish joins one for every
// event that it could not deliver, so errors.As finds the first and
// interface{ Unwrap() []error } finds all.
type EventError struct {
	// ID, Source and Type are the event's attributes; ID is empty if the event
	// had none and was refused before one was made.
	ID, Source, Type string
	// Err is what went wrong; it wraps one of the errors above.
	Err error
}

// Error names the event by type and id, never by subject. Identity numbers in the
// text of Err are masked.
func (e *EventError) Error() string {
	text := "publish"
	if e.Type != "" {
		text += " " + models.Redact(e.Type)
	}
	if e.ID != "" {
		text += " " + redactID(e.ID)
	}
	return text + ": " + reason(e.Err)
}

// Unwrap returns Err.
func (e *EventError) Unwrap() error { return e.Err }

func eventError(item outbox.Item, err error) error {
	return &EventError{ID: item.ID, Source: item.Source, Type: item.Type, Err: err}
}

// redactID returns an event's id for people to read. A UUID is shown as it is;
// what somebody else made up may hold an identity number.
func redactID(id string) string {
	const canonical = 36 // other forms of a UUID have no hyphens to tell them from numbers
	if len(id) == canonical && uuid.Validate(id) == nil {
		return id
	}
	return models.Redact(id)
}

// retryDelayer is what a Sender's error implements to ask for a pause, as a
// Retry-After header does. A zero or negative delay asks for nothing.
type retryDelayer interface {
	error
	RetryDelay() time.Duration
}

// statusCoder is what a Sender's error implements to tell the HTTP status it
// stands for. Logs name it.
type statusCoder interface {
	error
	HTTPStatus() int
}

func retryDelay(err error) time.Duration {
	if d, ok := errors.AsType[retryDelayer](err); ok {
		return d.RetryDelay()
	}
	return 0
}

func httpStatus(err error) int {
	if s, ok := errors.AsType[statusCoder](err); ok {
		return s.HTTPStatus()
	}
	return 0
}
