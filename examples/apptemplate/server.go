package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
)

// instance is what the app keeps and answers: the part that events need, and
// its substatus.
type instance struct {
	models.Instance

	Status *status `json:"status,omitempty"`
}

type status struct {
	Substatus *substatus `json:"substatus,omitempty"`
}

type substatus struct {
	Label       string `json:"label"`
	Description string `json:"description,omitempty"`
}

var (
	errNotFound = errors.New("there is no such instance")
	errEnded    = errors.New("the process has ended")
)

// server has the app's routes.
type server struct {
	app   models.App
	store store
}

func newServer(app models.App, store store, pub *publisher.Publisher, logger *slog.Logger) *echo.Echo {
	s := server{app: app, store: store}
	e := echo.New()
	e.HTTPErrorHandler = answerProblem
	e.GET("/health", func(c echo.Context) error { return c.String(http.StatusOK, "ok") })

	instances := e.Group("/"+app.Org+"/"+app.Name+"/instances",
		middleware.AppLifecycleWithConfig(middleware.AppLifecycleConfig{
			Publisher: pub, App: app, FailClosed: true, Logger: logger,
		}))
	instances.POST("", s.create)
	instances.GET("/:party/:guid", s.get)
	instances.PUT("/:party/:guid/process/next", s.next)
	instances.PUT("/:party/:guid/substatus", s.setSubstatus)
	instances.DELETE("/:party/:guid", s.delete)
	return e
}

// create makes an instance; it and its event are one transaction.
func (s server) create(c echo.Context) error {
	var in instance
	if err := decode(c, &in); err != nil {
		return err
	}
	now := time.Now().UTC()
	in.ID = in.InstanceOwner.PartyID + "/" + uuid.NewString()
	in.AppID, in.Org = s.app.Org+"/"+s.app.Name, s.app.Org
	in.Process = &models.ProcessState{
		Started:     &now,
		StartEvent:  "StartEvent_1",
		CurrentTask: &models.ProcessTask{ElementID: "Task_1", AltinnTaskType: "data"},
	}
	in.Status = nil
	err := s.store.inTx(c.Request().Context(), func(tx transaction) error {
		if err := tx.put(in); err != nil {
			return err
		}
		return tx.publish(s.app.Created(in.Instance))
	})
	if err != nil {
		return err
	}
	middleware.Published(c)
	c.Response().Header().Set(echo.HeaderLocation, s.app.Source(in.ID))
	return c.JSON(http.StatusCreated, in)
}

func (s server) get(c echo.Context) error {
	in, err := s.change(c, func(transaction, *instance) error { return nil })
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, in)
}

// next moves the process on: from Task_1 to Task_2 to its end. The state and its
// event are one transaction.
func (s server) next(c echo.Context) error {
	in, err := s.change(c, func(tx transaction, in *instance) error {
		var ev event.Event
		process := *in.Process
		switch {
		case process.CurrentTask == nil:
			return errEnded
		case process.CurrentTask.ElementID == "Task_1":
			process.CurrentTask = &models.ProcessTask{ElementID: "Task_2", AltinnTaskType: "confirmation"}
			ev = s.app.MovedTo(in.Instance, "Task_2")
		default:
			now := time.Now().UTC()
			process.CurrentTask, process.Ended, process.EndEvent = nil, &now, "EndEvent_1"
			ev = s.app.Completed(in.Instance)
		}
		in.Process = &process
		if err := tx.put(*in); err != nil {
			return err
		}
		return tx.publish(ev)
	})
	if err != nil {
		return err
	}
	middleware.Published(c)
	return c.JSON(http.StatusOK, in.Process)
}

// setSubstatus says nothing of events: the lifecycle middleware does.
func (s server) setSubstatus(c echo.Context) error {
	var set substatus
	if err := decode(c, &set); err != nil {
		return err
	}
	if set.Label == "" {
		return echo.NewHTTPError(http.StatusBadRequest, "label is missing")
	}
	in, err := s.change(c, func(tx transaction, in *instance) error {
		in.Status = &status{Substatus: &set}
		return tx.put(*in)
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, in)
}

func (s server) delete(c echo.Context) error {
	in, err := s.change(c, func(tx transaction, in *instance) error { return tx.remove(in.ID) })
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, in)
}

// change runs do with the instance of the route, in one transaction.
func (s server) change(c echo.Context, do func(transaction, *instance) error) (instance, error) {
	var in instance
	err := s.store.inTx(c.Request().Context(), func(tx transaction) (err error) {
		if in, err = tx.get(c.Param("party") + "/" + c.Param("guid")); err != nil {
			return err
		}
		return do(tx, &in)
	})
	return in, err
}

// decode reads the JSON of a request, whatever its content type says.
func decode(c echo.Context, to any) error {
	const maxBytes = 1 << 20
	if err := json.NewDecoder(http.MaxBytesReader(c.Response(), c.Request().Body, maxBytes)).Decode(to); err != nil {
		return echo.NewHTTPError(http.StatusBadRequest, "the body is not the JSON that this route takes")
	}
	return nil
}

// answerProblem answers an error with problem details (RFC 9457).
func answerProblem(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	status, detail := http.StatusInternalServerError, ""
	var (
		invalid *models.ValidationError
		known   *echo.HTTPError
	)
	switch {
	case errors.As(err, &invalid):
		status, detail = http.StatusBadRequest, invalid.Error()
	case errors.Is(err, errNotFound):
		status, detail = http.StatusNotFound, err.Error()
	case errors.Is(err, errEnded):
		status, detail = http.StatusConflict, err.Error()
	case errors.As(err, &known):
		status = known.Code
		detail, _ = known.Message.(string)
	}
	c.Response().Header().Set(echo.HeaderContentType, "application/problem+json")
	_ = c.JSON(status, map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}
