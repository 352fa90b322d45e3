package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/models"
)

// BrokerLifecycleConfig configures BrokerLifecycleWithConfig. Publisher, Broker
// and Lookup are required, and PartyID unless Broker.URNSubjects is set.
type BrokerLifecycleConfig struct {
	// Skipper leaves requests out, as in AppLifecycleConfig.
	Skipper func(c echo.Context) bool

	// Publisher takes the events.
	Publisher Publisher

	// Broker is the broker whose routes these are.
	Broker models.Broker

	// Lookup returns a file transfer as it is after the handler: no answer of
	// the Broker API names its parties or tells its state. It is called once for
	// a request. Its error makes the events undecided.
	Lookup func(ctx context.Context, fileTransferID string) (models.FileTransfer, error)

	// PartyID returns the party id, in decimal, of an organisation number of 9
	// digits. It is called for every party that gets an event and whose party id
	// Lookup has not set, so it had better remember. With Broker.URNSubjects it
	// is not used.
	PartyID func(ctx context.Context, organisationNumber string) (string, error)

	// Recipient returns who has confirmed a download, as "0192:{9 digits}", URN
	// or bare number, for example from the caller's token. Without it the events
	// of a confirmation are those of every recipient that has confirmed by then;
	// their ids are the same each time, but Altinn Events pushes a repeated
	// event to its subscribers once more.
	Recipient func(c echo.Context) (string, error)

	// AfterResponse publishes when the handler has succeeded and holds nothing
	// back, as in AppLifecycleConfig.
	AfterResponse bool

	// FailClosed answers 500 when an event could not be decided or accepted, as
	// in AppLifecycleConfig.
	FailClosed bool

	// PublishTimeout bounds lookups and Publish together. Defaults to 2 s, -1 is
	// none.
	PublishTimeout time.Duration

	// MaxResponseBytes bounds what is held of an answer. Defaults to 1 MiB, -1
	// is unbounded.
	MaxResponseBytes int

	// ErrorHandler is called whenever an event could not be decided or accepted,
	// as in AppLifecycleConfig.
	ErrorHandler func(err error, c echo.Context) error

	// Logger gets a line for every event that could not be decided or accepted,
	// as in AppLifecycleConfig.
	Logger *slog.Logger
}

// BrokerLifecycle returns a middleware that publishes what happens to the file
// transfers of broker: the Broker API's own routes are recognised, at any group
// prefix, and their events follow from the route and the state that lookup
// tells. The package comment lists them.
//
// partyID may be nil if broker.URNSubjects is set. It panics if anything else is
// missing or not valid.
func BrokerLifecycle(
	pub Publisher,
	broker models.Broker,
	lookup func(ctx context.Context, fileTransferID string) (models.FileTransfer, error),
	partyID func(ctx context.Context, organisationNumber string) (string, error),
) echo.MiddlewareFunc {
	return BrokerLifecycleWithConfig(BrokerLifecycleConfig{Publisher: pub, Broker: broker, Lookup: lookup, PartyID: partyID})
}

// BrokerLifecycleWithConfig is BrokerLifecycle with a configuration. It panics
// if that has faults; ToMiddleware returns them.
func BrokerLifecycleWithConfig(config BrokerLifecycleConfig) echo.MiddlewareFunc {
	return must(config.ToMiddleware())
}

// ToMiddleware returns the middleware, or every fault of the configuration.
func (config BrokerLifecycleConfig) ToMiddleware() (echo.MiddlewareFunc, error) {
	s := settings{
		skipper:          config.Skipper,
		publisher:        config.Publisher,
		afterResponse:    config.AfterResponse,
		failClosed:       config.FailClosed,
		publishTimeout:   config.PublishTimeout,
		maxResponseBytes: config.MaxResponseBytes,
		errorHandler:     config.ErrorHandler,
		logger:           config.Logger,
	}
	faults := []error{s.validate(), config.Broker.Validate()}
	if config.Lookup == nil {
		faults = append(faults, configFault("Lookup", "is nil: no answer of the Broker API tells the parties of a file transfer"))
	}
	if config.PartyID == nil && !config.Broker.URNSubjects {
		faults = append(faults, configFault("PartyID", "is nil: subjects are /party/{id} unless Broker.URNSubjects is set"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("middleware.BrokerLifecycleConfig: %w", err)
	}
	r := brokerRules{broker: config.Broker, lookup: config.Lookup, partyID: config.PartyID, recipient: config.Recipient}
	// All events of a Broker have one source.
	source := config.Broker.Events(models.TypeBrokerFileTransferInitialized, models.FileTransfer{})[0].Source()
	return newLifecycle(s, source, r.rules()).middleware, nil
}

// brokerRules are the routes of the Broker API that say that something has
// happened.
//
// Source: Altinn/altinn-broker, FileTransferController.cs and
// TusEndpointExtensions.cs (2026-08).
type brokerRules struct {
	broker    models.Broker
	lookup    func(ctx context.Context, fileTransferID string) (models.FileTransfer, error)
	partyID   func(ctx context.Context, organisationNumber string) (string, error)
	recipient func(c echo.Context) (string, error)
}

func (b brokerRules) rules() rules {
	const tus = "/filetransfer/upload/tus/:"
	return rules{
		post: []rule{
			{tail: "/filetransfer", body: true, events: b.initialized},
			{tail: "/filetransfer/upload", body: true, events: b.initializedAndUploaded},
			{tail: "/filetransfer/:/upload", events: b.uploaded},
			{tail: tus, events: b.uploadedPart},
			{tail: "/filetransfer/:/confirmdownload", events: b.confirmed},
		},
		patch: []rule{
			{tail: tus, events: b.uploadedPart},
		},
	}
}

func (b brokerRules) initialized(ctx context.Context, x *exchange) ([]event.Event, error) {
	ft, err := b.answered(ctx, x)
	if err != nil {
		return nil, err
	}
	return b.told(ctx, ft, models.TypeBrokerFileTransferInitialized)
}

func (b brokerRules) initializedAndUploaded(ctx context.Context, x *exchange) ([]event.Event, error) {
	ft, err := b.answered(ctx, x)
	if err != nil {
		return nil, err
	}
	uploaded := uploadType(ft)
	if uploaded == "" {
		return nil, unexpectedState(ft)
	}
	return b.told(ctx, ft, models.TypeBrokerFileTransferInitialized, uploaded)
}

func (b brokerRules) uploaded(ctx context.Context, x *exchange) ([]event.Event, error) {
	ft, err := b.find(ctx, x.lastParams(1)[0])
	if err != nil {
		return nil, err
	}
	uploaded := uploadType(ft)
	if uploaded == "" {
		return nil, unexpectedState(ft)
	}
	return b.told(ctx, ft, uploaded)
}

// uploadedPart is for the routes of a resumable upload, of which the request
// that completes it says something.
func (b brokerRules) uploadedPart(ctx context.Context, x *exchange) ([]event.Event, error) {
	ft, err := b.find(ctx, x.lastParams(1)[0])
	if err != nil {
		return nil, err
	}
	uploaded := uploadType(ft)
	switch {
	case uploaded != "":
		return b.told(ctx, ft, uploaded)
	case ft.Status == models.FileTransferInitialized, ft.Status == models.FileTransferUploadStarted:
		return nil, nil
	default:
		return nil, unexpectedState(ft)
	}
}

func (b brokerRules) confirmed(ctx context.Context, x *exchange) ([]event.Event, error) {
	ft, err := b.find(ctx, x.lastParams(1)[0])
	if err != nil {
		return nil, err
	}
	var names []string
	concerned := func(r models.Recipient) bool { return r.Status == models.RecipientDownloadConfirmed }
	if b.recipient != nil {
		name, err := b.recipient(x.c)
		if err != nil {
			return nil, fmt.Errorf("%w: who confirms: %w", ErrUndecided, err)
		}
		names = []string{name}
		concerned = func(r models.Recipient) bool { return number(r.Recipient) == number(name) }
	}
	if !slices.ContainsFunc(ft.Recipients, concerned) {
		return nil, fmt.Errorf("%w: no recipient that has confirmed is known", ErrUndecided)
	}
	ft, err = b.withParties(ctx, ft, concerned)
	if err != nil {
		return nil, err
	}
	events := b.broker.Events(models.TypeBrokerDownloadConfirmed, ft, names...)
	if ft.Status == models.FileTransferAllConfirmedDownloaded {
		events = append(events, b.broker.Events(models.TypeBrokerAllConfirmedDownloaded, ft)...)
	}
	return events, nil
}

// uploadType returns the type of what became of an upload; empty if nothing has
// yet, or something that an upload does not lead to.
func uploadType(ft models.FileTransfer) string {
	switch ft.Status {
	case models.FileTransferUploadProcessing:
		return models.TypeBrokerUploadProcessing
	case models.FileTransferPublished:
		return models.TypeBrokerPublished
	case models.FileTransferFailed:
		return models.TypeBrokerUploadFailed
	default:
		return ""
	}
}

func unexpectedState(ft models.FileTransfer) error {
	return fmt.Errorf("%w: an upload does not lead to the state %q that Lookup returns", ErrUndecided, ft.Status)
}

// answered looks up the file transfer that the answer names.
func (b brokerRules) answered(ctx context.Context, x *exchange) (models.FileTransfer, error) {
	var answer models.FileTransfer
	if err := x.decode(&answer, "fileTransferId"); err != nil {
		return models.FileTransfer{}, err
	}
	if answer.ID == "" {
		return models.FileTransfer{}, fmt.Errorf("%w: it has no fileTransferId", ErrUndecided)
	}
	return b.find(ctx, answer.ID)
}

func (b brokerRules) find(ctx context.Context, id string) (models.FileTransfer, error) {
	ft, err := b.lookup(ctx, id)
	if err != nil {
		return models.FileTransfer{}, fmt.Errorf("%w: look up the file transfer: %w", ErrUndecided, err)
	}
	ft.ID = id
	return ft, nil
}

// told returns the events of the given types.
func (b brokerRules) told(ctx context.Context, ft models.FileTransfer, eventTypes ...string) ([]event.Event, error) {
	toRecipients := slices.Contains(eventTypes, models.TypeBrokerPublished)
	ft, err := b.withParties(ctx, ft, func(models.Recipient) bool { return toRecipients })
	if err != nil {
		return nil, err
	}
	var events []event.Event
	for _, t := range eventTypes {
		events = append(events, b.broker.Events(t, ft)...)
	}
	return events, nil
}

// withParties returns ft with the party ids of the sender and of the recipients
// that are concerned, if subjects need them.
func (b brokerRules) withParties(ctx context.Context, ft models.FileTransfer, concerned func(models.Recipient) bool) (models.FileTransfer, error) {
	if b.broker.URNSubjects {
		return ft, nil
	}
	var err error
	find := func(organisation, known string) string {
		if known != "" || err != nil {
			return known
		}
		known, err = b.partyID(ctx, number(organisation))
		return known
	}
	ft.SenderPartyID = find(ft.Sender, ft.SenderPartyID)
	ft.Recipients = slices.Clone(ft.Recipients)
	for i := range ft.Recipients {
		if r := &ft.Recipients[i]; concerned(*r) {
			r.PartyID = find(r.Recipient, r.PartyID)
		}
	}
	if err != nil {
		return ft, fmt.Errorf("%w: look up a party: %w", ErrUndecided, err)
	}
	return ft, nil
}

// number returns the organisation number of "0192:{number}" or of a URN.
func number(organisation string) string {
	return organisation[strings.LastIndexByte(organisation, ':')+1:]
}
