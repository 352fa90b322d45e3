package models_test

import (
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
)

var (
	benchApp      = models.App{Org: "ttd", Name: "apps-test", BaseURL: "https://ttd.apps.altinn.no/ttd/apps-test"}
	benchInstance = models.Instance{
		ID:            "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
		InstanceOwner: models.InstanceOwner{PartyID: "50019855", PersonNumber: "01017512345"},
	}
	sinkEvent event.Event
	sinkErr   error
)

func BenchmarkApp_Created(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sinkEvent = benchApp.Created(benchInstance)
	}
}

func BenchmarkValidator_Validate(b *testing.B) {
	ev := benchApp.Created(benchInstance)
	ev.SetID("4815d141-8cf6-4555-8c3c-e069c7b80c79")
	b.ReportAllocs()
	for b.Loop() {
		sinkErr = models.Validator{}.Validate(ev)
	}
	if sinkErr != nil {
		b.Fatal(sinkErr)
	}
}

func BenchmarkRedact(b *testing.B) {
	text := `{"type":"https://tools.ietf.org/html/rfc7231#section-6.5.1","title":"Bad Request","status":400,"detail":"Missing parameter values: source, subject and type cannot be null","traceId":"00-4b54a6a0c9b74bf5afc5e917863f96fd-eb14b06c1f0c3cf8-00"}`
	b.ReportAllocs()
	for b.Loop() {
		_ = models.Redact(text)
	}
}

func BenchmarkSDK(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ev := event.New()
		ev.SetID("4815d141-8cf6-4555-8c3c-e069c7b80c79")
		ev.SetType(models.TypeInstanceCreated)
		ev.SetSource(benchApp.Source(benchInstance.ID))
		ev.SetSubject("/party/" + benchInstance.InstanceOwner.PartyID)
		ev.SetExtension(models.ExtResource, models.AppResource(benchApp.Org, benchApp.Name))
		ev.SetExtension(models.ExtResourceInstance, benchInstance.ID)
		ev.SetExtension(models.ExtAlternativeSubject, "/person/"+benchInstance.InstanceOwner.PersonNumber)
		sinkErr = ev.Validate()
		sinkEvent = ev
	}
}
