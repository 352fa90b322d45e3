package testutil

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/altinn-go/events/testutil/inspector"
)

// URL returns the platform's address, such as "http://127.0.0.1:40123": what a
// client puts before "/events/api/v1".
//
// The first call opens the socket, on a free port of the loopback interface; the
// test fails if there is none. Do not call it in a synctest bubble, where sockets
// do not work.
func (s *Sink) URL() string {
	if err := s.listen(); err != nil {
		// StartSink has listened, so there is a test to fail.
		s.tb.Helper()
		s.tb.Fatalf("sink: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return "http://" + s.listener.Addr().String()
}

// listen opens the socket and serves it, once.
func (s *Sink) listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	if s.closed {
		return errors.New("closed before its socket was opened")
	}
	// The socket is the sink's, and Close ends it; no context of a caller does.
	listener, err := net.Listen("tcp", s.cfg.Addr) //nolint:noctx // see above
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.listener = listener
	s.server = &http.Server{
		Handler:           localOnly(s.Handler()),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       s.readTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
		ConnState:         s.unused.note,
	}
	s.serving.Go(func() { _ = s.server.Serve(listener) })
	return nil
}

// Shutdown is Close for a program: it takes no new connections, lets requests under
// way end and closes when they have or ctx ends, whose error it returns then.
// Connections that no request came on, such as a browser opens ahead, are closed soon.
func (s *Sink) Shutdown(ctx context.Context) error {
	defer s.Close()
	s.mu.Lock()
	server := s.server
	s.mu.Unlock()
	s.end.Do(func() { close(s.ending) })
	if server == nil {
		return nil
	}
	defer time.AfterFunc(unusedGrace, s.unused.close).Stop()
	return server.Shutdown(ctx)
}

// unusedGrace is how long a connection has whose first request was read just before
// Shutdown, to be noted as used. What comes later is not answered any more. A
// http.Server waits some six seconds.
const unusedGrace = 500 * time.Millisecond

// unusedConns are the connections that no request came on yet.
type unusedConns struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// note is a http.Server's ConnState.
func (u *unusedConns) note(conn net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if state != http.StateNew {
		delete(u.conns, conn)
		return
	}
	if u.conns == nil {
		u.conns = map[net.Conn]struct{}{}
	}
	u.conns[conn] = struct{}{}
}

func (u *unusedConns) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for conn := range u.conns {
		_ = conn.Close()
	}
}

// Handler returns the Events API as a handler, for programs that serve it
// themselves, with the inspector at "/". It expects whole paths, such as
// "/events/api/v1/app", and serves until the sink is closed.
//
// On a connection to a loopback address the inspector and "/_sink" answer only to
// localhost and to addresses, as Inspector does; the Events API answers to any name.
//
// A fault that breaks the connection off needs a connection that can be hijacked,
// as those of HTTP/1.1 can; elsewhere the handler panics with
// http.ErrAbortHandler, to the same end.
func (s *Sink) Handler() http.Handler {
	page := inspector.Page(inspector.PageConfig{Unmasked: s.cfg.Unmask})
	return s.inspect(page, http.HandlerFunc(s.serveExchange))
}

// serveExchange serves everything whose answer is held until it is whole.
func (s *Sink) serveExchange(w http.ResponseWriter, r *http.Request) {
	if !s.begin() {
		panic(http.ErrAbortHandler)
	}
	defer s.serving.Done()

	body, err := readBody(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	// The deadline was for reading; a long delay or poll must not end with it.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	x, fate := s.exchange(r.Context(), r, body)
	switch fate {
	case answered:
		x.writeTo(w, len(x.answer), len(x.answer))
	case truncated:
		sent, announced := x.cut()
		x.writeTo(w, sent, announced)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case reset:
		resetConnection(w)
	case hungUp:
		panic(http.ErrAbortHandler)
	}
}

// writeTo sends the answer with the first sent bytes of its body.
func (x *exchange) writeTo(w http.ResponseWriter, sent, announced int) {
	maps.Copy(w.Header(), x.header)
	if bodyAllowed(x.status) {
		w.Header().Set("Content-Length", strconv.Itoa(announced))
	}
	w.WriteHeader(x.status)
	_, _ = w.Write(x.answer[:sent])
}

// resetConnection makes the client read "connection reset by peer".
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
