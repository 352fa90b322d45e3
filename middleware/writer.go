package middleware

import (
	"bufio"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/labstack/echo/v4"
)

// mode is what a writer does with what the handler writes.
type mode uint8

const (
	passing  mode = iota // to the client
	holding              // kept until the events are accepted
	settling             // refused: the events are being accepted, or all is the request's own
	ended                // refused: the answer is out, or no longer the handler's
)

// errEnded is what a handler gets that writes when the answer is no longer its.
var errEnded = errors.New("lifecycle: the answer has been settled")

// writer is the http.ResponseWriter of a request that has something to say, and
// what is known about it.
//
// It has no Unwrap: whoever holds one can only reach the client through it. Its
// bytes are pooled, so all that touches them is guarded by mu, and a handler's
// goroutine that outlives the request is refused.
type writer struct {
	inner http.ResponseWriter
	c     echo.Context
	life  *lifecycle
	rule  *rule // nil if no rule is about the route

	mu        sync.Mutex
	status    int32 // 0 until it is written, or hijacked
	mode      mode
	published bool // by the handler itself
	capture   bool // what passes is kept as well, for the rule
	cut       bool // more was written than is kept

	// answered is set when settle sends the answer, of which then nothing is the
	// handler's any more. It is of the request's own goroutine: each time that mu is
	// not taken saves a fourteenth of what a request costs here.
	answered bool

	body   *[]byte     // of the answer, with room for the members that a rule reads
	before http.Header // as they were when holding began
	*rare              // to be read; own is for writing
}

// rare is what most requests need not know. It is apart because every byte of a writer
// counts: with 48 of them less, holding an answer costs a tenth less.
type rare struct {
	emitted   []event.Event
	sent      http.Header   // the headers as they were when the handler wrote them, if looked at since
	replaced  error         // why the answer is not the handler's
	accepting chan struct{} // closed when what is accepted inside the handler has been
}

// nothingRare is what all writers begin with.
var nothingRare rare

func newWriter(inner http.ResponseWriter, c echo.Context, life *lifecycle, rule *rule) *writer {
	return &writer{inner: inner, c: c, life: life, rule: rule, rare: &nothingRare}
}

// own returns what is rare to be written to. mu is held.
func (w *writer) own() *rare {
	if w.rare == &nothingRare {
		w.rare = new(rare)
	}
	return w.rare
}

// hold begins to keep the answer, unless some of it is already out. mu is held.
func (w *writer) hold() {
	if w.mode != passing || w.status != 0 {
		return
	}
	w.mode = holding
	if h := w.inner.Header(); len(h) > 0 {
		w.before = h.Clone()
	}
}

// Header returns the answer's headers. What changes in them after the handler
// has written is kept apart, for trailers.
func (w *writer) Header() http.Header {
	h := w.inner.Header()
	if w.status == 0 {
		return h
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mode == holding && w.sent == nil {
		w.own().sent = h.Clone()
	}
	return h
}

// WriteHeader keeps the status while holding; informational ones pass.
func (w *writer) WriteHeader(status int) {
	w.mu.Lock()
	pass := w.mode == passing
	switch {
	case isInformational(status):
		pass = pass || w.mode == holding
	case w.status == 0 && w.mode <= holding:
		w.status = int32(status) //nolint:gosec // net/http admits 100 to 999
	}
	w.mu.Unlock()
	if pass {
		w.inner.WriteHeader(status)
	}
}

// isInformational reports whether another status follows.
func isInformational(status int) bool {
	return 100 <= status && status < 200 && status != http.StatusSwitchingProtocols
}

// Write keeps b while holding. When b goes beyond the bound, the events are
// decided from what is kept, and what is accepted is released.
func (w *writer) Write(b []byte) (int, error) {
	w.mu.Lock()
	if w.status == 0 && w.mode <= holding {
		w.status = http.StatusOK
	}
	mode, capture := w.mode, w.capture
	if mode != holding {
		w.mu.Unlock()
		if mode != passing {
			return 0, errEnded
		}
		n, err := w.inner.Write(b)
		if capture {
			w.mu.Lock()
			if w.capture {
				w.keep(b[:n])
			}
			w.mu.Unlock()
		}
		return n, err
	}
	if w.status == http.StatusNoContent || w.status == http.StatusNotModified {
		w.mu.Unlock()
		return 0, http.ErrBodyNotAllowed
	}
	kept := w.keep(b)
	w.mu.Unlock()
	if kept == len(b) {
		return kept, nil
	}
	if err := w.acceptHeld(); err != nil {
		return 0, err
	}
	n, err := w.inner.Write(b[kept:])
	return kept + n, err
}

// bodies are the buffers of answers: *[]byte. What is larger than pooledBytes is left to
// the garbage collector.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

const pooledBytes = 128 << 10

// membersBytes is the room behind an answer for the members that a rule reads.
// There may be more of them.
const membersBytes = 256

// keep appends to the body up to the bound, and returns how much. mu is held.
func (w *writer) keep(b []byte) int {
	if w.body == nil {
		w.body = bodies.Get().(*[]byte) //nolint:forcetypeassert // the pool has nothing else
	}
	if room := w.life.maxResponseBytes - len(*w.body); len(b) > room {
		w.cut = true
		b = b[:room]
	}
	*w.body = append(slices.Grow(*w.body, len(b)+membersBytes), b...)
	return len(b)
}

// FlushError has the events accepted that are known by now, then sends what is
// kept and everything that follows.
func (w *writer) FlushError() error {
	w.mu.Lock()
	mode := w.mode
	if w.status == 0 && mode <= holding {
		w.status = http.StatusOK
	}
	if mode == holding {
		w.cut = true
	}
	w.mu.Unlock()
	switch mode {
	case passing:
	case holding:
		if err := w.acceptHeld(); err != nil {
			return err
		}
	default:
		return errEnded
	}
	return http.NewResponseController(w.inner).Flush()
}

// Flush is FlushError for those who look for an http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// Hijack is http.ErrNotSupported while holding.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mode != passing {
		return nil, nil, http.ErrNotSupported
	}
	conn, rw, err := http.NewResponseController(w.inner).Hijack()
	if err == nil {
		w.status = hijacked
	}
	return conn, rw, err
}

// Push starts an HTTP/2 server push, which is no part of the answer.
func (w *writer) Push(target string, opts *http.PushOptions) error {
	if p, ok := w.inner.(http.Pusher); ok {
		return p.Push(target, opts)
	}
	return http.ErrNotSupported
}

// SetReadDeadline sets the deadline of reading the request.
func (w *writer) SetReadDeadline(deadline time.Time) error {
	return http.NewResponseController(w.inner).SetReadDeadline(deadline)
}

// SetWriteDeadline sets the deadline of writing the answer.
func (w *writer) SetWriteDeadline(deadline time.Time) error {
	return http.NewResponseController(w.inner).SetWriteDeadline(deadline)
}

// EnableFullDuplex lets the request be read while the answer is written.
func (w *writer) EnableFullDuplex() error {
	return http.NewResponseController(w.inner).EnableFullDuplex()
}

// setHeader makes h hold what to holds.
func setHeader(h, to http.Header) {
	clear(h)
	maps.Copy(h, to)
}

// recycle gives a buffer back, if it is not nil.
func recycle(body *[]byte) {
	if body == nil || cap(*body) > pooledBytes {
		return
	}
	*body = (*body)[:0]
	bodies.Put(body)
}
