package middleware

import (
	"errors"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/labstack/echo/v4"
)

// ErrNotMounted means that no lifecycle middleware runs around the handler that
// called Emit: none is mounted on its route, a Skipper has left the request
// out, or a middleware in between has replaced the response's writer by one
// without Unwrap.
var ErrNotMounted = errors.New("no lifecycle middleware is mounted around this handler")

// Emit says that a request's handler has caused events.
//
// They are published if the handler succeeds: if it returns nil and answers 2xx
// or 3xx. Otherwise they are dropped. A rule of the same request says nothing of
// a source that an emitted event has, so a handler may say itself what its
// route means.
//
// From here on the answer is held back as on a lifecycle route, unless
// AfterResponse is set or some of the answer is already out: then the events
// are published when the handler has returned, and the outcome cannot change
// the answer.
//
// Missing ids, times and so on are filled as Publish fills them. The events are
// copied; the caller may change them afterwards. Emit may be called from many
// goroutines of the handler, but not after it.
//
// It returns a *models.ValidationError if an event breaks a rule, none being
// taken then, and ErrNotMounted.
func Emit(c echo.Context, events ...event.Event) error {
	w, open := findWriter(c.Response().Writer)
	switch {
	case w == nil && open == nil:
		return ErrNotMounted
	case len(events) == 0:
		return nil
	case w == nil:
		if w = open.become(c); w == nil {
			return ErrNotMounted
		}
	}
	if err := w.life.validate(events...); err != nil {
		return err
	}
	w.emit(events)
	return nil
}

func (w *writer) emit(events []event.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	own := w.own()
	for _, ev := range events {
		own.emitted = append(own.emitted, ev.Clone())
	}
	if !w.life.afterResponse {
		w.hold()
	}
}

// Published says that the handler has published the events of its request
// itself, such as with PublishTx in its own transaction: no rule says anything
// more. Emitted events are published all the same.
//
// Where no lifecycle middleware is mounted it does nothing.
func Published(c echo.Context) {
	if w, _ := findWriter(c.Response().Writer); w != nil {
		w.mu.Lock()
		w.published = true
		w.mu.Unlock()
	}
}
