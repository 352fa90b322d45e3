package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
)

// accepting is a Publisher that takes everything and costs nothing.
type accepting struct{}

func (accepting) Publish(context.Context, ...event.Event) error { return nil }
func (accepting) Validate(...event.Event) error                 { return nil }

func pass(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error { return next(c) }
}

func benchmark(b *testing.B, e *echo.Echo, method, path string) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, path, http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	w := discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		e.ServeHTTP(w, r)
	}
}

// BenchmarkSkip is a route that no rule is about, below a middleware on the Echo.
func BenchmarkSkip(b *testing.B) {
	for _, mounted := range []struct {
		name string
		mw   []echo.MiddlewareFunc
	}{
		{"Nothing", nil},
		{"NoOp", []echo.MiddlewareFunc{pass}},
		{"Lifecycle", []echo.MiddlewareFunc{middleware.AppLifecycle(accepting{}, app)}},
	} {
		b.Run(mounted.name, func(b *testing.B) {
			e := echo.New()
			e.Use(mounted.mw...)
			e.GET("/ttd/apps-test/health", func(echo.Context) error { return nil })
			benchmark(b, e, http.MethodGet, "/ttd/apps-test/health")
		})
	}
}

// BenchmarkGroup is a route beside a group that has the middleware.
func BenchmarkGroup(b *testing.B) {
	for _, mounted := range []struct {
		name string
		mw   []echo.MiddlewareFunc
	}{
		{"Nothing", nil},
		{"Lifecycle", []echo.MiddlewareFunc{middleware.AppLifecycle(accepting{}, app)}},
	} {
		b.Run(mounted.name, func(b *testing.B) {
			e := echo.New()
			e.Group("/ttd/apps-test", mounted.mw...).POST("/instances", serve(201, instanceJSON))
			e.GET("/health", func(echo.Context) error { return nil })
			benchmark(b, e, http.MethodGet, "/health")
		})
	}
}

// BenchmarkMatch is a lifecycle route: Capture holds the answer and reads nothing
// of it, Event builds the event, too.
func BenchmarkMatch(b *testing.B) {
	lifecycle := []echo.MiddlewareFunc{middleware.AppLifecycle(accepting{}, app)}
	for _, size := range []int{1500, 64 << 10} {
		answer := long(size)
		for _, mounted := range []struct {
			name string
			mw   []echo.MiddlewareFunc
			say  func(c echo.Context)
		}{
			{"Nothing", nil, func(echo.Context) {}},
			{"Capture", lifecycle, middleware.Published},
			{"Event", lifecycle, func(echo.Context) {}},
		} {
			b.Run(fmt.Sprintf("%dB/%s", size, mounted.name), func(b *testing.B) {
				e := echo.New()
				e.Use(mounted.mw...)
				e.POST("/:org/:app/instances", func(c echo.Context) error {
					mounted.say(c)
					return c.JSONBlob(http.StatusCreated, answer)
				})
				benchmark(b, e, http.MethodPost, "/ttd/apps-test/instances")
			})
		}
	}
}
