package testutil

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"strings"
	"time"
)

const (
	contentJSON    = "application/json; charset=utf-8"
	contentProblem = "application/problem+json; charset=utf-8"
)

// exchange is one request and the sink's answer to it. It is the
// http.ResponseWriter of the operations: an answer leaves when it is whole, so
// that a fault can still replace it or lose it.
type exchange struct {
	request  *http.Request
	endpoint string // path below basePath, or the whole path elsewhere
	body     []byte // up to one byte more than maxBodyBytes

	status   int
	header   http.Header
	answer   []byte
	problems string // content type of problem details
	reason   string // why it was refused, for failure reports
}

// fate is what becomes of an answer on its way to the client.
type fate uint8

const (
	answered  fate = iota
	truncated      // the header arrives, the body breaks off
	reset          // the connection is reset before the answer
	hungUp         // the client left, or the sink closed, before the answer
)

// exchange handles one request, up to the answer and its fate.
func (s *Sink) exchange(ctx context.Context, r *http.Request, body []byte) (*exchange, fate) {
	endpoint, ok := strings.CutPrefix(r.URL.Path, basePath)
	x := &exchange{request: r, endpoint: endpoint, body: body, header: http.Header{}, problems: contentProblem}
	var reply Reply
	if ok {
		reply = s.faults.ask(Request{Method: r.Method, Endpoint: endpoint, Header: r.Header, Body: body})
	}
	fate := s.answer(ctx, x, reply)
	isBrowsers := !ok && r.Method == http.MethodGet // favicons and the like
	if !isBrowsers && !strings.HasPrefix(endpoint, controlPath) {
		s.store.journal(x, fate)
	}
	return x, fate
}

func (s *Sink) answer(ctx context.Context, x *exchange, reply Reply) fate {
	if !s.pause(ctx, reply.Delay) {
		return hungUp
	}
	if reply.Stored || !reply.instead() {
		s.mux.ServeHTTP(x, x.request)
		if x.request.Pattern == "" { // no operation: the service's 404 and 405 are empty
			x.answer = nil
			x.header.Del("Content-Type")
		}
	}
	switch {
	case reply.Hang:
		select {
		case <-ctx.Done():
		case <-s.closing:
		}
		return hungUp
	case reply.Reset:
		return reset
	case reply.Status != 0:
		x.replace(reply)
	}
	if reply.Truncate {
		return truncated
	}
	return answered
}

// pause waits for d; it reports false if the client or the sink has gone by then.
func (s *Sink) pause(ctx context.Context, d time.Duration) bool {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		case <-s.closing:
			return false
		}
	}
	return ctx.Err() == nil
}

// operation makes a handler of the sink's own mux of op.
func operation(op func(*exchange)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x, ok := w.(*exchange)
		if !ok {
			panic("testutil: an operation outside of an exchange")
		}
		x.request = r
		op(x)
	}
}

// readBody reads what the sink keeps of a body, and one byte more of a body that
// is too long.
func readBody(body io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(body, maxBodyBytes+1))
}

// acceptsBody answers 415 or 413 and reports false if the body is not of mediaType
// or is too long.
func (x *exchange) acceptsBody(mediaType string) bool {
	contentType := x.request.Header.Get("Content-Type")
	if got, _, err := mime.ParseMediaType(contentType); err != nil || got != mediaType {
		x.empty(http.StatusUnsupportedMediaType, fmt.Sprintf("content type %q, want %s", contentType, mediaType))
		return false
	}
	if len(x.body) > maxBodyBytes {
		x.problem(http.StatusRequestEntityTooLarge,
			fmt.Sprintf("Request body too large. The max request body size is %d bytes.", maxBodyBytes))
		return false
	}
	return true
}

// Header implements http.ResponseWriter.
func (x *exchange) Header() http.Header { return x.header }

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(b []byte) (int, error) {
	x.WriteHeader(http.StatusOK)
	x.answer = append(x.answer, b...)
	return len(b), nil
}

// empty answers with a status and no body. The reason is not sent.
func (x *exchange) empty(status int, reason string) {
	x.status, x.reason = status, reason
}

// text answers with a JSON string.
func (x *exchange) text(status int, text string) {
	x.json(status, contentJSON, text)
	x.reason = text
}

// problemDetails is the error format of ASP.NET Core.
type problemDetails struct {
	Type    string              `json:"type"`
	Title   string              `json:"title"`
	Status  int                 `json:"status"`
	Detail  string              `json:"detail,omitempty"`
	Errors  map[string][]string `json:"errors,omitempty"`
	TraceID string              `json:"traceId"`
}

// problem answers with problem details.
func (x *exchange) problem(status int, detail string) {
	kind := "about:blank"
	switch status {
	case http.StatusBadRequest:
		kind = "https://tools.ietf.org/html/rfc7231#section-6.5.1"
	case http.StatusNotFound:
		kind = "https://tools.ietf.org/html/rfc7231#section-6.5.4"
	case http.StatusInternalServerError:
		kind = "https://tools.ietf.org/html/rfc7231#section-6.6.1"
	}
	x.json(status, x.problems, problemDetails{
		Type: kind, Title: http.StatusText(status), Status: status, Detail: detail, TraceID: newTraceID(),
	})
	x.reason = detail
}

// invalid answers as the framework does to a body that it cannot bind.
func (x *exchange) invalid(key, message string) {
	x.json(http.StatusBadRequest, x.problems, problemDetails{
		Type:   "https://tools.ietf.org/html/rfc7231#section-6.5.1",
		Title:  "One or more validation errors occurred.",
		Status: http.StatusBadRequest, Errors: map[string][]string{key: {message}}, TraceID: newTraceID(),
	})
	x.reason = message
}

func (x *exchange) json(status int, contentType string, v any) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // only what has a JSON form comes here
	}
	x.header.Set("Content-Type", contentType)
	x.status, x.answer = status, []byte(strings.TrimSuffix(b.String(), "\n"))
}

// replace puts the answer of a fault in place of the sink's own.
func (x *exchange) replace(reply Reply) {
	x.header, x.problems = http.Header{}, contentProblem
	x.answer = nil
	status := reply.Status
	switch {
	case status < http.StatusOK || status > 599:
		x.problem(http.StatusInternalServerError, fmt.Sprintf("The fault of the sink has status %d, which no answer can have.", status))
	case reply.Body != nil:
		x.empty(status, "")
		x.answer = reply.Body
	case bodyAllowed(status):
		x.problem(status, "")
	default:
		x.empty(status, "")
	}
	reply.retryAfter(x.header)
	for name, values := range reply.Header {
		x.header[http.CanonicalHeaderKey(name)] = values
	}
	x.reason = "a fault set on the sink"
}

// cut returns how much of the answer's body arrives when it is truncated, and
// the length that its header announces.
func (x *exchange) cut() (sent, announced int) {
	return len(x.answer) / 2, max(len(x.answer), 1)
}

func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// newTraceID returns a W3C trace parent, as the service puts into its problem
// details.
func newTraceID() string {
	return fmt.Sprintf("00-%016x%016x-%016x-00", rand.Uint64(), rand.Uint64(), rand.Uint64()) //nolint:gosec // no secret
}
