package models_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	"golang.org/x/tools/txtar"

	"github.com/altinn-go/events/models"
)

var (
	testApp = models.App{Org: "ttd", Name: "apps-test", BaseURL: "https://ttd.apps.altinn.no/ttd/apps-test"}

	testInstance = models.Instance{
		ID:            "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
		InstanceOwner: models.InstanceOwner{PartyID: "50019855", PersonNumber: "01017512345"},
	}
)

// golden returns the files of testdata/name.
func golden(tb testing.TB, name string) map[string][]byte {
	tb.Helper()
	archive, err := txtar.ParseFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	files := make(map[string][]byte, len(archive.Files))
	for _, f := range archive.Files {
		files[f.Name] = f.Data
	}
	return files
}

// attributes returns what ev has on the wire, as the SDK writes it.
func attributes(tb testing.TB, ev event.Event) map[string]any {
	tb.Helper()
	body, err := json.Marshal(ev)
	if err != nil {
		tb.Fatal(err)
	}
	return unmarshal[map[string]any](tb, body)
}

func unmarshal[T any](tb testing.TB, body []byte) T {
	tb.Helper()
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		tb.Fatal(err)
	}
	return v
}

// faults returns what is wrong by attribute, joined where there are several
// faults of one.
func faults(tb testing.TB, err error) map[string]string {
	tb.Helper()
	if err == nil {
		return nil
	}
	invalid, ok := errors.AsType[*models.ValidationError](err)
	if !ok {
		tb.Fatalf("got %T, want a *ValidationError", err)
	}
	found := make(map[string]string)
	for _, f := range invalid.Faults {
		found[f.Attribute] += f.Message
	}
	return found
}

// checkAttributes checks which attributes err has faults of.
func checkAttributes(tb testing.TB, err error, want []string) {
	tb.Helper()
	got := slices.Sorted(maps.Keys(faults(tb, err)))
	if !slices.Equal(got, want) {
		tb.Errorf("faults of %v, want %v: %v", got, want, err)
	}
}
