package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/testutil"
)

// lifetime is what the template app below does to one instance, in order.
var lifetime = []string{
	models.TypeInstanceCreated,
	models.TypeProcessMovedTo("Task_2"),
	models.TypeSubstatusChanged,
	models.TypeProcessCompleted,
}

// newTemplate returns an app that knows nothing of events but for the one line
// that mounts the lifecycle.
func newTemplate(pub middleware.Publisher) *echo.Echo {
	e := echo.New()
	e.Use(middleware.AppLifecycle(pub, models.App{Org: "ttd", Name: "apps-test"}))
	instances := e.Group("/:org/:app/instances")
	instances.POST("", func(c echo.Context) error {
		return c.JSON(http.StatusCreated, models.Instance{
			ID:            "50019855/" + uuid.NewString(),
			InstanceOwner: models.InstanceOwner{PartyID: "50019855", PersonNumber: "01017512345"},
		})
	})
	instances.PUT("/:party/:guid/process/next", func(c echo.Context) error {
		if c.QueryParam("to") == "end" {
			return c.JSON(http.StatusOK, models.ProcessState{EndEvent: "EndEvent_1"})
		}
		return c.JSON(http.StatusOK, models.ProcessState{CurrentTask: &models.ProcessTask{ElementID: "Task_2"}})
	})
	instances.PUT("/:party/:guid/substatus", func(c echo.Context) error {
		return c.JSON(http.StatusOK, models.Instance{
			ID:            c.Param("party") + "/" + c.Param("guid"),
			InstanceOwner: models.InstanceOwner{PartyID: c.Param("party")},
		})
	})
	return e
}

// live creates an instance and leads it to its end.
func live(ctx context.Context, client *http.Client, address string) error {
	base := address + "/ttd/apps-test/instances"
	created, err := request(ctx, client, http.MethodPost, base)
	if err != nil {
		return err
	}
	_, id, _ := strings.Cut(created, `"id":"`)
	id, _, _ = strings.Cut(id, `"`)
	for _, path := range []string{"/process/next", "/substatus", "/process/next?to=end"} {
		if _, err := request(ctx, client, http.MethodPut, base+"/"+id+path); err != nil {
			return err
		}
	}
	return nil
}

func request(ctx context.Context, client *http.Client, method, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %s %s", method, url, res.Status, body)
	}
	return string(body), err
}

// inProcess is a transport that serves with handler.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	t.handler.ServeHTTP(rec, req)
	return rec.Result(), nil
}

// requireLifetimes fails unless the sink has n instances, each with its whole
// lifetime in order.
func requireLifetimes(t *testing.T, sink *testutil.Sink, n int) {
	t.Helper()
	bySource := map[string][]string{}
	for _, ev := range sink.Events() {
		bySource[ev.Source()] = append(bySource[ev.Source()], ev.Type())
	}
	if len(bySource) != n {
		t.Errorf("%d instances at the sink, want %d", len(bySource), n)
	}
	for source, types := range bySource {
		if diff := cmp.Diff(lifetime, types); diff != "" {
			t.Errorf("%s (-want +got):\n%s", source, diff)
			return
		}
	}
}

func TestEndToEnd_EndpointDownForAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const instances = 200
		sink := testutil.NewSink(t)
		up := sink.Inject(testutil.Fault{Status: http.StatusServiceUnavailable})
		pub := sink.PublisherWithConfig(t, publisher.Config{Queue: outbox.NewMemory(outbox.Config{})})
		client := &http.Client{Transport: inProcess{newTemplate(pub)}}
		for range instances {
			if err := live(t.Context(), client, "http://app"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		if n := len(sink.Events()); n != 0 {
			t.Fatalf("%d events arrived while the endpoint was down", n)
		}
		up()
		if err := pub.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		requireLifetimes(t, sink, instances)
	})
}

func TestEndToEnd_HalfOfTheAnswersFail(t *testing.T) {
	t.Parallel()
	const instances = 250 // times 4 requests
	sink := testutil.NewSink(t)
	sink.Inject(testutil.Fault{Status: http.StatusServiceUnavailable, Rate: 0.5, Seed: 1})
	pub := sink.PublisherWithConfig(t, publisher.Config{
		Queue: outbox.NewMemory(outbox.Config{}),
		Retry: publisher.RetryPolicy{Base: time.Millisecond, Max: 5 * time.Millisecond},
	})
	server := httptest.NewServer(newTemplate(pub))
	defer server.Close()
	defer server.Client().CloseIdleConnections()

	var clients sync.WaitGroup
	var failed atomic.Pointer[error]
	for range instances {
		clients.Go(func() {
			if err := live(t.Context(), server.Client(), server.URL); err != nil {
				failed.Store(&err)
			}
		})
	}
	clients.Wait()
	if err := failed.Load(); err != nil {
		t.Fatal(*err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := pub.Close(ctx); err != nil {
		t.Fatal(err)
	}
	requireLifetimes(t, sink, instances)
}

func TestEndToEnd_ClientGoneBeforeTheEnd(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSink(t)
	e := newTemplate(sink.Publisher(t))
	gone, leave := context.WithCancel(t.Context())
	e.Pre(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			leave()
			return next(c)
		}
	})
	_, err := request(gone, &http.Client{Transport: inProcess{e}}, http.MethodPost, "http://app/ttd/apps-test/instances")
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	sink.Require(t, testutil.Want{Type: models.TypeInstanceCreated, AlternativeSubject: "/person/01017512345"})
}
