package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/credentials"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/cloudevents/sdk-go/v2/event"
)

// What is published everywhere: an event of about 314 bytes.
var (
	testApp      = models.App{Org: "ttd", Name: "apps-test"}
	testInstance = models.Instance{
		ID:            "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
		InstanceOwner: models.InstanceOwner{PartyID: "50019855", OrganisationNumber: "897069631"},
	}
)

// sender takes every event at once.
type sender struct{}

func (sender) Send(context.Context, outbox.Item) error { return nil }

// newPublisher returns a publisher for baseURL over transport, without a queue.
func newPublisher(baseURL string, transport http.RoundTripper, cfg publisher.Config) (*publisher.Publisher, error) {
	token := credentials.Static(strings.Repeat("t", 800))
	client, err := altinn.NewClient(baseURL, altinn.Config{
		Transport: transport, AllowHTTP: true,
		Credentials: altinn.Credentials{PlatformAccessToken: token, Bearer: token},
	})
	if err != nil {
		return nil, err
	}
	return publisher.New(client, cfg)
}

// encoded is the event as it is posted.
func encoded() (outbox.Item, error) {
	return publisher.Encoder{}.Encode(testApp.Created(testInstance), testTime, "")
}

// sdkEvent is the same event, built with the SDK alone.
func sdkEvent() event.Event {
	ev := event.New()
	ev.SetType("app.instance.created")
	ev.SetSource("https://ttd.apps.altinn.no/ttd/apps-test/instances/" + testInstance.ID)
	ev.SetSubject("/party/50019855")
	ev.SetExtension("alternativesubject", "/organisation/897069631")
	ev.SetExtension("resource", "urn:altinn:resource:app_ttd_apps-test")
	ev.SetExtension("resourceinstance", testInstance.ID)
	return ev
}
