package webhook

import (
	"context"
	"fmt"
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

// Observation is the end of a request. It has no subject, no data and no secret; what
// the event's attributes and the error hold is up to others, so it is redacted when it
// is printed or logged.
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

// Format writes the event's id and type and how it ended, redacted, whatever the verb.
func (o Observation) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "event %s of type %s %s with %d after %v", models.Redact(o.ID), models.Redact(o.Type), o.Kind, o.Status, o.Took)
	if o.Err != nil {
		_, _ = fmt.Fprint(f, ": ", models.Redact(o.Err.Error()))
	}
}

// LogValue returns what Format writes, under the keys of the receiver's own lines.
func (o Observation) LogValue() slog.Value { return slog.GroupValue(o.attrs()...) }

func (o Observation) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("outcome", o.Kind.String()),
		slog.Int("status", o.Status),
		slog.Float64("duration_ms", float64(o.Took.Microseconds())/1e3),
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
	return attrs
}

// strangersLines is how many lines a second there are about requests that anybody may
// send, and about events that nobody handles.
const strangersLines = 10

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
	attrs := o.attrs()
	if level == slog.LevelWarn {
		if !rc.strangers.Allow() {
			rc.suppressed.Add(1)
			return
		}
		if n := rc.suppressed.Swap(0); n > 0 {
			attrs = append(attrs, slog.Int64("suppressed", n))
		}
	}
	rc.cfg.Logger.LogAttrs(ctx, level, "webhook", attrs...)
}
