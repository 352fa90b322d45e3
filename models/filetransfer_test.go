package models_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/models"
)

func TestFileTransfer_Decode(t *testing.T) {
	t.Parallel()
	got := unmarshal[models.FileTransfer](t, golden(t, "broker_published.txtar")["filetransfer.json"])
	want := models.FileTransfer{
		ID:         "da4ceacc-ad44-4e54-99b6-b58e3c13c785",
		ResourceID: "altinn-broker-test-resource-1",
		Status:     models.FileTransferPublished,
		Sender:     "0192:123456789",
		Recipients: []models.Recipient{{Recipient: "0192:987564321", Status: models.RecipientInitialized}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFileTransfer_DecodeRefusesWrongTypes(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`[]`, `{"fileTransferId":1}`, `{"resourceId":[]}`, `{"fileTransferStatus":3}`, `{"sender":{}}`,
		`{"recipients":{}}`, `{"recipients":["0192:987564321"]}`, `{"recipients":[{"currentRecipientFileTransferStatusCode":1}]}`, `{`, ``,
	} {
		var ft models.FileTransfer
		if err := json.Unmarshal([]byte(body), &ft); err == nil {
			t.Errorf("%s is read as %+v", body, ft)
		}
	}
}

func FuzzFileTransfer_Decode(f *testing.F) {
	f.Add(golden(f, "broker_published.txtar")["filetransfer.json"], "987564321")
	f.Add([]byte(`{"recipients":[{"recipient":"x"},{"recipient":"x"}]}`), "")
	f.Fuzz(func(t *testing.T, body []byte, recipient string) {
		var ft models.FileTransfer
		if json.Unmarshal(body, &ft) != nil {
			return
		}
		for _, broker := range []models.Broker{testBroker, {PlatformURL: testBroker.PlatformURL, URNSubjects: true}} {
			for _, eventType := range models.BrokerTypes(models.BrokerSender) {
				for _, names := range [][]string{nil, {recipient}} {
					events := broker.Events(eventType, ft, names...)
					if len(events) == 0 {
						t.Errorf("%s tells nobody of %q", eventType, body)
					}
					ids := make(map[string]bool)
					for _, ev := range events {
						_ = models.Validator{}.Validate(ev)
						ids[ev.ID()] = true
					}
					if len(ids) != len(events) {
						t.Errorf("%s makes %d ids for %d events of %q", eventType, len(ids), len(events), body)
					}
				}
			}
		}
	})
}

func TestFileTransfer_PrintsNoParties(t *testing.T) {
	t.Parallel()
	recipient := models.Recipient{Recipient: "0192:987564321", Status: models.RecipientInitialized}
	transfer := models.FileTransfer{
		ID: "da4ceacc-ad44-4e54-99b6-b58e3c13c785", ResourceID: "r-1", Status: models.FileTransferPublished,
		Sender: "0192:123456789", Recipients: []models.Recipient{recipient},
	}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", slog.Any("transfer", transfer), slog.Any("recipient", recipient))
	texts := []string{logged.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		texts = append(texts, fmt.Sprintf(verb, transfer), fmt.Sprintf(verb, []models.Recipient{recipient}))
	}
	for _, text := range texts {
		if strings.Contains(text, "987564321") || strings.Contains(text, "123456789") {
			t.Errorf("a number is printed: %s", text)
		}
	}
	if got := fmt.Sprint(transfer); got != "file transfer da4ceacc-ad44-4e54-99b6-b58e3c13c785 of r-1, Published" {
		t.Errorf("got %s", got)
	}
}
