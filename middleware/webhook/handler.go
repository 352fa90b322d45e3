package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
)

// ErrNotYet is what a handler returns to be given the event again later: 425.
var ErrNotYet = errors.New("not yet")

// permanentError is an error that no repetition cures.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Permanent makes err one that no repetition cures: the event goes to
// Config.DeadLetter, is answered 200 and does not come again. A nil err returns nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// Received is an event as it was pushed, with what its attributes say. It is the
// handler's own.
type Received struct {
	// Event is the CloudEvent.
	Event event.Event

	// Instance is what the event of an app is about; zero of others.
	Instance models.AppSource

	// FileTransferID is what an event of Broker is about; empty of others.
	FileTransferID string

	// Header is the request's, for traces.
	Header http.Header
}

func newReceived(ev event.Event, header http.Header) Received {
	r := Received{Event: ev, Header: header}
	resource, _ := ev.Extensions()[models.ExtResource].(string)
	if models.IsAppResource(resource) {
		if source, err := models.ParseAppSource(ev.Source()); err == nil {
			r.Instance = source
		}
	} else if strings.HasPrefix(strings.ToLower(ev.Type()), "no.altinn.broker.") {
		r.FileTransferID, _ = ev.Extensions()[models.ExtResourceInstance].(string)
	}
	return r
}

// HandlerFunc handles an event. Its context ends with Config.Timeout, and carries
// the inbox's transaction where there is one. The package documentation says what
// its result becomes.
type HandlerFunc func(ctx context.Context, r Received) error

// On has h handle events of a type: compared without case, as the .NET library does,
// or by what stands before a "*" at its end, such as
// "app.instance.process.movedTo.*". A whole type comes before a prefix, a longer
// prefix before a shorter one.
//
// It panics if the type is empty, has a "*" elsewhere or a handler already.
func (rc *Receiver) On(eventType string, h HandlerFunc) { rc.handlers.add(eventType, h) }

// Handle is On for events whose data are JSON of T. Data that are not are
// Permanent: no repetition mends them. Without data T is its zero value.
func Handle[T any](rc *Receiver, eventType string, h func(ctx context.Context, r Received, data T) error) {
	rc.On(eventType, func(ctx context.Context, r Received) error {
		var data T
		if len(r.Event.Data()) > 0 {
			if err := r.Event.DataAs(&data); err != nil {
				return Permanent(fmt.Errorf("the data are no %T", data)) // the cause may quote them
			}
		}
		return h(ctx, r, data)
	})
}

// handlers finds the handler of a type.
type handlers struct {
	mu       sync.RWMutex
	exact    map[string]HandlerFunc
	prefixes []prefixHandler // longest first
}

type prefixHandler struct {
	prefix string
	handle HandlerFunc
}

func (hs *handlers) add(eventType string, h HandlerFunc) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	name := strings.ToLower(eventType)
	prefix, isPrefix := strings.CutSuffix(name, "*")
	switch {
	case h == nil:
		panic("webhook: the handler of " + eventType + " is nil")
	case eventType == "" || strings.Contains(prefix, "*"):
		panic(fmt.Sprintf("webhook: %q is no type, nor a prefix with * at its end", eventType))
	case hs.exact[name] != nil || isPrefix && slices.ContainsFunc(hs.prefixes, func(p prefixHandler) bool { return p.prefix == prefix }):
		panic("webhook: " + eventType + " has a handler already")
	}
	if isPrefix {
		hs.prefixes = append(hs.prefixes, prefixHandler{prefix, h})
		slices.SortFunc(hs.prefixes, func(a, b prefixHandler) int { return len(b.prefix) - len(a.prefix) })
		return
	}
	if hs.exact == nil {
		hs.exact = map[string]HandlerFunc{}
	}
	hs.exact[name] = h
}

// find returns the handler of a type, or nil.
func (hs *handlers) find(eventType string) HandlerFunc {
	hs.mu.RLock()
	defer hs.mu.RUnlock()
	name := strings.ToLower(eventType)
	if h := hs.exact[name]; h != nil {
		return h
	}
	for _, p := range hs.prefixes {
		if strings.HasPrefix(name, p.prefix) {
			return p.handle
		}
	}
	return nil
}

func equalType(a, b string) bool { return strings.EqualFold(a, b) }
