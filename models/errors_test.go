package models_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
)

func TestValidationError_Error(t *testing.T) {
	t.Parallel()
	two := []models.Fault{
		{Attribute: "subject", Message: "want /party/{id}"},
		{Attribute: "type", Message: "is required"},
	}
	for want, err := range map[string]*models.ValidationError{
		"invalid event: subject: want /party/{id}; type: is required": {Faults: two},
		"invalid app: subject: want /party/{id}":                      {What: "app", Faults: two[:1]},
		"invalid event":                                               {},
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestValidationError_IsFoundInOthers(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("publish: %w", models.Validator{}.Validate(event.Event{}))
	if _, ok := errors.AsType[*models.ValidationError](err); !ok {
		t.Errorf("%v is no *ValidationError", err)
	}
}

func TestValidationError_FaultsAreSorted(t *testing.T) {
	t.Parallel()
	ev := testApp.Created(models.Instance{})
	for _, name := range []string{"f", "e", "d", "c", "b", "a"} {
		ev.SetExtension(name, "\x00")
	}
	ev.FieldErrors = map[string]error{"z": errors.New("x"), "y": errors.New("x"), "w": nil}
	err, _ := errors.AsType[*models.ValidationError](models.Validator{}.Validate(ev))
	var got []string
	for _, f := range err.Faults {
		got = append(got, f.Attribute)
	}
	want := []string{"a", "b", "c", "d", "e", "f", "id", "resourceinstance", "source", "subject", "y", "z"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestValidationError_OneFaultOfWhatCouldNotBeSet(t *testing.T) {
	t.Parallel()
	ev := appEvent()
	ev.SetExtension("resource", struct{}{})
	ev.SetExtension("ext", struct{}{})
	v1(&ev).Extensions["resource"] = "no URN"
	v1(&ev).Extensions["ext"] = "\x00"
	v1(&ev).Type = ""
	ev.FieldErrors["type"] = errors.New("x")
	err, _ := errors.AsType[*models.ValidationError](models.Validator{}.Validate(ev))
	if len(err.Faults) != 3 {
		t.Errorf("got %v, want one fault each of ext, resource and type", err)
	}
}
