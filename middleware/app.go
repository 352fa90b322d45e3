package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/models"
)

// AppLifecycleConfig configures AppLifecycleWithConfig. Publisher and App are
// required.
type AppLifecycleConfig struct {
	// Skipper leaves requests out: for those that it returns true for, nothing
	// is published and Emit returns ErrNotMounted. A Skipper of Echo's own
	// middleware package fits. Defaults to none.
	Skipper func(c echo.Context) bool

	// Publisher takes the events.
	Publisher Publisher

	// App is the app whose routes these are.
	App models.App

	// Instance looks up an instance by its party id and GUID, to tell its owner.
	// The answers of the process routes and of copy do not: without Instance
	// their events have the subject "/party/{id}" of the route and no
	// alternative subject. Its error makes the event undecided.
	Instance func(ctx context.Context, partyID, instanceGUID string) (models.Instance, error)

	// AfterResponse publishes when the handler has succeeded and holds nothing
	// back: an answer may be out before its event is accepted, and the outcome
	// cannot change it. It needs a Publisher with a queue; one that has no
	// method Queued is taken to have one. Defaults to publishing before the
	// response.
	AfterResponse bool

	// FailClosed answers 500 with problem details, in place of the handler,
	// when an event could not be decided or accepted. Without it the answer
	// stays as it is and the event is lost, which is logged and told to
	// ErrorHandler. It excludes AfterResponse.
	FailClosed bool

	// PublishTimeout bounds what happens between the handler and the answer:
	// lookups and Publish together. The client's going away does not end it.
	// Defaults to 2 s, -1 is none.
	PublishTimeout time.Duration

	// MaxResponseBytes bounds what is held of an answer, per request. A longer
	// answer is decided from its first bytes and then streams. Defaults to
	// 1 MiB, -1 is unbounded.
	MaxResponseBytes int

	// ErrorHandler is called whenever an event could not be decided
	// (ErrUndecided, *models.ValidationError) or accepted (an error of Publish).
	// What it returns replaces the error: nil releases the answer, anything else
	// closes it as FailClosed does and is returned to Echo. With AfterResponse
	// what it returns is ignored. It must not answer itself. Defaults to
	// returning the error if FailClosed, else nil.
	ErrorHandler func(err error, c echo.Context) error

	// Logger gets a line for every event that could not be decided or
	// accepted. Keys: method, route (the template), event_type, error.
	// Defaults to the Publisher's own, if it tells one, else to silence.
	Logger *slog.Logger
}

// AppLifecycle returns a middleware that publishes what happens to the instances
// of app: the App API's own routes are recognised, at any group prefix, and
// their events follow from route and answer. The package comment lists them.
//
// It panics if pub is nil or app is not valid.
func AppLifecycle(pub Publisher, app models.App) echo.MiddlewareFunc {
	return AppLifecycleWithConfig(AppLifecycleConfig{Publisher: pub, App: app})
}

// AppLifecycleWithConfig is AppLifecycle with a configuration. It panics if that
// has faults; ToMiddleware returns them.
func AppLifecycleWithConfig(config AppLifecycleConfig) echo.MiddlewareFunc {
	return must(config.ToMiddleware())
}

// ToMiddleware returns the middleware, or every fault of the configuration.
func (config AppLifecycleConfig) ToMiddleware() (echo.MiddlewareFunc, error) {
	s := settings{
		skipper:          config.Skipper,
		publisher:        config.Publisher,
		afterResponse:    config.AfterResponse,
		failClosed:       config.FailClosed,
		publishTimeout:   config.PublishTimeout,
		maxResponseBytes: config.MaxResponseBytes,
		errorHandler:     config.ErrorHandler,
		logger:           config.Logger,
	}
	if err := errors.Join(s.validate(), config.App.Validate()); err != nil {
		return nil, fmt.Errorf("middleware.AppLifecycleConfig: %w", err)
	}
	r := appRules{app: config.App, lookup: config.Instance}
	return newLifecycle(s, config.App.Source(""), r.rules()).middleware, nil
}

// appRules are the routes of the App API that say that something has happened.
//
// Source: Altinn/app-lib-dotnet, InstancesController.cs, ProcessController.cs
// and ProcessEventDispatcher.cs (2026-06).
type appRules struct {
	app    models.App
	lookup func(ctx context.Context, partyID, instanceGUID string) (models.Instance, error)
}

func (a appRules) rules() rules {
	created, substatus := a.answered(a.app.Created), a.answered(a.app.SubstatusChanged)
	return rules{
		get: []rule{
			{tail: "/legacy/instances/:/:/copy", redirect: true, events: a.copied},
		},
		post: []rule{
			{tail: "/instances", body: true, events: created},
			{tail: "/instances/create", body: true, events: created},
		},
		put: []rule{
			{tail: "/instances/:/:/process/next", body: true, events: a.moved},
			{tail: "/instances/:/:/process/completeProcess", body: true, events: a.moved},
			{tail: "/instances/:/:/substatus", body: true, events: substatus},
		},
	}
}

// answered is for routes that answer with the instance.
func (a appRules) answered(build func(models.Instance) event.Event) func(context.Context, *exchange) ([]event.Event, error) {
	return func(_ context.Context, x *exchange) ([]event.Event, error) {
		instance, err := x.instance()
		if err != nil {
			return nil, err
		}
		return x.event(build(instance)), nil
	}
}

// copied is for the route that answers with the address of the copy, which ends
// in "/{party}/{guid}".
func (a appRules) copied(ctx context.Context, x *exchange) ([]event.Event, error) {
	location, _, _ := strings.Cut(x.header.Get(echo.HeaderLocation), "?")
	rest, guid := cutLastSegment(strings.TrimSuffix(location, "/"))
	_, party := cutLastSegment(rest)
	if party == "" || guid == "" {
		return nil, fmt.Errorf("%w: its Location does not end in /{party}/{guid}", ErrUndecided)
	}
	instance, err := a.instance(ctx, party, guid)
	if err != nil {
		return nil, err
	}
	return x.event(a.app.Created(instance)), nil
}

// moved is for routes that answer with where the process stands.
func (a appRules) moved(ctx context.Context, x *exchange) ([]event.Event, error) {
	var process models.ProcessState
	if err := x.decode(&process, "currentTask", "endEvent"); err != nil {
		return nil, err
	}
	task := ""
	if process.CurrentTask != nil {
		task = process.CurrentTask.ElementID
	}
	if task == "" && process.EndEvent == "" {
		return nil, fmt.Errorf("%w: it has neither currentTask.elementId nor endEvent", ErrUndecided)
	}
	route := x.lastParams(2)
	instance, err := a.instance(ctx, route[0], route[1])
	switch {
	case err != nil:
		return nil, err
	case task != "":
		return x.event(a.app.MovedTo(instance, task)), nil
	default:
		return x.event(a.app.Completed(instance)), nil
	}
}

// instance returns the instance of a route, with its owner as far as known.
func (a appRules) instance(ctx context.Context, party, guid string) (models.Instance, error) {
	instance := models.Instance{ID: party + "/" + guid}
	if a.lookup != nil {
		found, err := a.lookup(ctx, party, guid)
		if err != nil {
			return models.Instance{}, fmt.Errorf("%w: look up the instance: %w", ErrUndecided, err)
		}
		instance.InstanceOwner = found.InstanceOwner
	}
	return instance, nil
}
