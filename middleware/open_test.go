package middleware_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
)

// TestOtherRoutes serves routes that no rule is about, over a socket.
func TestOtherRoutes(t *testing.T) {
	t.Parallel()

	t.Run("Stream", func(t *testing.T) {
		t.Parallel()
		b := setup(t, middleware.AppLifecycleConfig{})
		read := make(chan struct{})
		b.GET("/stream", func(c echo.Context) error {
			if err := c.String(200, "first\n"); err != nil {
				return err
			}
			c.Response().Flush()
			<-read
			return c.String(200, "second\n")
		})
		s := server(t, b)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/stream", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		if !lines.Scan() || lines.Text() != "first" {
			t.Fatalf("first line is %q", lines.Text())
		}
		close(read)
		if !lines.Scan() || lines.Text() != "second" {
			t.Fatalf("second line is %q", lines.Text())
		}
	})

	// As a WebSocket does it.
	for _, emit := range []string{"", "after"} {
		t.Run("Hijack"+emit, func(t *testing.T) {
			t.Parallel()
			b := setup(t, middleware.AppLifecycleConfig{})
			served := make(chan error, 1)
			b.GET("/socket", func(c echo.Context) error {
				conn, rw, err := c.Response().Hijack()
				if err != nil {
					served <- err
					return err
				}
				defer conn.Close()
				if emit == "after" {
					err = middleware.Emit(c, app.Event(approved, instance()))
				}
				_, errWrite := rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
				line, errRead := rw.ReadString('\n')
				_, errEcho := rw.WriteString("you said " + line)
				err = errors.Join(err, errWrite, errRead, errEcho, rw.Flush())
				served <- err
				return err
			})
			s := server(t, b)
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, "GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello\n"); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(conn)
			if err != nil || !strings.HasSuffix(string(answer), "\r\n\r\nyou said hello\n") {
				t.Errorf("answer is %q, %v", answer, err)
			}
			if err := <-served; err != nil {
				t.Error(err)
			}
			s.Close()
			var want []string
			if emit == "after" {
				want = []string{approved}
			}
			equal(t, b.pub.types(), want)
		})
	}

	t.Run("EmitBeforeHijackRefusesIt", func(t *testing.T) {
		t.Parallel()
		b := setup(t, middleware.AppLifecycleConfig{})
		b.GET("/socket", func(c echo.Context) error {
			if err := middleware.Emit(c, app.Event(approved, instance())); err != nil {
				return err
			}
			if _, _, err := c.Response().Hijack(); !errors.Is(err, http.ErrNotSupported) {
				t.Errorf("Hijack returned %v", err)
			}
			return nil
		})
		send(t, server(t, b), http.MethodGet, "/socket")
	})

	t.Run("EmitAfterHijackCannotChangeTheAnswer", func(t *testing.T) {
		t.Parallel()
		b := setup(t, middleware.AppLifecycleConfig{FailClosed: true})
		b.pub.err = errDown
		returned := make(chan error, 1)
		b.Pre(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				returned <- next(c)
				return nil
			}
		})
		b.GET("/socket", func(c echo.Context) error {
			conn, rw, err := c.Response().Hijack()
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = rw.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
			return errors.Join(err, rw.Flush(), middleware.Emit(c, app.Event(approved, instance())))
		})
		send(t, server(t, b), http.MethodGet, "/socket")
		if err := <-returned; err != nil {
			t.Errorf("the middleware returned %v", err)
		}
		if len(b.observed) != 1 {
			t.Errorf("ErrorHandler was told %v", b.observed)
		}
	})

	t.Run("UnwrapReachesTheServersWriterUntilEmit", func(t *testing.T) {
		t.Parallel()
		var outer http.ResponseWriter
		e := echo.New()
		e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				outer = c.Response().Writer
				defer func() {
					if c.Response().Writer != outer {
						t.Error("the writer was not put back")
					}
				}()
				return next(c)
			}
		}, middleware.AppLifecycle(&recorder{}, app))
		e.GET("/silent", func(echo.Context) error { return nil })
		e.GET("/other", func(c echo.Context) error {
			w := c.Response().Writer.(interface{ Unwrap() http.ResponseWriter })
			if w.Unwrap() != outer {
				t.Errorf("Unwrap leads to %T", w.Unwrap())
			}
			if err := middleware.Emit(c, app.Event(approved, instance())); err != nil {
				return err
			}
			held := w.Unwrap()
			if _, ok := held.(interface{ Unwrap() http.ResponseWriter }); ok || held == outer {
				t.Errorf("Unwrap leads through %T while holding", held)
			}
			return nil
		})
		b := &bundle{Echo: e}
		b.do(http.MethodGet, "/silent")
		b.do(http.MethodGet, "/other")
	})
}

// TestOtherRoutes_OneAfterAnother serves requests that have the same writer.
func TestOtherRoutes_OneAfterAnother(t *testing.T) {
	t.Parallel()
	approve := func(c echo.Context) error {
		if err := middleware.Emit(c, app.Event(approved, instance())); err != nil {
			return err
		}
		return c.String(http.StatusOK, "approved")
	}

	t.Run("TheLastAnswerIsForgotten", func(t *testing.T) {
		t.Parallel()
		b := setup(t, middleware.AppLifecycleConfig{FailClosed: true})
		b.pub.err = errDown
		b.GET("/plain", func(c echo.Context) error { return c.String(http.StatusAccepted, "plain") })
		b.GET("/approve", approve)
		for range 20 {
			if res := b.do(http.MethodGet, "/plain"); res.Code != http.StatusAccepted || res.Body.String() != "plain" {
				t.Fatalf("answer is %d %q", res.Code, res.Body)
			}
			if res := b.do(http.MethodGet, "/approve"); res.Code != http.StatusInternalServerError {
				t.Fatalf("answer is %d %q: what was emitted was not held", res.Code, res.Body)
			}
		}
	})

	for _, emits := range []bool{false, true} {
		t.Run(fmt.Sprintf("WhoeverIsLateIsRefused/emits=%t", emits), func(t *testing.T) {
			t.Parallel()
			b := setup(t, middleware.AppLifecycleConfig{FailClosed: true})
			b.GET("/approve", approve)
			var late http.ResponseWriter
			b.GET("/leak", func(c echo.Context) error {
				late = c.Response().Writer
				if emits {
					return middleware.Emit(c, app.Event(approved, instance()))
				}
				return nil
			})
			b.GET("/plain", func(c echo.Context) error { return c.String(http.StatusOK, "plain") })
			res := b.do(http.MethodGet, "/leak")
			refused := func() {
				t.Helper()
				late.Header().Set("X-Late", "yes")
				late.WriteHeader(http.StatusTeapot)
				n, err := late.Write([]byte("late"))
				if err == nil || n != 0 {
					t.Errorf("Write returned %d, %v", n, err)
				}
				if err := http.NewResponseController(late).Flush(); err == nil {
					t.Error("Flush returned nil")
				}
				if _, _, err := http.NewResponseController(late).Hijack(); err == nil {
					t.Error("Hijack returned nil")
				}
			}
			refused()
			if emits { // the writer stays its request's
				b.do(http.MethodGet, "/plain")
				refused()
			}
			if res.Code != http.StatusOK || res.Body.Len() != 0 {
				t.Errorf("answer is %d %q", res.Code, res.Body)
			}
			if res := b.do(http.MethodGet, "/plain"); res.Code != http.StatusOK || res.Body.String() != "plain" || res.Header().Get("X-Late") != "" {
				t.Errorf("the next answer is %d %q %v", res.Code, res.Body, res.Header())
			}
			refused()
			b.pub.err = errDown
			if res := b.do(http.MethodGet, "/approve"); res.Code != http.StatusInternalServerError {
				t.Errorf("the answer after that is %d %q: what was emitted was not held", res.Code, res.Body)
			}
		})
	}

	// As it is where a middleware inside has put another response, or writer, in its
	// place and leaves it there.
	for name, replace := range map[string]func(echo.Context, http.ResponseWriter){
		"ReplacedResponse": func(c echo.Context, w http.ResponseWriter) { c.SetResponse(echo.NewResponse(w, c.Echo())) },
		"ReplacedWriter":   func(c echo.Context, w http.ResponseWriter) { c.Response().Writer = w },
	} {
		t.Run(name+"StillReachesTheClient", func(t *testing.T) {
			t.Parallel()
			b := setup(t, middleware.AppLifecycleConfig{})
			b.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c echo.Context) error {
					replace(c, struct{ http.ResponseWriter }{c.Response().Writer})
					return next(c)
				}
			})
			b.GET("/gone", func(echo.Context) error { return echo.NewHTTPError(http.StatusGone, "it is gone") })
			for range 20 {
				if res := b.do(http.MethodGet, "/gone"); res.Code != http.StatusGone || !strings.Contains(res.Body.String(), "it is gone") {
					t.Fatalf("answer is %d %q", res.Code, res.Body)
				}
			}
		})
	}
}
