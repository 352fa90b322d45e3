package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/labstack/echo/v4"
	echomiddleware "github.com/labstack/echo/v4/middleware"
)

// accepting is a publisher that takes everything and costs nothing.
type accepting struct{}

func (accepting) Publish(context.Context, ...event.Event) error { return nil }
func (accepting) Validate(...event.Event) error                 { return nil }

// swallowing is a queue that keeps nothing, so that only the way to it is measured.
type swallowing struct{}

func (swallowing) Enqueue(context.Context, ...outbox.Item) error { return nil }

func (swallowing) Run(ctx context.Context, _ func(context.Context, outbox.Item) outbox.Outcome) error {
	<-ctx.Done()
	return nil
}
func (swallowing) Drain(context.Context) error { return nil }
func (swallowing) Close(context.Context) error { return nil }

// discardWriter is a http.ResponseWriter that keeps nothing.
type discardWriter struct{ header http.Header }

func (w discardWriter) Header() http.Header         { return w.header }
func (w discardWriter) WriteHeader(int)             {}
func (w discardWriter) Write(b []byte) (int, error) { return len(b), nil }

// requests is a side that serves one request again and again.
func requests(e *echo.Echo, method, path string) side {
	r, err := http.NewRequestWithContext(context.Background(), method, path, http.NoBody)
	if err != nil {
		panic(err)
	}
	w := discardWriter{http.Header{}}
	return func(n int) error {
		for range n {
			clear(w.header)
			e.ServeHTTP(w, r)
		}
		return nil
	}
}

const (
	healthRoute    = "/ttd/apps-test/health"
	instancesRoute = "/ttd/apps-test/instances"
)

func noOp(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error { return next(c) }
}

// health serves a route that no rule is about, below the middleware.
func health(mw ...echo.MiddlewareFunc) side {
	e := echo.New()
	e.Use(mw...)
	e.GET(healthRoute, func(echo.Context) error { return nil })
	return requests(e, http.MethodGet, healthRoute)
}

// besideGroup serves a route beside a group that has the middleware.
func besideGroup(mw ...echo.MiddlewareFunc) side {
	e := echo.New()
	e.Group("/ttd/apps-test", mw...).POST("/instances", func(echo.Context) error { return nil })
	e.GET("/health", func(echo.Context) error { return nil })
	return requests(e, http.MethodGet, "/health")
}

func skipGlobal(l *lab) (figure, error) {
	r, err := l.run(contest{
		subject: health(middleware.AppLifecycle(accepting{}, testApp)), peer: health(noOp), base: health(),
	})
	return r.figure(), err
}

func skipGlobalAllocs(*lab) (figure, error) {
	return added(health(middleware.AppLifecycle(accepting{}, testApp)), health(noOp))
}

func skipGroup(l *lab) (figure, error) {
	r, err := l.run(contest{
		subject: besideGroup(middleware.AppLifecycle(accepting{}, testApp)), peer: besideGroup(),
	})
	return r.figure(), err
}

func skipGroupAllocs(*lab) (figure, error) {
	return added(besideGroup(middleware.AppLifecycle(accepting{}, testApp)), besideGroup())
}

// added is how many allocations of an operation the subject has more than the base.
func added(subject, base side) (figure, error) {
	with, err := allocations(subject)
	if err != nil {
		return figure{}, err
	}
	without, err := allocations(base)
	return count(with - without), err
}

// answer is an instance as the App API answers with it, of at least size bytes.
func answer(size int) []byte {
	instance := map[string]any{
		"id": testInstance.ID, "appId": "ttd/apps-test", "org": "ttd",
		"instanceOwner": map[string]any{"partyId": "50019855", "organisationNumber": "897069631"},
		"process":       map[string]any{"started": testTime, "currentTask": map[string]any{"elementId": "Task_1", "altinnTaskType": "data"}},
	}
	var data []map[string]any
	for {
		instance["data"] = data
		b, err := json.Marshal(instance)
		if err != nil {
			panic(err)
		}
		if len(b) >= size {
			return b
		}
		data = append(data, map[string]any{
			"id": "0192f0c1-7b1a-7000-8000-000000000001", "dataType": "model", "contentType": "application/xml", "size": 1024,
			"selfLinks": map[string]any{"apps": "https://ttd.apps.altinn.no/ttd/apps-test/instances/" + testInstance.ID + "/data"},
			"locked":    false, "tags": []string{},
		})
	}
}

// instances serves a lifecycle route with an answer of about size bytes.
func instances(size int, inHandler func(echo.Context), mw ...echo.MiddlewareFunc) side {
	e := echo.New()
	e.Use(mw...)
	body := answer(size)
	e.POST("/:org/:app/instances", func(c echo.Context) error {
		if inHandler != nil {
			inHandler(c)
		}
		return c.JSONBlob(http.StatusCreated, body)
	})
	return requests(e, http.MethodPost, instancesRoute)
}

// capture is the answer held and released, and nothing said about it.
func capture(size int) func(*lab) (figure, error) {
	return func(l *lab) (figure, error) {
		dump := echomiddleware.BodyDump(func(echo.Context, []byte, []byte) {})
		r, err := l.run(contest{
			subject: instances(size, middleware.Published, middleware.AppLifecycle(accepting{}, testApp)),
			peer:    instances(size, nil, dump),
			base:    instances(size, nil),
		})
		return r.figure(), err
	}
}

// toQueue is the whole way to a queue.
func toQueue() (side, func() error, error) {
	p, err := publisher.New(sender{}, publisher.Config{Queue: swallowing{}})
	if err != nil {
		return nil, nil, err
	}
	stop := func() error { return p.Close(context.Background()) }
	return instances(1500, nil, middleware.AppLifecycle(p, testApp)), stop, nil
}

func wholePath(size int) func(*lab) (figure, error) {
	return func(l *lab) (figure, error) {
		p, err := publisher.New(sender{}, publisher.Config{Queue: swallowing{}})
		if err != nil {
			return figure{}, err
		}
		r, err := l.run(contest{
			subject: instances(size, nil, middleware.AppLifecycle(p, testApp)),
			peer:    instances(size, nil, echomiddleware.BodyDump(dumpedEvent)),
			base:    instances(size, nil),
		})
		if err == nil {
			err = p.Close(context.Background())
		}
		return r.figure(), err
	}
}

func wholePathAllocs(*lab) (figure, error) {
	subject, stop, err := toQueue()
	if err != nil {
		return figure{}, err
	}
	f, err := added(subject, instances(1500, nil))
	if err == nil {
		err = stop()
	}
	return f, err
}

// dumpedEvent is what one writes with BodyDump and the SDK.
func dumpedEvent(_ echo.Context, _, body []byte) {
	var instance models.Instance
	if err := json.Unmarshal(body, &instance); err != nil {
		panic(err)
	}
	ev := event.New()
	ev.SetID(newID())
	ev.SetTime(time.Now())
	ev.SetType(models.TypeInstanceCreated)
	ev.SetSource("https://ttd.apps.altinn.no/ttd/apps-test/instances/" + instance.ID)
	ev.SetSubject("/party/" + instance.InstanceOwner.PartyID)
	ev.SetExtension(models.ExtAlternativeSubject, "/organisation/"+instance.InstanceOwner.OrganisationNumber)
	ev.SetExtension(models.ExtResource, "urn:altinn:resource:app_ttd_apps-test")
	ev.SetExtension(models.ExtResourceInstance, strings.Clone(instance.ID))
	if err := ev.Validate(); err != nil {
		panic(err)
	}
	if _, err := json.Marshal(ev); err != nil {
		panic(err)
	}
}
