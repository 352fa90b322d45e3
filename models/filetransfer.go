package models

import (
	"fmt"
	"log/slog"
)

// FileTransfer is what events need of a broker file transfer, as the Broker
// API's overview answers with it. Other fields of the answer are ignored when
// it is decoded; a field of the wrong JSON type is an error.
//
// Source: Altinn/altinn-broker, Models/FileTransferOverviewExt.cs (2026-08).
type FileTransfer struct {
	// ID is the file transfer's UUID.
	ID string `json:"fileTransferId"`
	// ResourceID is the broker service's resource, without "urn:altinn:resource:".
	ResourceID string `json:"resourceId"`
	// Status is one of the FileTransfer… constants.
	Status string `json:"fileTransferStatus"`
	// Sender is "0192:{9 digits}" or the organisation's URN, as it was sent in.
	Sender string `json:"sender"`
	// Recipients are the receiving organisations.
	Recipients []Recipient `json:"recipients"`

	// SenderPartyID is the sender's party, in decimal. No Broker answer has it;
	// whoever publishes in the seed's shape looks it up.
	SenderPartyID string `json:"-"`
}

// Recipient is one receiver of a file transfer.
type Recipient struct {
	// Recipient is "0192:{9 digits}" or the organisation's URN.
	Recipient string `json:"recipient"`
	// Status is RecipientInitialized, RecipientDownloadStarted or
	// RecipientDownloadConfirmed.
	Status string `json:"currentRecipientFileTransferStatusCode"`

	// PartyID is the recipient's party, in decimal; see SenderPartyID.
	PartyID string `json:"-"`
}

// Format writes id, resource and status, whatever the verb: who sends and who receives
// may be persons.
func (t FileTransfer) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "file transfer %s of %s, %s", Redact(t.ID), Redact(t.ResourceID), Redact(t.Status))
}

// LogValue returns id, resource and status.
func (t FileTransfer) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("id", Redact(t.ID)),
		slog.String("resource", Redact(t.ResourceID)),
		slog.String("status", Redact(t.Status)),
	)
}

// Format writes the recipient, masked, and the status, whatever the verb.
func (r Recipient) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "%s, %s", Redact(r.Recipient), Redact(r.Status))
}

// LogValue returns the recipient, masked, and the status.
func (r Recipient) LogValue() slog.Value {
	return slog.GroupValue(slog.String("recipient", Redact(r.Recipient)), slog.String("status", Redact(r.Status)))
}

// The states of a file transfer, as the Broker API spells them.
//
// Source: Altinn/altinn-broker, Enums/FileTransferStatusExt.cs (2026-08).
const (
	FileTransferInitialized            = "Initialized"
	FileTransferUploadStarted          = "UploadStarted"
	FileTransferUploadProcessing       = "UploadProcessing"
	FileTransferPublished              = "Published"
	FileTransferCancelled              = "Cancelled"
	FileTransferAllConfirmedDownloaded = "AllConfirmedDownloaded"
	FileTransferPurged                 = "Purged"
	FileTransferFailed                 = "Failed"
)

// The states of a recipient, as the Broker API spells them.
//
// Source: Altinn/altinn-broker, Enums/RecipientFileTransferStatusExt.cs (2026-08).
const (
	RecipientInitialized       = "Initialized"
	RecipientDownloadStarted   = "DownloadStarted"
	RecipientDownloadConfirmed = "DownloadConfirmed"
)
