package testutil

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
)

// Client returns an HTTP client whose requests reach the sink in process,
// whatever host their URL names. See Transport.
func (s *Sink) Client() *http.Client { return &http.Client{Transport: s.Transport()} }

// Transport returns a transport whose requests reach the sink in process,
// whatever host their URL names: nothing leaves the test, and no socket is
// opened. Each request is handled on the goroutine of the caller, so it works in
// a synctest bubble.
//
// A request whose context ends returns the context's error, as one over the
// network does. Faults are errors as the network makes them: syscall.ECONNRESET,
// io.ErrUnexpectedEOF, and syscall.ECONNREFUSED once the sink is closed.
func (s *Sink) Transport() http.RoundTripper { return inProcess{s} }

type inProcess struct{ sink *Sink }

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	received, body, err := asReceived(r)
	if err != nil {
		return nil, err
	}
	if err := context.Cause(r.Context()); err != nil {
		return nil, err
	}
	if !t.sink.begin() {
		return nil, netError("dial", "connect", syscall.ECONNREFUSED)
	}
	defer t.sink.serving.Done()

	x, fate := t.sink.exchange(r.Context(), received, body)
	switch fate {
	case answered:
		return x.response(r, bytes.NewReader(x.answer), len(x.answer)), nil
	case truncated:
		sent, announced := x.cut()
		body := io.MultiReader(bytes.NewReader(x.answer[:sent]), brokenOff{})
		return x.response(r, body, announced), nil
	case hungUp:
		if err := context.Cause(r.Context()); err != nil {
			return nil, err
		}
		return nil, io.EOF // the sink was closed
	default:
		return nil, netError("read", "read", syscall.ECONNRESET)
	}
}

// asReceived returns r as a server would see it, and its body.
func asReceived(r *http.Request) (received *http.Request, body []byte, err error) {
	received = r.Clone(r.Context())
	received.Header = make(http.Header, len(r.Header))
	for name, values := range r.Header {
		for _, value := range values {
			received.Header.Add(name, value)
		}
	}
	received.RequestURI = r.URL.RequestURI()
	received.RemoteAddr = "127.0.0.1:0"
	received.Body = http.NoBody
	if r.Body == nil {
		return received, nil, nil
	}
	defer func() { _ = r.Body.Close() }()
	if body, err = readBody(r.Body); err != nil {
		return nil, nil, fmt.Errorf("read request body: %w", err)
	}
	return received, body, nil
}

// response is the answer as a client receives it.
func (x *exchange) response(r *http.Request, body io.Reader, length int) *http.Response {
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", x.status, http.StatusText(x.status)),
		StatusCode:    x.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        x.header,
		Body:          io.NopCloser(body),
		ContentLength: int64(length),
		Request:       r,
	}
}

// brokenOff is the rest of a body that never comes.
type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func netError(op, call string, errno syscall.Errno) error {
	return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(call, errno)}
}
