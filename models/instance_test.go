package models_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/models"
)

func TestInstance_Decode(t *testing.T) {
	t.Parallel()
	got := unmarshal[models.Instance](t, golden(t, "app_created.txtar")["instance.json"])
	started := time.Date(2024, 5, 28, 7, 22, 19, 438039000, time.UTC)
	want := models.Instance{
		ID:            "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
		AppID:         "ttd/apps-test",
		Org:           "ttd",
		InstanceOwner: models.InstanceOwner{PartyID: "50019855", PersonNumber: "01017512345"},
		Process: &models.ProcessState{
			Started:     &started,
			StartEvent:  "StartEvent_1",
			CurrentTask: &models.ProcessTask{ElementID: "Task_1", AltinnTaskType: "data"},
		},
	}
	if diff := cmp.Diff(want.Process, got.Process); diff != "" {
		t.Error(diff)
	}
	if got.Process = nil; got.ID != want.ID || got.AppID != want.AppID || got.Org != want.Org || got.InstanceOwner != want.InstanceOwner {
		t.Errorf("got %v, want %v, or the same masked", got, want)
	}
}

func TestInstance_DecodeRefusesWrongTypes(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`[]`, `"50019855/1"`, `{"id":1}`, `{"appId":{}}`, `{"instanceOwner":"1"}`, `{"instanceOwner":{"partyId":50019855}}`,
		`{"instanceOwner":{"personNumber":1017512345}}`, `{"process":[]}`, `{"process":{"started":"today"}}`,
		`{"process":{"currentTask":{"elementId":1}}}`, `{`, ``,
	} {
		var i models.Instance
		err := json.Unmarshal([]byte(body), &i)
		if err == nil {
			t.Errorf("%s is read as %v", models.Redact(body), i)
		} else if text := err.Error(); models.Redact(text) != text || strings.Contains(text, "1017512345") {
			t.Errorf("the error of %s quotes it", models.Redact(body))
		}
	}
}

func TestInstance_PrintsMasked(t *testing.T) {
	t.Parallel()
	owner := models.InstanceOwner{
		PartyID: "50019855", PersonNumber: "01017512345", OrganisationNumber: "987564321",
		Username: "kari", ExternalIdentifier: "urn:altinn:email:kari",
	}
	const want = "/party/50019855 /organisation/********* /person/*********** /user/*** urn:***"
	if got := fmt.Sprint(owner); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := fmt.Sprint(models.InstanceOwner{PartyID: "1"}); got != "/party/1" {
		t.Errorf("got %s, want /party/1", got)
	}
	instance := models.Instance{ID: "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd", AppID: "ttd/apps-test", InstanceOwner: owner}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		for _, value := range []any{owner, &owner, instance, &instance, []models.Instance{instance}} {
			if got := fmt.Sprintf(verb, value); strings.Contains(got, "017512345") || strings.Contains(got, "kari") || strings.Contains(got, "3137353132") {
				t.Errorf("%s of %T is not masked", verb, value)
			}
		}
	}
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(handler(&b)).Info("x", slog.Any("instance", instance), slog.Any("pointer", &instance), slog.Any("owner", owner))
		got := b.String()
		if strings.Contains(got, "017512345") || strings.Contains(got, "kari") || !strings.Contains(got, want) || !strings.Contains(got, instance.ID) {
			t.Errorf("as %s: %s", name, models.Redact(got))
		}
	}
}

func FuzzInstance_Decode(f *testing.F) {
	f.Add(golden(f, "app_created.txtar")["instance.json"])
	f.Add([]byte(`{"id":"1/2","instanceOwner":{"partyId":"1"},"process":null}`))
	f.Add([]byte(`{"ID":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var i models.Instance
		if json.Unmarshal(body, &i) != nil {
			return
		}
		again, err := json.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(i, unmarshal[models.Instance](t, again)); diff != "" {
			t.Errorf("an instance changes on its way through JSON: %s", diff)
		}
		ev := testApp.MovedTo(i, "Task_1")
		if err := (models.Validator{}).ValidateDraft(ev); err == nil && !models.IsAppEvent(ev) {
			t.Errorf("the event of %q is valid and of no app", body)
		}
		_ = fmt.Sprint(i, i.LogValue())
	})
}
