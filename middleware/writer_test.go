package middleware_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
)

// long is the JSON of an instance of at least n bytes, which tells at its start
// what an event needs.
func long(n int) []byte {
	var b bytes.Buffer
	b.WriteString(instanceJSON[:len(instanceJSON)-2])
	for b.Len() < n {
		fmt.Fprintf(&b, `,{"id":"c52f40eb-ff21-4ae0-8d8e-2c2ea9a5a1b7","size":%d}`, b.Len())
	}
	b.WriteString("]}")
	return b.Bytes()
}

// withheld is a lifecycle whose publisher looks at what has reached the client
// when it is asked.
func withheld(t *testing.T, cfg middleware.AppLifecycleConfig, h echo.HandlerFunc) (rec *httptest.ResponseRecorder, out []int, b *bundle) {
	t.Helper()
	b = setup(t, cfg)
	rec = httptest.NewRecorder()
	b.pub.seen = func(context.Context) { out = append(out, rec.Body.Len()) }
	b.POST("/:org/:app/instances", h)
	b.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/ttd/apps-test/instances", http.NoBody))
	return rec, out, b
}

func TestHolding(t *testing.T) {
	t.Parallel()
	one := func(t *testing.T, what string, got []int, want int) {
		t.Helper()
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v bytes were out at each Publish, want one with %d", what, got, want)
		}
	}

	t.Run("NothingLeavesBeforeAcceptance", func(t *testing.T) {
		t.Parallel()
		rec, out, _ := withheld(t, middleware.AppLifecycleConfig{}, serve(201, instanceJSON))
		one(t, "rule", out, 0)
		if rec.Body.String() != instanceJSON {
			t.Errorf("body is %s", rec.Body)
		}
	})
	t.Run("NothingIsHeldAfterResponse", func(t *testing.T) {
		t.Parallel()
		_, out, b := withheld(t, middleware.AppLifecycleConfig{AfterResponse: true}, serve(201, instanceJSON))
		one(t, "rule", out, len(instanceJSON))
		equal(t, b.pub.types(), []string{models.TypeInstanceCreated})
	})
	t.Run("NothingIsHeldAfterResponseByEmit", func(t *testing.T) {
		t.Parallel()
		_, out, _ := withheld(t, middleware.AppLifecycleConfig{AfterResponse: true}, func(c echo.Context) error {
			if err := middleware.Emit(c, app.Created(instance())); err != nil {
				return err
			}
			return serve(201, instanceJSON)(c)
		})
		one(t, "emit", out, len(instanceJSON))
	})
	t.Run("HeadersAreThoseThatWereWritten", func(t *testing.T) {
		t.Parallel()
		rec, _, b := withheld(t, middleware.AppLifecycleConfig{}, func(c echo.Context) error {
			err := serve(201, instanceJSON)(c)
			c.Response().Header().Set(echo.HeaderContentEncoding, "br")
			return err
		})
		equal(t, b.pub.types(), []string{models.TypeInstanceCreated})
		if got := rec.Result().Header.Get(echo.HeaderContentEncoding); got != "" {
			t.Errorf("content encoding is %q", got)
		}
	})
	t.Run("FlushAcceptsThenSends", func(t *testing.T) {
		t.Parallel()
		rec, out, b := withheld(t, middleware.AppLifecycleConfig{}, func(c echo.Context) error {
			if err := serve(201, instanceJSON)(c); err != nil {
				return err
			}
			c.Response().Flush()
			if _, err := c.Response().Write([]byte("\n")); err != nil {
				return err
			}
			c.Response().Flush()
			return errors.New("too late")
		})
		one(t, "flush", out, 0)
		equal(t, b.pub.types(), []string{models.TypeInstanceCreated})
		if rec.Code != 201 || rec.Body.String() != instanceJSON+"\n" || !rec.Flushed {
			t.Errorf("answer is %d %s, flushed %t", rec.Code, rec.Body, rec.Flushed)
		}
	})
	t.Run("FlushBeforeTheAnswerTells", func(t *testing.T) {
		t.Parallel()
		rec, _, b := withheld(t, middleware.AppLifecycleConfig{}, func(c echo.Context) error {
			c.Response().WriteHeader(201)
			c.Response().Flush()
			_, err := io.WriteString(c.Response(), instanceJSON)
			return err
		})
		equal(t, b.pub.types(), nil)
		faulty(t, b.observed, "not in its first 0 bytes")
		if rec.Code != 201 || rec.Body.String() != instanceJSON {
			t.Errorf("answer is %d %s", rec.Code, rec.Body)
		}
	})
	t.Run("FlushOfAFailureSaysNothing", func(t *testing.T) {
		t.Parallel()
		_, out, b := withheld(t, middleware.AppLifecycleConfig{}, func(c echo.Context) error {
			c.Response().WriteHeader(400)
			c.Response().Flush()
			_, err := io.WriteString(c.Response(), instanceJSON)
			return err
		})
		if len(out) != 0 || len(b.observed) != 0 {
			t.Errorf("published %v, observed %v", b.pub.said(), b.observed)
		}
	})
	t.Run("EmitAfterFlushIsPublishedAtTheEnd", func(t *testing.T) {
		t.Parallel()
		_, out, b := withheld(t, middleware.AppLifecycleConfig{}, func(c echo.Context) error {
			if err := serve(201, instanceJSON)(c); err != nil {
				return err
			}
			c.Response().Flush()
			return middleware.Emit(c, app.Event(approved, instance()))
		})
		if len(out) != 2 {
			t.Errorf("published %d times, want 2", len(out))
		}
		equal(t, b.pub.types(), []string{models.TypeInstanceCreated, approved})
	})
	t.Run("HijackIsRefused", func(t *testing.T) {
		t.Parallel()
		_, _, b := withheld(t, middleware.AppLifecycleConfig{}, func(c echo.Context) error {
			if _, _, err := c.Response().Hijack(); !errors.Is(err, http.ErrNotSupported) {
				t.Errorf("Hijack returned %v", err)
			}
			return serve(201, instanceJSON)(c)
		})
		equal(t, b.pub.types(), []string{models.TypeInstanceCreated})
	})
	t.Run("CannotBeUnwrapped", func(t *testing.T) {
		t.Parallel()
		withheld(t, middleware.AppLifecycleConfig{}, func(c echo.Context) error {
			if _, ok := c.Response().Writer.(interface{ Unwrap() http.ResponseWriter }); ok {
				t.Error("the held writer has Unwrap")
			}
			return nil
		})
	})
}

func TestMaxResponseBytes(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	lateOwner := `{"data":"` + strings.Repeat("x", mib) + `",` + instanceJSON[1:]
	for _, tc := range []struct {
		name  string
		limit int
		body  string
		tells bool
	}{
		{"TenMegabytes", 0, string(long(10 * mib)), true},
		{"TenMegabytesUnbounded", -1, `{"data":"` + strings.Repeat("x", 10*mib) + `",` + instanceJSON[1:], true},
		{"TellsTooLate", 0, lateOwner, false},
		{"TellsInTime", 2 * mib, lateOwner, true},
		{"ExactlyTheBound", len(instanceJSON), instanceJSON, true},
		{"OneByteMore", len(instanceJSON) - 1, instanceJSON, true},
		{"BoundInTheOwner", 100, instanceJSON, false},
	} {
		for _, how := range []string{"Whole", "Chunks", "After"} {
			t.Run(tc.name+"/"+how, func(t *testing.T) {
				t.Parallel()
				rec, _, b := withheld(t, middleware.AppLifecycleConfig{MaxResponseBytes: tc.limit, AfterResponse: how == "After"}, func(c echo.Context) error {
					if how == "Whole" {
						return serve(201, tc.body)(c)
					}
					return c.Stream(201, "application/json", strings.NewReader(tc.body))
				})
				if rec.Code != 201 || rec.Body.String() != tc.body {
					t.Errorf("answer is %d with %d bytes, want it as the handler wrote it, %d bytes", rec.Code, rec.Body.Len(), len(tc.body))
				}
				if tc.tells {
					equal(t, b.pub.said(), []string{models.TypeInstanceCreated + " /party/" + party + " /person/" + person})
				} else {
					equal(t, b.pub.said(), nil)
					faulty(t, b.observed, "bytes")
				}
			})
		}
	}
}

// TestLateWriter keeps goroutines of handlers writing after their requests, over
// buffers that are used again: no other request may see it.
func TestLateWriter(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		b := setup(t, middleware.AppLifecycleConfig{AfterResponse: after})
		var late sync.WaitGroup
		stop := make(chan struct{})
		b.POST("/:org/:app/instances", func(c echo.Context) error {
			if over, ok := c.Request().Context().Value(overKey{}).(chan struct{}); ok {
				w := c.Response().Writer
				late.Go(func() {
					<-over
					for {
						n, err := w.Write([]byte("late"))
						if n != 0 || err == nil {
							t.Errorf("a late writer has written %d bytes, %v", n, err)
						}
						select {
						case <-stop:
							return
						default:
							runtime.Gosched()
						}
					}
				})
			}
			return serve(201, instanceJSON)(c)
		})
		for i := range 64 {
			rec, over := httptest.NewRecorder(), make(chan struct{})
			r := httptest.NewRequest(http.MethodPost, "/ttd/apps-test/instances", http.NoBody)
			if i%8 == 0 {
				r = r.WithContext(context.WithValue(r.Context(), overKey{}, over))
			}
			b.ServeHTTP(rec, r)
			close(over)
			if rec.Body.String() != instanceJSON {
				t.Errorf("answer is %q", rec.Body)
			}
		}
		close(stop)
		late.Wait()
	}
}

type overKey struct{}

func TestWriter_PassesControls(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/ttd/apps-test/instances", "/other"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			e := echo.New()
			e.Use(middleware.AppLifecycle(&recorder{}, app))
			var errs []error
			h := func(c echo.Context) error {
				for _, w := range []http.ResponseWriter{c.Response(), c.Response().Writer} {
					rc := http.NewResponseController(w)
					errs = append(errs,
						rc.SetReadDeadline(time.Now().Add(time.Minute)),
						rc.SetWriteDeadline(time.Now().Add(time.Minute)),
						rc.EnableFullDuplex())
				}
				pusher, ok := c.Response().Writer.(http.Pusher)
				if !ok || !errors.Is(pusher.Push("/style.css", nil), http.ErrNotSupported) {
					t.Error("want a Pusher that reports that HTTP/1.1 has none")
				}
				return serve(201, instanceJSON)(c)
			}
			e.POST("/:org/:app/instances", h)
			e.POST("/other", h)
			send(t, server(t, e), http.MethodPost, path)
			if err := errors.Join(errs...); err != nil || len(errs) != 6 {
				t.Errorf("%d controls: %v", len(errs), err)
			}
		})
	}
	t.Run("Push", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/ttd/apps-test/instances", "/other"} {
			b := setup(t, middleware.AppLifecycleConfig{})
			h := func(c echo.Context) error { return c.Response().Writer.(http.Pusher).Push("/style.css", nil) }
			b.POST("/:org/:app/instances", h)
			b.POST("/other", h)
			w := &pushes{ResponseWriter: httptest.NewRecorder()}
			b.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, http.NoBody))
			if w.target != "/style.css" {
				t.Errorf("pushed %q", w.target)
			}
		}
	})
}

// pushes is a ResponseWriter of HTTP/2.
type pushes struct {
	http.ResponseWriter

	target string
}

func (p *pushes) Push(target string, _ *http.PushOptions) error {
	p.target = target
	return nil
}
