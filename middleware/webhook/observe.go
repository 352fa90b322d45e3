package webhook

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/altinn-go/events/models"
)

// Kind is how a request ended.
type Kind uint8

// The ends of a request.
const (
	// Handled events are done.
	Handled Kind = iota + 1
	// Duplicate events were done before.
	Duplicate
	// DeadLettered events are done, because their handler returned Permanent.
	DeadLettered
	// NotYet events come again, because their handler returned ErrNotYet.
	NotYet
	// Failed events come again, because of their handler, the inbox or a timeout.
	Failed
	// Unknown events have a type without a handler.
	Unknown
	// Validated is the answer to the event that validates a subscription.
	Validated
	// Refused requests are no events, or from somebody else.
	Refused
)

var kinds = [...]string{"", "handled", "duplicate", "dead-lettered", "not yet", "failed", "unknown", "validated", "refused"}

// String returns the kind in lower case, such as "handled".
func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k]
	}
	return ""
}

// status is what an event's handling is answered with.
func (k Kind) status() int {
	switch k {
	case NotYet:
		return http.StatusTooEarly
	case Failed:
		return http.StatusInternalServerError
	default:
		return http.StatusOK
	}
}

// Observation is the end of a request. It has no subject, no data and no secret.
type Observation struct {
	// Kind is how it ended, and Status what was answered.
	Kind   Kind
	Status int
	// ID, Source and Type are the event's; empty if it was Refused.
	ID, Source, Type string
	// OutOfOrder reports that a later event of the same instance was handled before.
	OutOfOrder bool
	// Err is why it was not done; it may be nil.
	Err error
	// Took is how long it took, waiting included.
	Took time.Duration
}

// log writes a line for what was not done.
func (rc *Receiver) log(ctx context.Context, o Observation) {
	level := slog.LevelDebug
	switch o.Kind {
	case Failed, DeadLettered:
		level = slog.LevelError
	case Refused, Unknown:
		level = slog.LevelWarn
	case NotYet:
		level = slog.LevelInfo
	default:
		if o.OutOfOrder {
			level = slog.LevelInfo
		}
	}
	if !rc.cfg.Logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("outcome", o.Kind.String()), slog.Int("status", o.Status), slog.Int64("duration_ms", o.Took.Milliseconds()),
	}
	if o.ID != "" {
		attrs = append(attrs, slog.String("event_id", models.Redact(o.ID)), slog.String("event_type", models.Redact(o.Type)))
	}
	if o.OutOfOrder {
		attrs = append(attrs, slog.Bool("out_of_order", true))
	}
	if o.Err != nil {
		attrs = append(attrs, slog.String("error", models.Redact(o.Err.Error())))
	}
	rc.cfg.Logger.LogAttrs(ctx, level, "webhook", attrs...)
}
