package middleware_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
)

const (
	party        = "50019855"
	guid         = "428a4575-2c04-4400-89a3-1aaadd2579cd"
	person       = "01017512345"
	organisation = "897069650"

	instanceJSON = `{"id":"` + party + `/` + guid + `","instanceOwner":{"partyId":"` + party + `","personNumber":"` + person + `"},` +
		`"appId":"ttd/apps-test","org":"ttd","data":[{"id":"c52f40eb-ff21-4ae0-8d8e-2c2ea9a5a1b7","size":401}]}`
	source = "https://ttd.apps.altinn.no/ttd/apps-test/instances/" + party + "/" + guid
)

var (
	app      = models.App{Org: "ttd", Name: "apps-test"}
	errDown  = errors.New("endpoint down")
	errOwner = errors.New("no such instance")
)

// recorder is a Publisher that keeps what it is given, unless err is set.
type recorder struct {
	mu     sync.Mutex
	err    error
	events []event.Event
	calls  int
	// seen is called with the context of every Publish.
	seen func(context.Context)
}

func (r *recorder) Publish(ctx context.Context, events ...event.Event) error {
	if r.seen != nil {
		r.seen(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.err != nil {
		return r.err
	}
	r.events = append(r.events, events...)
	return nil
}

// said lists what was published, as "type source subject alternativesubject".
func (r *recorder) said() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	said := []string{}
	for _, ev := range r.events {
		alternative, _ := ev.Extensions()[models.ExtAlternativeSubject].(string)
		said = append(said, strings.TrimSpace(ev.Type()+" "+ev.Subject()+" "+alternative))
	}
	return said
}

// types lists the types of what was published.
func (r *recorder) types() []string {
	types := []string{}
	for _, said := range r.said() {
		t, _, _ := strings.Cut(said, " ")
		types = append(types, t)
	}
	return types
}

// bundle is an Echo with an app's lifecycle.
type bundle struct {
	*echo.Echo

	pub *recorder
	// observed is what ErrorHandler was told.
	observed []error
}

// setup mounts cfg with a recorder as its Publisher, unless it has one. An
// ErrorHandler that only observes stands in for none.
func setup(t *testing.T, cfg middleware.AppLifecycleConfig) *bundle {
	t.Helper()
	b := &bundle{Echo: echo.New(), pub: &recorder{}}
	cfg.Publisher = cmp.Or[middleware.Publisher](cfg.Publisher, b.pub)
	cfg.App = cmp.Or(cfg.App, app)
	if cfg.ErrorHandler == nil {
		closed := cfg.FailClosed
		cfg.ErrorHandler = func(err error, _ echo.Context) error {
			b.observed = append(b.observed, err)
			if closed {
				return err
			}
			return nil
		}
	}
	b.Use(middleware.AppLifecycleWithConfig(cfg))
	return b
}

// do serves one request in process.
func (b *bundle) do(method, target string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	b.ServeHTTP(rec, httptest.NewRequest(method, target, http.NoBody))
	return rec
}

// create serves a request that creates an instance, handled by h.
func (b *bundle) create(h echo.HandlerFunc) *httptest.ResponseRecorder {
	b.POST("/:org/:app/instances", h)
	return b.do(http.MethodPost, "/ttd/apps-test/instances")
}

// serve answers with a body.
func serve(status int, body string) echo.HandlerFunc {
	return func(c echo.Context) error { return c.JSONBlob(status, []byte(body)) }
}

// recoverer is what Echo's Recover does.
func recoverer(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		defer func() {
			if r := recover(); r != nil {
				c.Error(errors.New("recovered"))
			}
		}()
		return next(c)
	}
}

// server is an Echo behind a socket.
func server(t *testing.T, e http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(e)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// send sends a request over a socket and reads the whole answer.
func send(t *testing.T, s *httptest.Server, method, path string) (*http.Response, string) {
	t.Helper()
	return sendContext(t.Context(), t, s, method, path)
}

func sendContext(ctx context.Context, t *testing.T, s *httptest.Server, method, path string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func equal(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("published\n got %q\nwant %q", got, want)
	}
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}
