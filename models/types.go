package models

// The types of events that an Altinn App publishes about an instance, in wire
// spelling.
//
// Source: Altinn/app-lib-dotnet, InstancesController.cs and
// ProcessEventDispatcher.cs (2026-06).
const (
	// TypeInstanceCreated says that an instance was created or copied.
	TypeInstanceCreated = "app.instance.created"
	// TypeProcessCompleted says that the process has reached an end event.
	TypeProcessCompleted = "app.instance.process.completed"
	// TypeProcessMovedToPrefix begins the type of a move to a task; the task's
	// element id follows it. TypeProcessMovedTo builds the whole.
	TypeProcessMovedToPrefix = "app.instance.process.movedTo."
	// TypeSubstatusChanged says that the substatus was set.
	TypeSubstatusChanged = "app.instance.substatus.changed"
	// TypeEFormidlingReminder reminds the app to look at a shipment's status.
	TypeEFormidlingReminder = "app.eformidling.reminder.checkinstancestatus"
)

const brokerTypePrefix = "no.altinn.broker."

// The types of events that Altinn Broker publishes about a file transfer, in
// wire spelling, which is lower case. The comment says who gets the event.
//
// Source: seed 000; Altinn/altinn-broker, AltinnEventType.cs (2026-08).
const (
	// TypeBrokerFileTransferInitialized goes to the sender.
	TypeBrokerFileTransferInitialized = "no.altinn.broker.filetransferinitialized"
	// TypeBrokerUploadProcessing goes to the sender.
	TypeBrokerUploadProcessing = "no.altinn.broker.uploadprocessing"
	// TypeBrokerPublished goes to the sender and every recipient.
	TypeBrokerPublished = "no.altinn.broker.published"
	// TypeBrokerUploadFailed goes to the sender.
	TypeBrokerUploadFailed = "no.altinn.broker.uploadfailed"
	// TypeBrokerDownloadConfirmed goes to the recipient that confirmed and the
	// sender.
	TypeBrokerDownloadConfirmed = "no.altinn.broker.downloadconfirmed"
	// TypeBrokerAllConfirmedDownloaded goes to the sender.
	TypeBrokerAllConfirmedDownloaded = "no.altinn.broker.allconfirmeddownloaded"
	// TypeBrokerFilePurged goes to the sender.
	TypeBrokerFilePurged = "no.altinn.broker.filepurged"
	// TypeBrokerFileNeverConfirmedDownloaded goes to each recipient that has
	// not confirmed and, if there is one, to the sender.
	TypeBrokerFileNeverConfirmedDownloaded = "no.altinn.broker.fileneverconfirmeddownloaded"
)

// TypeValidateSubscription is the type of the event with which Altinn Events
// tries a new subscription's endpoint.
//
// Source: Altinn/altinn-events (2026-08).
const TypeValidateSubscription = "platform.events.validatesubscription"

// Extension attributes of Altinn's events, in wire spelling.
const (
	ExtAlternativeSubject = "alternativesubject"
	ExtResource           = "resource"
	ExtResourceInstance   = "resourceinstance"
	ExtTraceParent        = "traceparent"
)

// TypeProcessMovedTo returns the type of a process that moved to the task with
// the given element id: TypeProcessMovedTo("Task_2") is
// "app.instance.process.movedTo.Task_2".
func TypeProcessMovedTo(elementID string) string {
	return TypeProcessMovedToPrefix + elementID
}
