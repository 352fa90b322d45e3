package publisher

import (
	"context"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/publisher/outbox"
)

// Observer watches events on their way, for metrics, traces and alerts.
//
// Publish calls Publishing first and Published last. The attempts come in between,
// or, with a queue, on the relay: in another goroutine, perhaps before Published,
// perhaps in another process. They are in order among themselves:
//
//	(Delivering → Retried)* → Delivering → Delivered | Discarded
//
// Methods are called from many goroutines at once and must not block. Events carry personal data: what an
// Observer exports comes from the Item's fields other than Body.
//
// Embed NopObserver to stay compatible when methods are added.
type Observer interface {
	// Publishing is called before an event is stored or sent. The context that
	// it returns is used for the rest of Publish; the W3C traceparent, if not
	// empty, travels with the item and, to endpoints that keep extensions, in
	// the event.
	Publishing(ctx context.Context, ev event.Event) (context.Context, string)

	// Published is called with the outcome of Publish for one item: nil when
	// it was delivered or, with a queue, accepted.
	Published(ctx context.Context, item outbox.Item, err error)

	// Delivering is called before an attempt. The context that it returns is
	// used for the attempt and handed to the call that ends it.
	Delivering(ctx context.Context, item outbox.Item) context.Context

	// Delivered is called when the endpoint has taken the event.
	Delivered(ctx context.Context, item outbox.Item)

	// Retried is called when an attempt failed and another follows at at.
	Retried(ctx context.Context, item outbox.Item, err error, at time.Time)

	// Discarded is called when the event is given up. Alert on it: without a
	// queue that keeps discarded events, this is the last that is seen of it.
	Discarded(ctx context.Context, item outbox.Item, err error)
}

// NopObserver is an Observer that does nothing. Embed it in yours.
type NopObserver struct{}

// Publishing returns ctx and no trace parent.
func (NopObserver) Publishing(ctx context.Context, _ event.Event) (context.Context, string) {
	return ctx, ""
}

// Published does nothing.
func (NopObserver) Published(context.Context, outbox.Item, error) {}

// Delivering returns ctx.
func (NopObserver) Delivering(ctx context.Context, _ outbox.Item) context.Context { return ctx }

// Delivered does nothing.
func (NopObserver) Delivered(context.Context, outbox.Item) {}

// Retried does nothing.
func (NopObserver) Retried(context.Context, outbox.Item, error, time.Time) {}

// Discarded does nothing.
func (NopObserver) Discarded(context.Context, outbox.Item, error) {}

var _ Observer = NopObserver{}

// watch is an Observer that may be nil. Where there is none, nothing is copied for it:
// an item is 152 bytes, and has five calls.
type watch struct{ Observer }

func (w watch) publishing(ctx context.Context, ev *event.Event) (context.Context, string) {
	if w.Observer == nil {
		return ctx, ""
	}
	return w.Publishing(ctx, *ev)
}

func (w watch) published(ctx context.Context, item *outbox.Item, err error) {
	if w.Observer != nil {
		w.Published(ctx, *item, err)
	}
}

func (w watch) delivering(ctx context.Context, item *outbox.Item) context.Context {
	if w.Observer == nil {
		return ctx
	}
	return w.Delivering(ctx, *item)
}

func (w watch) delivered(ctx context.Context, item *outbox.Item) {
	if w.Observer != nil {
		w.Delivered(ctx, *item)
	}
}

func (w watch) retried(ctx context.Context, item *outbox.Item, err error, at time.Time) {
	if w.Observer != nil {
		w.Retried(ctx, *item, err, at)
	}
}

func (w watch) discarded(ctx context.Context, item *outbox.Item, err error) {
	if w.Observer != nil {
		w.Discarded(ctx, *item, err)
	}
}
