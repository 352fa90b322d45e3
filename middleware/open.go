package middleware

import (
	"bufio"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/labstack/echo/v4"
)

// openWriter is the http.ResponseWriter of a request that no rule is about.
// Everything passes, and it can be unwrapped, until Emit gives it a writer.
//
// Most requests need nothing more, so openWriters are used again: what the middleware
// adds to such a request is 2.2 times what one adds that does nothing, where a new one
// each made it 2.9. Whoever writes when the handler has returned, against the contract
// of http.ResponseWriter, is refused until another request begins with it, and may then
// reach that one's answer, as through the echo.Response around it and the buffer of
// net/http below it, which are used again as well.
type openWriter struct {
	inner  http.ResponseWriter
	life   *lifecycle
	status atomic.Int32           // 0 until it is written, or hijacked
	given  atomic.Pointer[writer] // nil until Emit gives it one, which then stays
}

// open puts an openWriter into the response.
func (l *lifecycle) open(res *echo.Response) *openWriter {
	o := l.openWriters.Get().(*openWriter) //nolint:forcetypeassert // the pool has nothing else
	o.inner = res.Writer
	res.Writer = o
	return o
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
			return t.given.Load(), t
		case interface{ Unwrap() http.ResponseWriter }:
			rw = t.Unwrap()
		default:
			return nil, nil
		}
	}
}

// become gives the request of c a writer. It returns nil if the request is over.
func (o *openWriter) become(c echo.Context) *writer {
	if o.isOver() {
		return nil
	}
	w := newWriter(o.inner, c, o.life, nil)
	w.status = o.status.Load()
	o.given.CompareAndSwap(nil, w)
	return o.given.Load()
}

// end takes the openWriter out of the response of c, which was res. It is used again
// if it has not been given a writer, and nobody inside has left a response or a writer
// behind that leads to it: Echo's error handler may be about to write there.
func (o *openWriter) end(c echo.Context, res *echo.Response) {
	if w := o.given.Load(); w != nil {
		w.end(res)
		return
	}
	last, ok := res.Writer.(*openWriter)
	free := ok && last == o && c.Response() == res
	res.Writer = o.inner
	if !free {
		return
	}
	o.inner = over{}
	if o.status.Load() != 0 {
		o.status.Store(0)
	}
	o.life.openWriters.Put(o)
}

// isOver reports whether the request is over, and no other has begun with o.
func (o *openWriter) isOver() bool { return o.inner == over{} }

// answered notes the status of an answer that begins.
func (o *openWriter) answered(status int32) {
	if !o.isOver() {
		o.status.CompareAndSwap(0, status)
	}
}

// over is where an openWriter leads whose request is over.
type over struct{}

// Header returns headers that nobody reads.
func (over) Header() http.Header { return http.Header{} }

// WriteHeader does nothing.
func (over) WriteHeader(int) {}

// Write fails.
func (over) Write([]byte) (int, error) { return 0, errEnded }

func (o *openWriter) target() http.ResponseWriter {
	if w := o.given.Load(); w != nil {
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
		o.answered(int32(status)) //nolint:gosec // net/http admits 100 to 999
	}
	o.target().WriteHeader(status)
}

// Write writes b.
func (o *openWriter) Write(b []byte) (int, error) {
	o.answered(http.StatusOK)
	return o.target().Write(b)
}

// FlushError sends what is buffered.
func (o *openWriter) FlushError() error {
	o.answered(http.StatusOK)
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
