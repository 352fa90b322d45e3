package middleware

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/labstack/echo/v4"
)

// openWriter is the http.ResponseWriter of a request that no rule is about.
// Everything passes, and it can be unwrapped, until Emit gives it a writer. It is
// small, because most requests need nothing more.
//
// It is 32 bytes and made without an atomic store: 46 ns for such a request, of which
// a no-op middleware's are 17, where lifecycle and an atomic writer side by side, 48
// bytes, made it 51.
type openWriter struct {
	inner  http.ResponseWriter
	writer *writer      // its lifecycle's none until isGiven
	status atomic.Int32 // 0 until it is written, or hijacked
	// isGiven is set when Emit has given it a writer, which then stays.
	isGiven atomic.Bool
}

// given returns the writer that Emit has given it, or nil.
func (o *openWriter) given() *writer {
	if o.isGiven.Load() {
		return o.writer
	}
	return nil
}

// hijacked is the status of an answer that has left HTTP.
const hijacked = -1

// findWriter returns the request's writer, which other middleware may have
// wrapped: a writer, an openWriter without one, or nothing.
func findWriter(rw http.ResponseWriter) (*writer, *openWriter) {
	for {
		switch t := rw.(type) {
		case *writer:
			return t, nil
		case *openWriter:
			given := t.given()
			return given, t
		case interface{ Unwrap() http.ResponseWriter }:
			rw = t.Unwrap()
		default:
			return nil, nil
		}
	}
}

// giving guards the writer of every openWriter while it is given: once for a request
// that emits.
var giving sync.Mutex

// become gives the request of c a writer.
func (o *openWriter) become(c echo.Context) *writer {
	giving.Lock()
	defer giving.Unlock()
	if !o.isGiven.Load() {
		o.writer = &writer{inner: o.inner, c: c, life: o.writer.life, status: o.status.Load()}
		o.isGiven.Store(true)
	}
	return o.writer
}

// end takes the openWriter out of the response.
func (o *openWriter) end(res *echo.Response) {
	if w := o.given(); w != nil {
		w.end()
	}
	res.Writer = o.inner
}

func (o *openWriter) target() http.ResponseWriter {
	if w := o.given(); w != nil {
		return w
	}
	return o.inner
}

// Unwrap returns what the answer goes to.
func (o *openWriter) Unwrap() http.ResponseWriter { return o.target() }

// Header returns the answer's headers.
func (o *openWriter) Header() http.Header { return o.target().Header() }

// WriteHeader writes the status.
func (o *openWriter) WriteHeader(status int) {
	if !isInformational(status) {
		o.status.CompareAndSwap(0, int32(status)) //nolint:gosec // net/http admits 100 to 999
	}
	o.target().WriteHeader(status)
}

// Write writes b.
func (o *openWriter) Write(b []byte) (int, error) {
	o.status.CompareAndSwap(0, http.StatusOK)
	return o.target().Write(b)
}

// FlushError sends what is buffered.
func (o *openWriter) FlushError() error {
	o.status.CompareAndSwap(0, http.StatusOK)
	return http.NewResponseController(o.target()).Flush()
}

// Flush is FlushError for those who look for an http.Flusher.
func (o *openWriter) Flush() { _ = o.FlushError() }

// Hijack takes over the connection.
func (o *openWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(o.target()).Hijack()
	if err == nil {
		o.status.Store(hijacked)
	}
	return conn, rw, err
}

// Push starts an HTTP/2 server push.
func (o *openWriter) Push(target string, opts *http.PushOptions) error {
	if p, ok := o.target().(http.Pusher); ok {
		return p.Push(target, opts)
	}
	return http.ErrNotSupported
}
