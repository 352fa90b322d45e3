package testutil

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
)

const sampleTimeout = 10 * time.Second

// sampleTypes are the types of which the inspector sends samples.
func sampleTypes() []string {
	return append([]string{
		models.TypeInstanceCreated, models.TypeProcessMovedTo("Task_1"), models.TypeProcessCompleted,
		models.TypeSubstatusChanged, models.TypeEFormidlingReminder,
	}, models.BrokerTypes(models.BrokerSender)...)
}

// sample returns the events of a type about something made up. Its numbers are
// those of Altinn's own examples, which nobody has.
func sample(eventType string) []event.Event {
	if !strings.HasPrefix(eventType, "no.altinn.broker.") {
		app := models.App{Org: defaultOrg, Name: defaultApp}
		return []event.Event{app.Event(eventType, models.Instance{
			ID:            "50019855/" + uuid.NewString(),
			InstanceOwner: models.InstanceOwner{PartyID: "50019855", PersonNumber: "01017512345"},
		})}
	}
	recipient := models.Recipient{Recipient: "0192:987564321", Status: models.RecipientInitialized, PartyID: "50015642"}
	if eventType == models.TypeBrokerDownloadConfirmed {
		recipient.Status = models.RecipientDownloadConfirmed
	}
	return models.Broker{PlatformURL: "https://platform.altinn.no"}.Events(eventType, models.FileTransfer{
		ID: uuid.NewString(), ResourceID: "altinn-broker-test-resource-1",
		Sender: "0192:123456789", SenderPartyID: "50015641", Recipients: []models.Recipient{recipient},
	})
}

// inspectSamples is GET samples: the types that POST samples knows.
func (s *Sink) inspectSamples(x *exchange) {
	x.json(http.StatusOK, contentJSON, map[string][]string{"types": sampleTypes()})
}

// inspectSend is POST samples: what an app would send is sent to the API, with
// tokens, checks, faults and all.
func (s *Sink) inspectSend(x *exchange) {
	var req struct {
		Type string `json:"type"`
	}
	if !x.decodes(&req) {
		return
	}
	if !slices.Contains(sampleTypes(), req.Type) {
		x.problem(http.StatusBadRequest, "type: want one of GET samples.")
		return
	}
	ctx, cancel := context.WithTimeout(x.request.Context(), sampleTimeout)
	defer cancel()
	events := sample(req.Type)
	if err := s.publish(ctx, events); err != nil {
		x.problem(http.StatusBadGateway, models.Redact(err.Error()))
		return
	}
	x.json(http.StatusOK, contentJSON, map[string]int{"sent": len(events)})
}

// publish sends events to the sink in process, once.
func (s *Sink) publish(ctx context.Context, events []event.Event) error {
	client, err := altinn.NewClient("https://localhost", altinn.Config{Credentials: s.Credentials(), Transport: s.Transport()})
	if err != nil {
		return err
	}
	pub, err := publisher.New(client, publisher.Config{})
	if err != nil {
		return err
	}
	return pub.Publish(ctx, events...)
}
