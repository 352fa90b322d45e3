package models_test

import (
	"strings"
	"testing"

	"github.com/altinn-go/events/models"
)

func TestTypeProcessMovedTo(t *testing.T) {
	t.Parallel()
	if got, want := models.TypeProcessMovedTo("Task_2"), "app.instance.process.movedTo.Task_2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTypes_AreValidOnTheWire(t *testing.T) {
	t.Parallel()
	types := append([]string{
		models.TypeInstanceCreated, models.TypeProcessCompleted, models.TypeProcessMovedTo("Task_1"), models.TypeSubstatusChanged,
		models.TypeEFormidlingReminder, models.TypeValidateSubscription,
	}, models.BrokerTypes(models.BrokerSender)...)
	for _, eventType := range types {
		ev := genericEvent()
		ev.SetType(eventType)
		if err := (models.Validator{}).Validate(ev); err != nil {
			t.Errorf("%s: %v", eventType, err)
		}
	}
	for _, eventType := range models.BrokerTypes(models.BrokerSender) {
		if strings.ToLower(eventType) != eventType || !strings.HasPrefix(eventType, "no.altinn.broker.") {
			t.Errorf("%s is not as Altinn Broker writes it", eventType)
		}
	}
}
