package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
)

// printer stands in for a *publisher.Publisher.
type printer struct{}

func (printer) Publish(_ context.Context, events ...event.Event) error {
	for _, ev := range events {
		fmt.Println(ev.Type(), ev.Subject())
	}
	return nil
}

// call stands in for a client.
func call(e *echo.Echo, method, path string) {
	rec := httptest.NewRecorder()
	e.ServeHTTP(rec, httptest.NewRequest(method, path, http.NoBody))
	fmt.Println(rec.Code)
}

// The App API's own routes need nothing but the middleware.
func ExampleAppLifecycle() {
	var pub printer
	app := models.App{Org: "ttd", Name: "apps-test"}

	e := echo.New()
	e.Use(middleware.AppLifecycle(pub, app))
	e.POST("/:org/:app/instances", func(c echo.Context) error {
		return c.JSON(http.StatusCreated, models.Instance{
			ID:            "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
			InstanceOwner: models.InstanceOwner{PartyID: "50019855"},
		})
	})
	e.PUT("/:org/:app/instances/:party/:guid/process/next", func(c echo.Context) error {
		return c.JSON(http.StatusOK, models.ProcessState{CurrentTask: &models.ProcessTask{ElementID: "Task_2"}})
	})

	call(e, http.MethodPost, "/ttd/apps-test/instances")
	call(e, http.MethodPut, "/ttd/apps-test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd/process/next")
	// Output:
	// app.instance.created /party/50019855
	// 201
	// app.instance.process.movedTo.Task_2 /party/50019855
	// 200
}

// A handler says what no route tells. It is published if the handler succeeds.
func ExampleEmit() {
	var pub printer
	app := models.App{Org: "ttd", Name: "apps-test"}

	e := echo.New()
	e.Use(middleware.AppLifecycle(pub, app))
	e.POST("/instances/:party/:guid/approve", func(c echo.Context) error {
		party, guid := c.Param("party"), c.Param("guid")
		instance := models.Instance{ID: party + "/" + guid}
		if err := middleware.Emit(c, app.Event("app.instance.approved", instance)); err != nil {
			return err
		}
		if party == "1337" {
			return echo.NewHTTPError(http.StatusConflict, "already approved")
		}
		return c.NoContent(http.StatusNoContent)
	})

	call(e, http.MethodPost, "/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd/approve")
	call(e, http.MethodPost, "/instances/1337/428a4575-2c04-4400-89a3-1aaadd2579cd/approve")
	// Output:
	// app.instance.approved /party/50019855
	// 204
	// 409
}

// Fail closed: the client sees no success whose event was not accepted, and the
// owner of an instance is looked up where the answer does not tell it.
func ExampleAppLifecycleWithConfig() {
	var pub printer
	owners := func(_ context.Context, partyID, instanceGUID string) (models.Instance, error) {
		return models.Instance{}, fmt.Errorf("instance %s/%s is archived", partyID, instanceGUID)
	}

	e := echo.New()
	e.Use(middleware.AppLifecycleWithConfig(middleware.AppLifecycleConfig{
		Publisher:  pub,
		App:        models.App{Org: "ttd", Name: "apps-test"},
		Instance:   owners,
		FailClosed: true,
	}))
	e.PUT("/instances/:party/:guid/process/next", func(c echo.Context) error {
		return c.JSON(http.StatusOK, models.ProcessState{EndEvent: "EndEvent_1"})
	})

	call(e, http.MethodPut, "/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd/process/next")
	// Output:
	// 500
}
