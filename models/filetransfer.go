package models

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
