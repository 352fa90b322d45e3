package models_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
)

func printJSON(v any) {
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	_ = e.Encode(v)
}

func ExampleApp_Created() {
	app := models.App{Org: "ttd", Name: "apps-test"}
	ev := app.Created(models.Instance{
		ID: "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
		InstanceOwner: models.InstanceOwner{
			PartyID:            "50019855",
			OrganisationNumber: "987564321",
		},
	})
	ev.SetID("4815d141-8cf6-4555-8c3c-e069c7b80c79") // Publish sets one if there is none
	printJSON(ev)
	// Output:
	// {
	//   "specversion": "1.0",
	//   "id": "4815d141-8cf6-4555-8c3c-e069c7b80c79",
	//   "source": "https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
	//   "type": "app.instance.created",
	//   "subject": "/party/50019855",
	//   "alternativesubject": "/organisation/987564321",
	//   "resource": "urn:altinn:resource:app_ttd_apps-test",
	//   "resourceinstance": "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd"
	// }
}

func ExampleBroker_Events() {
	broker := models.Broker{PlatformURL: "https://platform.altinn.no", URNSubjects: true}
	events := broker.Events(models.TypeBrokerPublished, models.FileTransfer{
		ID:         "da4ceacc-ad44-4e54-99b6-b58e3c13c785",
		ResourceID: "altinn-broker-test-resource-1",
		Sender:     "0192:123456789",
		Recipients: []models.Recipient{{Recipient: "0192:987564321"}},
	})
	for _, ev := range events {
		fmt.Println(ev.ID(), string(ev.Data()))
	}
	// Output:
	// 848eba21-a517-4881-fb59-d54ae2081fc8 {"Role":"Sender"}
	// 1d60c32c-2e18-4315-84d1-1f05358e02d9 {"Role":"Recipient"}
}

func ExampleBrokerTypes() {
	for _, eventType := range models.BrokerTypes(models.BrokerRecipient) {
		fmt.Println(eventType)
	}
	// Output:
	// no.altinn.broker.published
	// no.altinn.broker.downloadconfirmed
	// no.altinn.broker.fileneverconfirmeddownloaded
}

func ExampleValidator_Validate() {
	ev := event.New()
	ev.SetID("1")
	ev.SetType("no.altinn.broker.Published")
	ev.SetSource("/broker/api/v1/filetransfer")
	ev.SetSubject("/person/0101751234")
	ev.SetExtension(models.ExtResource, "altinn-broker-test-resource-1")

	err := models.Validator{}.Validate(ev)
	if invalid, ok := errors.AsType[*models.ValidationError](err); ok {
		for _, fault := range invalid.Faults {
			fmt.Printf("%s: %s\n", fault.Attribute, fault.Message)
		}
	}
	// Output:
	// resource: want a URN in lower case such as urn:altinn:resource:{id}; only events with the source of an app instance do without
	// source: want an absolute http or https URL with a host and no user
	// subject: want /person/{11 digits}
	// type: want lower case, because types match exactly and Altinn Broker's subscribers ask for lower case
}

func ExampleValidator_Read() {
	app := models.App{Org: "ttd", Name: "apps-test"}
	read, err := models.Validator{}.Read(app.Created(models.Instance{
		ID:            "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
		InstanceOwner: models.InstanceOwner{OrganisationNumber: "987564321"},
	}))
	fmt.Println(read.App.App, read.ResourceInstance, err)
	// Output:
	// apps-test 50019855/428a4575-2c04-4400-89a3-1aaadd2579cd <nil>
}
