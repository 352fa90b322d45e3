package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"
	echomiddleware "github.com/labstack/echo/v4/middleware"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
)

func TestFailOpen(t *testing.T) {
	t.Parallel()
	b := setup(t, middleware.AppLifecycleConfig{})
	b.pub.err = errDown
	rec := b.create(serve(201, instanceJSON))
	if rec.Code != 201 || rec.Body.String() != instanceJSON {
		t.Errorf("answer is %d %s, want it as the handler wrote it", rec.Code, rec.Body)
	}
	if len(b.observed) != 1 || !errors.Is(b.observed[0], errDown) {
		t.Errorf("ErrorHandler was told %v", b.observed)
	}
}

func TestFailClosed(t *testing.T) {
	t.Parallel()
	// outer sees what middleware around the lifecycle sees.
	type outer struct {
		Err       error
		Committed bool
		Status    int
		Size      int64
	}
	fail := func(t *testing.T, method string, h echo.HandlerFunc, inner ...echo.MiddlewareFunc) (*httptest.ResponseRecorder, outer) {
		t.Helper()
		var saw outer
		e := echo.New()
		e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				c.Response().Header().Set("X-Request-Id", "1")
				res := c.Response() // as Echo's loggers do
				err := next(c)
				saw = outer{err, res.Committed, res.Status, res.Size}
				return err
			}
		}, middleware.AppLifecycleWithConfig(middleware.AppLifecycleConfig{Publisher: &recorder{err: errDown}, App: app, FailClosed: true}))
		e.Add(method, "/ttd/apps-test/instances", h, inner...)
		return (&bundle{Echo: e}).do(method, "/ttd/apps-test/instances"), saw
	}
	check := func(t *testing.T, rec *httptest.ResponseRecorder, saw outer) {
		t.Helper()
		body := rec.Body.String()
		if want := (http.Header{
			"X-Request-Id":   {"1"},
			"Content-Type":   {"application/problem+json"},
			"Content-Length": {strconv.Itoa(len(body))},
		}); rec.Code != 500 || !cmp.Equal(rec.Header(), want) {
			t.Errorf("answer is %d %v, want 500 %v", rec.Code, rec.Header(), want)
		}
		var problem struct {
			Type   string `json:"type"`
			Title  string `json:"title"`
			Status int    `json:"status"`
			Detail string `json:"detail"`
		}
		if err := json.Unmarshal([]byte(body), &problem); err != nil {
			t.Errorf("%v: %s", err, body)
		}
		if problem.Type != "about:blank" || problem.Title != "Internal Server Error" || problem.Status != 500 || problem.Detail == "" {
			t.Errorf("problem details are %s", body)
		}
		if !saw.Committed || saw.Status != 500 || saw.Size != int64(len(body)) || !errors.Is(saw.Err, errDown) {
			t.Errorf("outer middleware saw %+v", saw)
		}
	}

	t.Run("Rule", func(t *testing.T) {
		t.Parallel()
		rec, saw := fail(t, http.MethodPost, func(c echo.Context) error {
			c.Response().Header().Set("ETag", `"1"`)
			c.Response().Header().Set("X-Request-Id", "2")
			return serve(201, instanceJSON)(c)
		})
		check(t, rec, saw)
	})
	t.Run("Emit", func(t *testing.T) {
		t.Parallel()
		rec, saw := fail(t, http.MethodDelete, func(c echo.Context) error {
			c.Response().Header().Set("ETag", `"1"`)
			c.Response().Header().Set(echo.HeaderContentEncoding, "br")
			c.Response().Header().Set(echo.HeaderContentLength, "7")
			if err := middleware.Emit(c, app.Event(approved, instance())); err != nil {
				return err
			}
			return c.String(200, "deleted")
		})
		check(t, rec, saw)
	})
	t.Run("AroundWrapMiddleware", func(t *testing.T) {
		t.Parallel()
		rec, saw := fail(t, http.MethodPost, serve(201, instanceJSON), echo.WrapMiddleware(func(next http.Handler) http.Handler { return next }))
		check(t, rec, saw)
	})
	t.Run("WhileFlushing", func(t *testing.T) {
		t.Parallel()
		rec, saw := fail(t, http.MethodPost, func(c echo.Context) error {
			if err := serve(201, instanceJSON)(c); err != nil {
				return err
			}
			flusher := http.NewResponseController(c.Response().Writer)
			if err := flusher.Flush(); !errors.Is(err, errDown) {
				t.Errorf("Flush returned %v", err)
			}
			if n, err := c.Response().Write([]byte("more")); n != 0 || err == nil {
				t.Errorf("Write wrote %d, %v after the answer was replaced", n, err)
			}
			if err := flusher.Flush(); err == nil {
				t.Error("flushed after the answer was replaced")
			}
			return nil
		})
		check(t, rec, saw)
	})
	t.Run("WhileWritingBeyondTheBound", func(t *testing.T) {
		t.Parallel()
		rec, saw := fail(t, http.MethodPost, func(c echo.Context) error {
			return serve(201, string(long(10<<20)))(c)
		})
		check(t, rec, saw)
	})
}

func TestErrorHandler(t *testing.T) {
	t.Parallel()
	own := errors.New("own")
	for _, tc := range []struct {
		name   string
		closed bool
		result error
		status int
	}{
		{"NilOpensFailClosed", true, nil, 201},
		{"ErrorClosesFailOpen", false, own, 500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var told, returned error
			e := echo.New()
			e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c echo.Context) error {
					returned = next(c)
					return returned
				}
			}, middleware.AppLifecycleWithConfig(middleware.AppLifecycleConfig{
				Publisher: &recorder{err: errDown}, App: app, FailClosed: tc.closed,
				ErrorHandler: func(err error, c echo.Context) error {
					told = err
					if c.Path() != "/:org/:app/instances" {
						t.Errorf("told of %s", c.Path())
					}
					if err := c.String(418, "own answer"); err == nil {
						t.Error("ErrorHandler has written an answer")
					}
					return tc.result
				},
			}))
			rec := (&bundle{Echo: e}).create(serve(201, instanceJSON))
			if rec.Code != tc.status {
				t.Errorf("status is %d, want %d", rec.Code, tc.status)
			}
			if !errors.Is(told, errDown) || !errors.Is(returned, tc.result) {
				t.Errorf("told %v, returned %v", told, returned)
			}
		})
	}
	t.Run("UndecidedRuleLeavesEmittedEvents", func(t *testing.T) {
		t.Parallel()
		foreign := models.App{Org: "ttd", Name: "other"}
		b := setup(t, middleware.AppLifecycleConfig{FailClosed: true})
		b.create(func(c echo.Context) error {
			if err := middleware.Emit(c, foreign.Created(instance())); err != nil {
				return err
			}
			return c.NoContent(201)
		})
		equal(t, b.pub.types(), nil)
	})
}

func TestFailedHandler(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		h      echo.HandlerFunc
		status int
		body   string
		header http.Header
	}{
		{
			"ErrorBeforeWriting",
			func(c echo.Context) error {
				c.Response().Header().Set("X-Kept", "1")
				return echo.NewHTTPError(409, "conflict")
			},
			409, `{"message":"conflict"}` + "\n",
			http.Header{"Content-Type": {"application/json"}, "X-Kept": {"1"}, "X-Outer": {"1"}},
		},
		{
			"ErrorAfterSuccess",
			func(c echo.Context) error {
				c.Response().Header().Set(echo.HeaderLocation, "/instances/1")
				c.Response().Header().Set("X-Outer", "2")
				return errors.Join(c.HTML(201, "<p>created"), errors.New("no"))
			},
			500, `{"message":"Internal Server Error"}` + "\n",
			http.Header{"Content-Type": {"application/json"}, "X-Outer": {"1"}},
		},
		{
			"ErrorAfterFailure",
			func(c echo.Context) error { return errors.Join(c.String(410, "gone"), errors.New("logged")) },
			410, "gone",
			http.Header{"Content-Type": {"text/plain; charset=UTF-8"}, "X-Outer": {"1"}},
		},
		{
			"PanicBeforeWriting",
			func(echo.Context) error { panic("no") },
			500, `{"message":"Internal Server Error"}` + "\n",
			http.Header{"Content-Type": {"application/json"}, "X-Outer": {"1"}},
		},
		{
			"PanicAfterSuccess",
			func(c echo.Context) error { panic(c.HTML(201, "<p>created")) },
			500, `{"message":"Internal Server Error"}` + "\n",
			http.Header{"Content-Type": {"application/json"}, "X-Outer": {"1"}},
		},
	} {
		failed := func(t *testing.T, target string, h echo.HandlerFunc) {
			t.Helper()
			pub := &recorder{}
			e := echo.New()
			e.Use(recoverer, func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c echo.Context) error {
					c.Response().Header().Set("X-Outer", "1")
					return next(c)
				}
			}, middleware.AppLifecycle(pub, app))
			e.POST(target, h)
			rec := (&bundle{Echo: e}).do(http.MethodPost, target)
			if rec.Code != tc.status || rec.Body.String() != tc.body {
				t.Errorf("answer is %d %q, want %d %q", rec.Code, rec.Body, tc.status, tc.body)
			}
			if diff := cmp.Diff(tc.header, rec.Header()); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			equal(t, pub.said(), nil)
		}
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			failed(t, "/instances", tc.h)
		})
		t.Run(tc.name+"AfterEmit", func(t *testing.T) {
			t.Parallel()
			failed(t, "/approve", func(c echo.Context) error {
				if err := middleware.Emit(c, app.Event(approved, instance())); err != nil {
					return err
				}
				return tc.h(c)
			})
		})
	}

	// echo.WrapMiddleware leaves a response of its own in the context, and Gzip a writer
	// that leads nowhere once it is over.
	for _, emits := range []bool{false, true} {
		for _, panics := range []bool{false, true} {
			t.Run(fmt.Sprintf("BetweenGzipAndWrapMiddleware/emits=%v,panics=%v", emits, panics), func(t *testing.T) {
				t.Parallel()
				pub := &recorder{}
				e := echo.New()
				e.Use(recoverer, echomiddleware.Gzip(), middleware.AppLifecycle(pub, app),
					echo.WrapMiddleware(func(next http.Handler) http.Handler { return next }))
				target := "/instances"
				if emits {
					target = "/approve"
				}
				e.POST(target, func(c echo.Context) error {
					if emits {
						if err := middleware.Emit(c, app.Event(approved, instance())); err != nil {
							return err
						}
					}
					err := errors.Join(c.JSONBlob(201, []byte(instanceJSON)), errors.New("no"))
					if panics {
						panic(err)
					}
					return err
				})
				r := httptest.NewRequest(http.MethodPost, target, http.NoBody)
				r.Header.Set(echo.HeaderAcceptEncoding, "gzip")
				rec := httptest.NewRecorder()
				e.ServeHTTP(rec, r)
				if want := `{"message":"Internal Server Error"}` + "\n"; rec.Code != 500 || rec.Body.String() != want {
					t.Errorf("answer is %d %q, want 500 %q", rec.Code, rec.Body, want)
				}
				equal(t, pub.said(), nil)
			})
		}
	}

	t.Run("PublisherPanicsWhileFlushing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, middleware.AppLifecycleConfig{})
		b.pub.seen = func(context.Context) { panic("no") }
		rec := b.create(func(c echo.Context) error {
			defer func() { _ = recover() }()
			if err := serve(201, instanceJSON)(c); err != nil {
				return err
			}
			c.Response().Flush()
			return nil
		})
		if rec.Code != 500 {
			t.Errorf("answer is %d %s", rec.Code, rec.Body)
		}
	})
	t.Run("PublisherPanics", func(t *testing.T) {
		t.Parallel()
		b := setup(t, middleware.AppLifecycleConfig{})
		b.pub.seen = func(context.Context) { panic("no") }
		b.Pre(recoverer)
		rec := b.create(serve(201, instanceJSON))
		if rec.Code != 500 {
			t.Errorf("answer is %d %s", rec.Code, rec.Body)
		}
	})
}

// TestAnswersAreUnchanged runs handlers with and without the lifecycle, over a
// socket, and wants the same answers.
func TestAnswersAreUnchanged(t *testing.T) {
	t.Parallel()
	handlers := map[string]echo.HandlerFunc{
		"JSON":      serve(201, instanceJSON),
		"Silent":    func(echo.Context) error { return nil },
		"NoContent": func(c echo.Context) error { return c.NoContent(204) },
		"BodyWhereNoneMayBe": func(c echo.Context) error {
			c.Response().WriteHeader(204)
			if _, err := c.Response().Write([]byte("body")); !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Errorf("Write returned %v", err)
			}
			return nil
		},
		"NotModified": func(c echo.Context) error { return c.NoContent(304) },
		"Error":       func(echo.Context) error { return echo.ErrTeapot },
		"Failure":     func(c echo.Context) error { return c.String(422, "no") },
		"SniffedType": func(c echo.Context) error {
			_, err := c.Response().Write([]byte("<html><body>"))
			return err
		},
		"ImplicitStatus": func(c echo.Context) error {
			_, err := c.Response().Writer.Write([]byte(instanceJSON))
			return err
		},
		"SecondStatus": func(c echo.Context) error {
			c.Response().Writer.WriteHeader(202)
			c.Response().Writer.WriteHeader(200)
			return nil
		},
		"ManyWrites": func(c echo.Context) error {
			for range 3000 {
				if _, err := io.WriteString(c.Response(), "0123456789"); err != nil {
					return err
				}
			}
			return nil
		},
		"HeaderAfterWriting": func(c echo.Context) error {
			err := c.String(200, "text")
			c.Response().Header().Set("X-Late", "1")
			return err
		},
		"Trailers": func(c echo.Context) error {
			c.Response().Header().Set("Trailer", "X-Declared")
			err := c.Stream(200, "text/plain", io.LimitReader(zeros{}, 10_000))
			c.Response().Header().Set("X-Declared", "1")
			c.Response().Header().Set(http.TrailerPrefix+"X-Undeclared", "2")
			return err
		},
		"EarlyHints": func(c echo.Context) error {
			c.Response().Header().Set("Link", "</style.css>; rel=preload")
			c.Response().Writer.WriteHeader(http.StatusEarlyHints)
			return c.String(200, "text")
		},
		"ContentLength": func(c echo.Context) error {
			c.Response().Header().Set(echo.HeaderContentLength, "4")
			return c.String(200, "text")
		},
	}
	type answer struct {
		Hints            []textproto.MIMEHeader
		Status           int
		Header, Trailer  http.Header
		TransferEncoding []string
		Body             string
	}
	ask := func(t *testing.T, method string, h echo.HandlerFunc, mw ...echo.MiddlewareFunc) answer {
		t.Helper()
		e := echo.New()
		e.Use(mw...)
		e.Add(method, "/ttd/apps-test/instances", h)
		var hints []textproto.MIMEHeader
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
			hints = append(hints, h)
			return nil
		}})
		res, body := sendContext(ctx, t, server(t, e), method, "/ttd/apps-test/instances")
		res.Header.Del("Date")
		return answer{hints, res.StatusCode, res.Header, res.Trailer, res.TransferEncoding, body}
	}
	emitting := func(h echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if err := middleware.Emit(c, app.Event(approved, instance())); err != nil {
				return err
			}
			return h(c)
		}
	}
	for name, h := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mount := func(after bool) echo.MiddlewareFunc {
				return middleware.AppLifecycleWithConfig(middleware.AppLifecycleConfig{Publisher: &recorder{}, App: app, AfterResponse: after})
			}
			for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodHead} {
				want := ask(t, method, h)
				for how, got := range map[string]answer{
					"Before":     ask(t, method, h, mount(false)),
					"After":      ask(t, method, h, mount(true)),
					"BeforeEmit": ask(t, method, emitting(h), mount(false)),
					"AfterEmit":  ask(t, method, emitting(h), mount(true)),
				} {
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s %s (-without +with the lifecycle):\n%s", method, how, diff)
					}
				}
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}
