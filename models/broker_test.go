package models_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/models"
)

var testBroker = models.Broker{PlatformURL: "https://platform.tt02.altinn.no"}

// testTransfer has one sender and three recipients, of whom the second has
// confirmed.
func testTransfer() models.FileTransfer {
	return models.FileTransfer{
		ID:            "da4ceacc-ad44-4e54-99b6-b58e3c13c785",
		ResourceID:    "altinn-broker-test-resource-1",
		Status:        models.FileTransferPublished,
		Sender:        "0192:123456789",
		SenderPartyID: "50015641",
		Recipients: []models.Recipient{
			{Recipient: "0192:987564321", Status: models.RecipientInitialized, PartyID: "1"},
			{Recipient: "urn:altinn:organization:identifier-no:991825827", Status: models.RecipientDownloadConfirmed, PartyID: "2"},
			{Recipient: "0192:989271156", Status: models.RecipientDownloadStarted, PartyID: "3"},
		},
	}
}

func TestBroker_PublishedIsTheDocumentedEvent(t *testing.T) {
	t.Parallel()
	files := golden(t, "broker_published.txtar")
	ft := unmarshal[models.FileTransfer](t, files["filetransfer.json"])
	ft.SenderPartyID, ft.Recipients[0].PartyID = "50015641", "50015642"
	got := testBroker.Events(models.TypeBrokerPublished, ft)
	if len(got) != 2 {
		t.Fatalf("%d events, want one for the sender and one for the recipient", len(got))
	}

	want := unmarshal[event.Event](t, files["event.json"])
	want.SetType("no.altinn.broker.published")
	sender := got[0]
	sender.SetID(want.ID())
	sender.SetTime(want.Time())
	if diff := cmp.Diff(attributes(t, want), attributes(t, sender)); diff != "" {
		t.Error(diff)
	}
}

func TestBroker_EventsGoToWhomTheyConcern(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		eventType  string
		recipients []string
		want       []string // the parties, in order
	}{
		"Initialized":    {models.TypeBrokerFileTransferInitialized, nil, []string{"50015641"}},
		"Processing":     {models.TypeBrokerUploadProcessing, nil, []string{"50015641"}},
		"UploadFailed":   {models.TypeBrokerUploadFailed, nil, []string{"50015641"}},
		"AllConfirmed":   {models.TypeBrokerAllConfirmedDownloaded, nil, []string{"50015641"}},
		"Purged":         {models.TypeBrokerFilePurged, nil, []string{"50015641"}},
		"SenderOnly":     {models.TypeBrokerAllConfirmedDownloaded, []string{"991825827"}, []string{"50015641"}},
		"Published":      {models.TypeBrokerPublished, nil, []string{"50015641", "1", "2", "3"}},
		"PublishedNamed": {models.TypeBrokerPublished, []string{"0192:989271156"}, []string{"50015641", "3"}},
		"Confirmed":      {models.TypeBrokerDownloadConfirmed, nil, []string{"50015641", "2"}},
		"ConfirmedISO":   {models.TypeBrokerDownloadConfirmed, []string{"0192:987564321"}, []string{"50015641", "1"}},
		"ConfirmedURN":   {models.TypeBrokerDownloadConfirmed, []string{"urn:altinn:organization:identifier-no:987564321"}, []string{"50015641", "1"}},
		"ConfirmedBare":  {models.TypeBrokerDownloadConfirmed, []string{"987564321"}, []string{"50015641", "1"}},
		"ConfirmedTwice": {models.TypeBrokerDownloadConfirmed, []string{"987564321", "0192:987564321"}, []string{"50015641", "1"}},
		"ConfirmedByTwo": {models.TypeBrokerDownloadConfirmed, []string{"989271156", "987564321"}, []string{"50015641", "3", "50015641", "1"}},
		"NeverConfirmed": {models.TypeBrokerFileNeverConfirmedDownloaded, nil, []string{"50015641", "1", "3"}},
		"AnyCase":        {"no.altinn.broker.FilePurged", nil, []string{"50015641"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			ids := make(map[string]bool)
			for _, ev := range testBroker.Events(tt.eventType, testTransfer(), tt.recipients...) {
				got = append(got, strings.TrimPrefix(ev.Subject(), "/party/"))
				ids[ev.ID()] = true
				if err := (models.Validator{}).Validate(ev); err != nil {
					t.Error(err)
				}
				if ev.Type() != strings.ToLower(tt.eventType) {
					t.Errorf("type %s, want %s in lower case", ev.Type(), tt.eventType)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("events for %v, want %v", got, tt.want)
			}
			if len(ids) != len(tt.want) {
				t.Errorf("%d ids for %d events", len(ids), len(tt.want))
			}
		})
	}
	t.Run("NeverConfirmedWithoutSender", func(t *testing.T) {
		t.Parallel()
		ft := testTransfer()
		ft.Sender = ""
		if n := len(testBroker.Events(models.TypeBrokerFileNeverConfirmedDownloaded, ft)); n != 2 {
			t.Errorf("%d events, want 2", n)
		}
	})
}

// The ids were computed with Python's uuid.UUID(bytes_le=…) of hashlib.sha256.
func TestBroker_IDsAreStable(t *testing.T) {
	t.Parallel()
	ft := testTransfer()
	ft.Recipients = ft.Recipients[:1]
	tests := map[string]struct {
		eventType string
		ids       []string
	}{
		"Published":      {models.TypeBrokerPublished, []string{"848eba21-a517-4881-fb59-d54ae2081fc8", "1d60c32c-2e18-4315-84d1-1f05358e02d9"}},
		"Confirmed":      {models.TypeBrokerDownloadConfirmed, []string{"9f44bf09-f882-9332-eed9-127bbaea2e8f", "5fa8eabb-d7a7-7593-0523-ccaef1505244"}},
		"Initialized":    {models.TypeBrokerFileTransferInitialized, []string{"e4c38d80-ceed-e4dc-c8cc-78772d54c6ab"}},
		"Purged":         {models.TypeBrokerFilePurged, []string{"182c5dba-90f4-cc95-9271-8c4ed9e9946a"}},
		"NeverConfirmed": {models.TypeBrokerFileNeverConfirmedDownloaded, []string{"", "e8e756a5-7ac3-3894-68e9-0cf6aacaec59"}},
	}
	for name, tt := range tests {
		for _, urns := range []bool{false, true} {
			t.Run(fmt.Sprint(name, urns), func(t *testing.T) {
				t.Parallel()
				broker := models.Broker{PlatformURL: testBroker.PlatformURL, URNSubjects: urns}
				events := broker.Events(tt.eventType, ft, "987564321")
				if len(events) != len(tt.ids) {
					t.Fatalf("%d events, want %d", len(events), len(tt.ids))
				}
				for i, ev := range events {
					if tt.ids[i] != "" && ev.ID() != tt.ids[i] {
						t.Errorf("id %s, want %s", ev.ID(), tt.ids[i])
					}
				}
			})
		}
	}
}

func TestBroker_IDsFollowWhatTheBrokerStores(t *testing.T) {
	t.Parallel()
	ids := func(sender, recipient string) (string, string) {
		ft := testTransfer()
		ft.Sender = sender
		ft.Recipients = []models.Recipient{{Recipient: recipient, PartyID: "1"}}
		events := testBroker.Events(models.TypeBrokerPublished, ft)
		return events[0].ID(), events[1].ID()
	}
	_, iso := ids("0192:123456789", "0192:987564321")
	urnSender, urn := ids("urn:altinn:organization:identifier-no:123456789", "urn:altinn:organization:identifier-no:987564321")
	if iso != urn {
		t.Error("the recipient's id depends on the spelling, want it normalised")
	}
	if want := "32d680d9-4101-0214-2410-ba8d07c7767b"; urnSender != want {
		t.Errorf("the sender's id is %s, want %s of the spelling that was sent", urnSender, want)
	}
	upper := testTransfer()
	upper.ID = strings.ToUpper(upper.ID)
	if diff := cmp.Diff(testBroker.Events(models.TypeBrokerPublished, testTransfer()), testBroker.Events(models.TypeBrokerPublished, upper)); diff != "" {
		t.Errorf("the case of the file transfer's id matters:\n%s", diff)
	}
}

func TestBroker_URNSubjects(t *testing.T) {
	t.Parallel()
	ft := testTransfer()
	ft.SenderPartyID, ft.Recipients[0].PartyID = "", ""
	events := models.Broker{PlatformURL: "https://platform.altinn.no/", URNSubjects: true}.
		Events(models.TypeBrokerPublished, ft, "987564321")
	want := []map[string]any{
		{
			"subject": "urn:altinn:organization:identifier-no:123456789",
			"data":    map[string]any{"Role": "Sender"},
		},
		{
			"subject": "urn:altinn:organization:identifier-no:987564321",
			"data":    map[string]any{"Role": "Recipient"},
		},
	}
	for i, ev := range events {
		want[i]["id"] = ev.ID()
		want[i]["specversion"] = "1.0"
		want[i]["type"] = "no.altinn.broker.published"
		want[i]["source"] = "https://platform.altinn.no/broker/api/v1/filetransfer"
		want[i]["resource"] = "urn:altinn:resource:altinn-broker-test-resource-1"
		want[i]["resourceinstance"] = ft.ID
		if diff := cmp.Diff(want[i], attributes(t, ev)); diff != "" {
			t.Error(diff)
		}
		if err := (models.Validator{}).Validate(ev); err != nil {
			t.Error(err)
		}
	}
}

func TestBroker_WhatCannotBeToldIsRefused(t *testing.T) {
	t.Parallel()
	with := func(change func(*models.FileTransfer)) models.FileTransfer {
		ft := testTransfer()
		change(&ft)
		return ft
	}
	never, published, confirmed := models.TypeBrokerFileNeverConfirmedDownloaded, models.TypeBrokerPublished, models.TypeBrokerDownloadConfirmed
	tests := map[string]struct {
		eventType  string
		ft         models.FileTransfer
		recipients []string
		fault      string // attribute and a part of the message of the last event's
		urnsToo    bool   // refused in today's shape as well
	}{
		"UnknownType":      {"no.altinn.broker.downloaded", testTransfer(), nil, "type: is none", true},
		"OtherType":        {"app.instance.created", testTransfer(), nil, "type: is none", true},
		"UnknownRecipient": {published, testTransfer(), []string{"974760673"}, "subject: is of a recipient", true},
		"GarbageRecipient": {published, testTransfer(), []string{"x"}, "subject: is of a recipient", true},
		"NoRecipients":     {published, with(func(ft *models.FileTransfer) { ft.Recipients = nil }), nil, "type: is about recipients", true},
		"NobodyConfirmed":  {confirmed, with(func(ft *models.FileTransfer) { ft.Recipients = ft.Recipients[:1] }), nil, "type: is about recipients", true},
		"AllConfirmed":     {never, with(func(ft *models.FileTransfer) { ft.Recipients = ft.Recipients[1:2] }), nil, "type: is about recipients", true},
		"NoSenderParty":    {models.TypeBrokerFilePurged, with(func(ft *models.FileTransfer) { ft.SenderPartyID = "" }), nil, "subject: the sender's party id", false},
		"NoRecipientParty": {published, with(func(ft *models.FileTransfer) { ft.Recipients[2].PartyID = "" }), nil, "subject: the recipient's party id", false},
		"NoSender":         {models.TypeBrokerFilePurged, with(func(ft *models.FileTransfer) { ft.Sender, ft.SenderPartyID = "", "" }), nil, "subject: ", true},
		"NoResource":       {models.TypeBrokerFilePurged, with(func(ft *models.FileTransfer) { ft.ResourceID = "" }), nil, "resource: ", true},
		"NoID":             {models.TypeBrokerFilePurged, with(func(ft *models.FileTransfer) { ft.ID = "" }), nil, "resourceinstance: ", true},
	}
	for name, tt := range tests {
		for _, urns := range []bool{false, true} {
			t.Run(fmt.Sprint(name, urns), func(t *testing.T) {
				t.Parallel()
				broker := models.Broker{PlatformURL: testBroker.PlatformURL, URNSubjects: urns}
				events := broker.Events(tt.eventType, tt.ft, tt.recipients...)
				err := models.Validator{}.Validate(events[len(events)-1])
				attribute, message, _ := strings.Cut(tt.fault, ": ")
				if refused := strings.HasPrefix(faults(t, err)[attribute], message) && err != nil; refused != (!urns || tt.urnsToo) {
					t.Errorf("got %v, want %q", err, tt.fault)
				}
			})
		}
	}
}

func TestBroker_Validate(t *testing.T) {
	t.Parallel()
	for url, want := range map[string][]string{
		"https://platform.altinn.no":     nil,
		"http://localhost:5101/":         nil,
		"":                               {"PlatformURL"},
		"platform.altinn.no":             {"PlatformURL"},
		"https://platform.altinn.no/x":   {"PlatformURL"},
		"https://u@platform.altinn.no":   {"PlatformURL"},
		"https://platform.altinn.no?x=y": {"PlatformURL"},
		"https://platform.altinn.no//":   {"PlatformURL"},
		"https://platform\x7f":           {"PlatformURL"},
	} {
		checkAttributes(t, models.Broker{PlatformURL: url}.Validate(), want)
	}
}

func TestBrokerTypes(t *testing.T) {
	t.Parallel()
	sender, recipient := models.BrokerTypes(models.BrokerSender), models.BrokerTypes(models.BrokerRecipient)
	if len(sender) != 8 || len(recipient) != 3 {
		t.Errorf("%d types for the sender and %d for recipients, want 8 and 3", len(sender), len(recipient))
	}
	for _, role := range []models.BrokerRole{models.BrokerSender, models.BrokerRecipient} {
		for _, eventType := range models.BrokerTypes(role) {
			told := slices.ContainsFunc(
				models.Broker{URNSubjects: true}.Events(eventType, testTransfer()),
				func(ev event.Event) bool { return string(ev.Data()) == `{"Role":"`+string(role)+`"}` },
			)
			if !told {
				t.Errorf("%s does not reach the %s", eventType, role)
			}
		}
	}
	if got := models.BrokerTypes("Owner"); got != nil {
		t.Errorf("an unknown role gets %v", got)
	}
}
