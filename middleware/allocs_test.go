package middleware_test

import (
	"math"
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
)

// TestLifecycle_Allocates holds what the middleware adds to a request.
func TestLifecycle_Allocates(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the whole process
	const health, instances = "/ttd/apps-test/health", "/ttd/apps-test/instances"
	lifecycle := middleware.AppLifecycle(accepting{}, app)
	use := func(mw ...echo.MiddlewareFunc) *echo.Echo {
		e := echo.New()
		e.Use(mw...)
		e.GET(health, func(echo.Context) error { return nil })
		e.POST("/:org/:app/instances", serve(http.StatusCreated, instanceJSON))
		return e
	}
	beside := func(mw ...echo.MiddlewareFunc) *echo.Echo {
		e := echo.New()
		e.Group("/ttd/apps-test", mw...).POST("/instances", serve(http.StatusCreated, instanceJSON))
		e.GET(health, func(echo.Context) error { return nil })
		return e
	}
	for _, tc := range []struct { //nolint:paralleltest // see above
		name         string
		with         *echo.Echo
		without      *echo.Echo
		method, path string
		want         float64
	}{
		{"OfARouteThatNoRuleIsAbout", use(lifecycle), use(pass), http.MethodGet, health, 0},
		{"OfARouteBesideItsGroup", beside(lifecycle), beside(), http.MethodGet, health, 0},
		// Echo's closure, the writer and what becomes of it, the texts of the instance,
		// and seven of an event.Event with three extensions.
		{"OfALifecycleRoute", use(lifecycle), use(), http.MethodPost, instances, 11},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := allocs(t, tc.with, tc.method, tc.path) - allocs(t, tc.without, tc.method, tc.path); got > tc.want {
				t.Errorf("adds %v allocations, want %v", got, tc.want)
			}
		})
	}
}

// allocs returns how often a request allocates at least: the garbage collector, and
// the race detector, have pools forget what they hold.
func allocs(t *testing.T, e *echo.Echo, method, path string) float64 {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	w := discard{http.Header{}}
	least := math.Inf(1)
	for range 200 {
		least = min(least, testing.AllocsPerRun(1, func() {
			clear(w.header)
			e.ServeHTTP(w, r)
		}))
	}
	return least
}
