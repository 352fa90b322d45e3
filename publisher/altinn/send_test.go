package altinn_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/outbox"
)

func TestClient_Post_ReturnsTheID(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"JSONString":    {201, `"` + eventID + `"`, eventID},
		"Bare":          {201, eventID, eventID},
		"BareLine":      {201, eventID + "\n", eventID},
		"WithSpace":     {201, "\r\n \"" + eventID + "\"\n", eventID},
		"OfAnyLength":   {201, `"1"`, "1"},
		"Empty":         {201, "", ""},
		"DocumentedOK":  {200, `"` + eventID + `"`, eventID},
		"OtherSuccess":  {202, eventID, eventID},
		"NoContent":     {204, "", ""},
		"JSONNull":      {200, "null", ""},
		"JSONObject":    {201, `{"id":"` + eventID + `"}`, ""},
		"JSONArray":     {201, `["a"]`, ""},
		"HTML":          {200, "<html></html>", ""},
		"Text":          {200, "all is well", ""},
		"MalformedJSON": {201, `"` + eventID, ""},
		"ControlCode":   {201, `"a\u0000b"`, ""},
		"TooLong":       {201, strings.Repeat("a", 257), ""},
		"Huge":          {201, strings.Repeat("a", 1<<20), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, answer(tc.status, "application/json", tc.body)).client(t, altinn.Config{})
			id, err := c.Post(t.Context(), appItem)
			if err != nil || id != tc.want {
				t.Errorf("Post = %q, %v, want %q, nil", id, err, tc.want)
			}
			if err := c.Send(t.Context(), appItem); err != nil {
				t.Errorf("Send = %v, want nil", err)
			}
		})
	}
}

func TestClient_Send_PostsTheBody(t *testing.T) {
	t.Parallel()
	for _, item := range []outbox.Item{appItem, brokerItem} {
		body := make(chan string, 1)
		s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			body <- string(b)
		})
		if err := s.client(t, altinn.Config{}).Send(t.Context(), item); err != nil {
			t.Fatalf("Send: %v", err)
		}
		if got := <-body; got != string(item.Body) {
			t.Errorf("body = %s, want %s", got, item.Body)
		}
	}
}

func TestClient_Send_RefusesAnUnknownEndpoint(t *testing.T) {
	t.Parallel()
	s := serve(t, answer(http.StatusOK, "", ""))
	item := appItem
	item.Endpoint = "/inbound"
	err := s.client(t, altinn.Config{}).Send(t.Context(), item)
	if !errors.Is(err, publisher.ErrRejected) || s.requests.Load() != 0 {
		t.Errorf("Send = %v after %d requests, want ErrRejected after none", err, s.requests.Load())
	}
}

// givenUp is how many connections net/http may give up although they are whole:
// those whose write it has not seen finish within 50 ms of the answer, on a machine
// that is short of processors.
const givenUp = 5

func TestClient_Send_ReusesConnections(t *testing.T) {
	t.Parallel()
	const sends = 1000
	for name, handler := range map[string]http.HandlerFunc{
		"Created":     answer(http.StatusCreated, "application/json", `"`+eventID+`"`),
		"Empty":       answer(http.StatusOK, "", ""),
		"LongError":   answer(http.StatusServiceUnavailable, "text/plain", strings.Repeat("x", 60<<10)),
		"LongSuccess": answer(http.StatusCreated, "text/plain", strings.Repeat("x", 60<<10)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, handler)
			c := s.client(t, altinn.Config{})
			for range sends {
				_ = c.Send(t.Context(), appItem)
			}
			if got := s.requests.Load(); got != sends {
				t.Errorf("requests = %d, want %d", got, sends)
			}
			if got := s.connections.Load(); got > 1+givenUp {
				t.Errorf("connections = %d, want 1", got)
			}
		})
	}
}

func TestClient_Send_GivesUpTheConnectionOfAnEndlessReply(t *testing.T) {
	t.Parallel()
	s := serve(t, answer(http.StatusCreated, "text/plain", strings.Repeat("x", 8<<20)))
	c := s.client(t, altinn.Config{})
	const sends = 5
	for range sends {
		if err := c.Send(t.Context(), appItem); err != nil {
			t.Errorf("Send = %v, want nil", err)
		}
	}
	if got := s.connections.Load(); got != sends {
		t.Errorf("connections = %d, want %d", got, sends)
	}
}

func TestClient_Send_KeepsOneConnectionPerWorker(t *testing.T) {
	t.Parallel()
	const workers, sends = 16, 1000
	var together sync.WaitGroup
	together.Add(workers)
	var s *service
	s = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if s.requests.Load() <= workers {
			together.Done()
			together.Wait()
		}
		answer(http.StatusCreated, "application/json", `"`+eventID+`"`)(w, r)
	})
	c := s.client(t, altinn.Config{})
	send := func(n int) {
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range n {
					if err := c.Send(t.Context(), appItem); err != nil {
						t.Errorf("Send: %v", err)
					}
				}
			})
		}
		wg.Wait()
	}
	send(1) // all at once, so every worker opens its connection
	send(sends / workers)
	if got := s.connections.Load(); got < workers || got > workers+givenUp {
		t.Errorf("connections = %d, want %d", got, workers)
	}
}

func TestClient_Send_DoesNotFollowRedirects(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, answer(http.StatusCreated, "", ""))
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", elsewhere.URL+"/login?code=hunter2")
			w.WriteHeader(status)
		})
		err := s.client(t, altinn.Config{Credentials: altinn.Credentials{Bearer: static("token")}}).Send(t.Context(), appItem)
		if !errors.Is(err, publisher.ErrUnavailable) {
			t.Errorf("%d: Send = %v, want ErrUnavailable", status, err)
		}
		if text := err.Error(); !strings.Contains(text, elsewhere.URL+"/login") || strings.Contains(text, "hunter2") {
			t.Errorf("%d: Send = %v, want it to name the place without its query", status, err)
		}
	}
	if got := elsewhere.requests.Load(); got != 0 {
		t.Errorf("followed %d redirects", got)
	}
}

func TestClient_Send_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-release
	})
	defer close(release)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-entered
		cancel(errors.New("the caller has left"))
	}()
	err := s.client(t, altinn.Config{}).Send(ctx, appItem)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, publisher.ErrUnavailable) {
		t.Errorf("Send = %v, want context.Canceled and ErrUnavailable", err)
	}
}

func TestClient_Send_EndsAtItsDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, "https://platform.altinn.no", altinn.Config{
			Transport: roundTripFunc(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, context.Cause(r.Context())
			}),
		})
		ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, errors.New("one try"))
		defer cancel()
		start := time.Now()
		err := c.Send(ctx, appItem)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, publisher.ErrUnavailable) {
			t.Errorf("Send = %v, want context.DeadlineExceeded and ErrUnavailable", err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("Send took %v, want 10s", took)
		}
	})
}

// raw serves one connection after another with respond, which gets the request read.
func raw(t *testing.T, respond func(*net.TCPConn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
				respond(conn.(*net.TCPConn))
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return "http://" + listener.Addr().String()
}

func TestClient_Send_OfABrokenAnswer(t *testing.T) {
	t.Parallel()
	write := func(text string) func(*net.TCPConn) {
		return func(conn *net.TCPConn) { _, _ = io.WriteString(conn, text) }
	}
	for name, tc := range map[string]struct {
		respond func(*net.TCPConn)
		status  int // of the ResponseError, 0 if it is none
		accept  bool
	}{
		"Reset":            {func(conn *net.TCPConn) { _ = conn.SetLinger(0) }, 0, false},
		"NoAnswer":         {func(*net.TCPConn) {}, 0, false},
		"NotHTTP":          {write("220 mail.example ESMTP\r\n"), 0, false},
		"TruncatedHead":    {write("HTTP/1.1 201 Created\r\nContent-Le"), 0, false},
		"TruncatedSuccess": {write("HTTP/1.1 201 Created\r\nContent-Length: 38\r\n\r\n\"4815"), 0, true},
		"TruncatedError":   {write("HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nbusy"), 503, false},
		"BrokenChunk":      {write("HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\nzz"), 503, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := newClient(t, raw(t, tc.respond), altinn.Config{}).Send(t.Context(), appItem)
			if tc.accept {
				if err != nil {
					t.Errorf("Send = %v, want nil: the event was created", err)
				}
				return
			}
			if !errors.Is(err, publisher.ErrUnavailable) {
				t.Errorf("Send = %v, want ErrUnavailable", err)
			}
			if !strings.HasPrefix(err.Error(), "POST /app: ") {
				t.Errorf("Send = %v, want it to name the operation", err)
			}
			answered, ok := errors.AsType[*altinn.ResponseError](err)
			switch {
			case !ok && tc.status != 0:
				t.Errorf("Send = %v, want a ResponseError", err)
			case ok && (answered.Status != tc.status || answered.Detail != "busy"):
				t.Errorf("Send = %+v, want status %d and what was read", answered, tc.status)
			}
		})
	}
}

func TestClient_Send_SurvivesItsTransport(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		response *http.Response
		fails    bool
	}{
		"NoBody":     {&http.Response{StatusCode: http.StatusCreated}, false},
		"NoResponse": {nil, true},
		"Informal":   {&http.Response{StatusCode: 0}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, "https://platform.altinn.no", altinn.Config{
				Transport: roundTripFunc(func(*http.Request) (*http.Response, error) { return tc.response, nil }),
			})
			if err := c.Send(t.Context(), appItem); errors.Is(err, publisher.ErrUnavailable) != tc.fails {
				t.Errorf("Send = %v, want ErrUnavailable: %t", err, tc.fails)
			}
		})
	}
}

func TestClient_Send_ReadsAndClosesEveryReply(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 201, 302, 401, 503} {
		body := &closeRecorder{Reader: strings.NewReader("reply")}
		c := newClient(t, "https://platform.altinn.no", altinn.Config{
			Transport: roundTripFunc(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: status, Body: body}, nil
			}),
		})
		_ = c.Send(t.Context(), appItem)
		if !body.closed || body.Len() != 0 {
			t.Errorf("%d: closed = %t with %d bytes unread, want the reply read and closed", status, body.closed, body.Len())
		}
	}
}

// closeRecorder is a reply that comes byte by byte.
type closeRecorder struct {
	*strings.Reader

	closed bool
}

func (c *closeRecorder) Read(b []byte) (int, error) { return iotest.OneByteReader(c.Reader).Read(b) }

func (c *closeRecorder) Close() error {
	c.closed = true
	return nil
}
