package main

import (
	"net/http"
	"sync"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/models"
)

// store is the app's core logic, as small as it can be. It knows nothing of
// events.
type store struct {
	mu        sync.Mutex
	instances map[string]models.Instance
}

func (s *store) create(c echo.Context) error {
	var instance models.Instance
	if err := c.Bind(&instance); err != nil {
		return err
	}
	if instance.InstanceOwner.PartyID == "" {
		return echo.NewHTTPError(http.StatusBadRequest, "instanceOwner.partyId is missing")
	}
	instance.AppID = c.Param("org") + "/" + c.Param("app")
	instance.Org = c.Param("org")
	instance.ID = instance.InstanceOwner.PartyID + "/" + uuid.NewString()
	instance.Process = &models.ProcessState{CurrentTask: &models.ProcessTask{ElementID: "Task_1"}}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.instances[instance.ID] = instance
	return c.JSON(http.StatusCreated, instance)
}

// next moves Task_1 to Task_2, and Task_2 to the end.
func (s *store) next(c echo.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	instance, ok := s.instances[c.Param("party")+"/"+c.Param("guid")]
	switch {
	case !ok:
		return echo.NewHTTPError(http.StatusNotFound, "no such instance")
	case instance.Process.CurrentTask == nil:
		return echo.NewHTTPError(http.StatusConflict, "the process has ended")
	case instance.Process.CurrentTask.ElementID == "Task_1":
		instance.Process = &models.ProcessState{CurrentTask: &models.ProcessTask{ElementID: "Task_2"}}
	default:
		instance.Process = &models.ProcessState{EndEvent: "EndEvent_1"}
	}
	s.instances[instance.ID] = instance
	return c.JSON(http.StatusOK, instance.Process)
}
