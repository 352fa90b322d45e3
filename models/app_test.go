package models_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/models"
)

func TestApp_CreatedIsTheDocumentedEvent(t *testing.T) {
	t.Parallel()
	files := golden(t, "app_created.txtar")
	ev := testApp.Created(unmarshal[models.Instance](t, files["instance.json"]))

	want := unmarshal[map[string]any](t, files["event.json"])
	want["id"] = ""
	want["resource"] = "urn:altinn:resource:app_ttd_apps-test"
	want["resourceinstance"] = "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd"
	if diff := cmp.Diff(want, attributes(t, ev)); diff != "" {
		t.Error(diff)
	}
	if err := (models.Validator{}).ValidateDraft(ev); err != nil {
		t.Error(err)
	}
}

func TestApp_EventIsWhatTheSDKBuilds(t *testing.T) {
	t.Parallel()
	for _, baseURL := range []string{
		"https://ttd.apps.altinn.no/ttd/apps-test",
		"https://ttd.apps.altinn.no/ttd/apps-test/",
		"http://local.altinn.cloud:8000/ttd/apps-test",
		"HTTPS://Ttd.apps.altinn.no/ttd/apps-test",
		"https://[::1]:5005/ttd/apps-test",
		"https://user@host/ttd/apps-test",
		"https://host/ttd/apps%2Dtest",
		"https://host/ttd/æøå",
		"https://host/ttd/apps test",
		"https:///ttd/apps-test",
		"https://host",
		"/ttd/apps-test",
		"",
	} {
		t.Run(baseURL, func(t *testing.T) {
			t.Parallel()
			app := models.App{Org: "ttd", Name: "apps-test", BaseURL: baseURL}

			want := event.New()
			want.SetType(models.TypeInstanceCreated)
			want.SetSource(app.Source(testInstance.ID))
			want.SetSubject("/party/50019855")
			want.SetExtension("resource", "urn:altinn:resource:app_ttd_apps-test")
			want.SetExtension("resourceinstance", testInstance.ID)
			want.SetExtension("alternativesubject", "/person/"+testInstance.InstanceOwner.PersonNumber)

			if diff := cmp.Diff(want, app.Created(testInstance), cmp.AllowUnexported(url.Userinfo{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestApp_Types(t *testing.T) {
	t.Parallel()
	for want, ev := range map[string]event.Event{
		"app.instance.created":                testApp.Created(testInstance),
		"app.instance.process.movedTo.Task_2": testApp.MovedTo(testInstance, "Task_2"),
		"app.instance.process.completed":      testApp.Completed(testInstance),
		"app.instance.substatus.changed":      testApp.SubstatusChanged(testInstance),
		"app.instance.approved":               testApp.Event("app.instance.approved", testInstance),
	} {
		if ev.Type() != want {
			t.Errorf("type %s, want %s", ev.Type(), want)
		}
	}
}

func TestApp_Subjects(t *testing.T) {
	t.Parallel()
	const id = "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd"
	tests := map[string]struct {
		legacy      bool
		owner       models.InstanceOwner
		subject     string
		alternative any
	}{
		"Person":             {owner: models.InstanceOwner{PartyID: "1337", PersonNumber: "01038712345"}, subject: "/party/1337", alternative: "/person/01038712345"},
		"Organisation":       {owner: models.InstanceOwner{PartyID: "500700", OrganisationNumber: "897069631"}, subject: "/party/500700", alternative: "/organisation/897069631"},
		"OrganisationFirst":  {owner: models.InstanceOwner{OrganisationNumber: "897069631", PersonNumber: "01038712345"}, subject: "/party/50019855", alternative: "/organisation/897069631"},
		"OrganisationLegacy": {legacy: true, owner: models.InstanceOwner{OrganisationNumber: "897069631"}, subject: "/party/50019855", alternative: "/org/897069631"},
		"PersonLegacy":       {legacy: true, owner: models.InstanceOwner{PersonNumber: "01038712345"}, subject: "/party/50019855", alternative: "/person/01038712345"},
		"ExternalIdentifier": {owner: models.InstanceOwner{ExternalIdentifier: "urn:altinn:x:y"}, subject: "/party/50019855", alternative: "urn:altinn:x:y"},
		"OnlyUsername":       {owner: models.InstanceOwner{Username: "kari"}, subject: "/party/50019855"},
		"Nobody":             {subject: "/party/50019855"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := testApp
			app.LegacyOrganisationSubject = tt.legacy
			got := attributes(t, app.Created(models.Instance{ID: id, InstanceOwner: tt.owner}))
			if got["subject"] != tt.subject || got["alternativesubject"] != tt.alternative {
				t.Errorf("subject %v and %v, want %v and %v", got["subject"], got["alternativesubject"], tt.subject, tt.alternative)
			}
		})
	}
}

func TestApp_DefaultBaseURL(t *testing.T) {
	t.Parallel()
	const want = "https://skd.apps.altinn.no/skd/mva/instances/1/x"
	if got := (models.App{Org: "skd", Name: "mva"}).Source("1/x"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestApp_WhatIsWrongShowsInValidate(t *testing.T) {
	t.Parallel()
	const guid = "428a4575-2c04-4400-89a3-1aaadd2579cd"
	tests := map[string]struct {
		app        models.App
		instance   models.Instance
		attributes []string
	}{
		"Nothing":           {testApp, testInstance, nil},
		"NoInstance":        {testApp, models.Instance{}, []string{"resourceinstance", "source", "subject"}},
		"OnlyGUID":          {testApp, models.Instance{ID: guid}, []string{"source", "subject"}},
		"PartyNoNumber":     {testApp, models.Instance{ID: "abc/" + guid}, []string{"source", "subject"}},
		"OwnerNoNumber":     {testApp, models.Instance{ID: "1/" + guid, InstanceOwner: models.InstanceOwner{PartyID: "x"}}, []string{"subject"}},
		"NoGUID":            {testApp, models.Instance{ID: "1/2"}, []string{"source"}},
		"QueryInID":         {testApp, models.Instance{ID: "1/" + guid + "?a"}, []string{"resourceinstance"}},
		"ShortPerson":       {testApp, models.Instance{ID: "1/" + guid, InstanceOwner: models.InstanceOwner{PersonNumber: "123"}}, []string{"alternativesubject"}},
		"ShortOrganisation": {testApp, models.Instance{ID: "1/" + guid, InstanceOwner: models.InstanceOwner{OrganisationNumber: "123"}}, []string{"alternativesubject"}},
		"NoApp":             {models.App{}, testInstance, []string{"source"}},
		"UpperCaseOrg":      {models.App{Org: "TTD", Name: "a"}, testInstance, []string{"source"}},
		"RelativeBaseURL":   {models.App{Org: "ttd", Name: "a", BaseURL: "/ttd/a"}, testInstance, []string{"source"}},
		"BrokenBaseURL":     {models.App{Org: "ttd", Name: "a", BaseURL: "https://h\x7f/ttd/a"}, testInstance, []string{"source"}},
		"AnotherAppsURL":    {models.App{Org: "ttd", Name: "a", BaseURL: "https://h/ttd/b"}, testInstance, []string{"source"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := models.Validator{}.ValidateDraft(tt.app.Created(tt.instance))
			checkAttributes(t, err, tt.attributes)
		})
	}
	t.Run("TaskWithoutID", func(t *testing.T) {
		t.Parallel()
		checkAttributes(t, models.Validator{}.ValidateDraft(testApp.MovedTo(testInstance, "")), []string{"type"})
	})
}

func TestApp_Validate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		app    models.App
		fields []string
	}{
		"Good":          {testApp, nil},
		"TrailingSlash": {models.App{Org: "ttd", Name: "a", BaseURL: "http://localhost:5005/ttd/a/"}, nil},
		"NoBaseURL":     {models.App{Org: "ttd", Name: "a"}, nil},
		"Zero":          {models.App{}, []string{"Name", "Org"}},
		"UpperCase":     {models.App{Org: "TTD", Name: "App"}, []string{"Name", "Org"}},
		"Dots":          {models.App{Org: "..", Name: "."}, []string{"Name", "Org"}},
		"Hyphen":        {models.App{Org: "-ttd", Name: "_a"}, []string{"Name", "Org"}},
		"Digit":         {models.App{Org: "0", Name: "1.a"}, nil},
		"NameWithOrg":   {models.App{Org: "ttd", Name: "ttd/a"}, []string{"Name"}},
		"Relative":      {models.App{Org: "ttd", Name: "a", BaseURL: "/ttd/a"}, []string{"BaseURL"}},
		"NoScheme":      {models.App{Org: "ttd", Name: "a", BaseURL: "host/ttd/a"}, []string{"BaseURL"}},
		"OtherScheme":   {models.App{Org: "ttd", Name: "a", BaseURL: "ftp://host/ttd/a"}, []string{"BaseURL"}},
		"NoHost":        {models.App{Org: "ttd", Name: "a", BaseURL: "https://:80/ttd/a"}, []string{"BaseURL"}},
		"User":          {models.App{Org: "ttd", Name: "a", BaseURL: "https://u:p@host/ttd/a"}, []string{"BaseURL"}},
		"Query":         {models.App{Org: "ttd", Name: "a", BaseURL: "https://host/ttd/a?x"}, []string{"BaseURL"}},
		"Fragment":      {models.App{Org: "ttd", Name: "a", BaseURL: "https://host/ttd/a#x"}, []string{"BaseURL"}},
		"OtherPath":     {models.App{Org: "ttd", Name: "a", BaseURL: "https://host/a"}, []string{"BaseURL"}},
		"EveryFault":    {models.App{Name: "A", BaseURL: ":"}, []string{"BaseURL", "Name", "Org"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.app.Validate()
			checkAttributes(t, err, tt.fields)
			if err != nil && !strings.HasPrefix(err.Error(), "invalid app: ") {
				t.Error(err)
			}
		})
	}
}

func TestApp_EventSurvivesJSON(t *testing.T) {
	t.Parallel()
	ev := testApp.Created(testInstance)
	ev.SetID("1")
	body, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ev, unmarshal[event.Event](t, body)); diff != "" {
		t.Error(diff)
	}
}
