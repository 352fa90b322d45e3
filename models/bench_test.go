package models_test

import (
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
)

// What benchmarks make goes here, so that it is made.
var (
	madeEvent event.Event
	errMade   error
	madeText  string
)

func BenchmarkApp_Created(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		madeEvent = testApp.Created(testInstance)
	}
}

func BenchmarkValidator_Validate(b *testing.B) {
	ev := testApp.Created(testInstance)
	ev.SetID("4815d141-8cf6-4555-8c3c-e069c7b80c79")
	b.ReportAllocs()
	for b.Loop() {
		errMade = models.Validator{}.Validate(ev)
	}
	if errMade != nil {
		b.Fatal(errMade)
	}
}

func BenchmarkRedact(b *testing.B) {
	text := `{"type":"https://tools.ietf.org/html/rfc7231#section-6.5.1","title":"Bad Request","status":400,"detail":"Missing parameter values: source, subject and type cannot be null","traceId":"00-4b54a6a0c9b74bf5afc5e917863f96fd-eb14b06c1f0c3cf8-00"}`
	b.ReportAllocs()
	for b.Loop() {
		madeText = models.Redact(text)
	}
}

// BenchmarkSDK is what BenchmarkApp_Created and BenchmarkValidator_Validate do, in
// the way of the SDK.
func BenchmarkSDK(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ev := event.New()
		ev.SetID("4815d141-8cf6-4555-8c3c-e069c7b80c79")
		ev.SetType(models.TypeInstanceCreated)
		ev.SetSource(testApp.Source(testInstance.ID))
		ev.SetSubject("/party/" + testInstance.InstanceOwner.PartyID)
		ev.SetExtension(models.ExtResource, models.AppResource(testApp.Org, testApp.Name))
		ev.SetExtension(models.ExtResourceInstance, testInstance.ID)
		ev.SetExtension(models.ExtAlternativeSubject, "/person/"+testInstance.InstanceOwner.PersonNumber)
		errMade = ev.Validate()
		madeEvent = ev
	}
}
