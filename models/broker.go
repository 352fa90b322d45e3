package models

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
)

// BrokerRole is what a party is to a file transfer, in wire spelling.
type BrokerRole string

// The roles of a file transfer.
const (
	BrokerSender    BrokerRole = "Sender"
	BrokerRecipient BrokerRole = "Recipient"
)

// BrokerTypes returns the types of events that parties of a role get: every
// one for the sender, and those that are about a recipient for recipients.
//
// Source: seed 000; Altinn/altinn-broker (2026-08).
func BrokerTypes(role BrokerRole) []string {
	forRecipients := []string{
		TypeBrokerPublished,
		TypeBrokerDownloadConfirmed,
		TypeBrokerFileNeverConfirmedDownloaded,
	}
	switch role {
	case BrokerRecipient:
		return forRecipients
	case BrokerSender:
		return append([]string{
			TypeBrokerFileTransferInitialized,
			TypeBrokerUploadProcessing,
			TypeBrokerUploadFailed,
			TypeBrokerAllConfirmedDownloaded,
			TypeBrokerFilePurged,
		}, forRecipients...)
	default:
		return nil
	}
}

// Broker is an Altinn Broker, the source of events about its file transfers.
// It is a value: use it from any goroutine.
type Broker struct {
	// PlatformURL is the platform's address, such as
	// "https://platform.altinn.no". Required.
	PlatformURL string

	// URNSubjects writes events as today's Broker does: the subject is
	// "urn:altinn:organization:identifier-no:{9 digits}", there is no
	// alternative subject, and data tells the role. Without it they have the
	// documented shape: subject "/party/{id}", alternative subject
	// "/organisation/{9 digits}".
	URNSubjects bool
}

// Validate reports every fault of the Broker's fields in one *ValidationError.
func (b Broker) Validate() error {
	c := checker{what: "broker"}
	if u := c.baseURL("PlatformURL", b.PlatformURL); u != nil && u.Path != "" && u.EscapedPath() != "/" {
		c.add("PlatformURL", "want no path: the Broker API's own is added")
	}
	return c.err()
}

// Events returns the events of eventType about ft, one for each party that is
// told, the sender first; where several recipients have confirmed, the sender
// is told of each just before the recipient. The type's case does not matter.
//
// recipients names the recipients that it is about, as "0192:{9 digits}", URN
// or bare number. Without it TypeBrokerPublished is about every recipient of
// ft, TypeBrokerDownloadConfirmed about those whose status says so, and
// TypeBrokerFileNeverConfirmedDownloaded about the others. The types that only
// the sender gets ignore it.
//
// Events never fails and leaves nobody out. What cannot be told becomes an
// event that Validate refuses with the reason: an unknown type, a recipient
// that ft does not have, a type about recipients that concerns none, a party
// id that the documented shape needs and ft lacks.
//
// Every id is the same each time: a GUID from the SHA-256 of type, file
// transfer, role and organisation and, where the sender is told that a recipient
// has confirmed, that recipient. A repeat is therefore no second event. The ids
// of TypeBrokerPublished are the very ones that Altinn Broker makes.
//
// Source: seed 000; Altinn/altinn-broker, AltinnEventBus.cs and
// FileTransferPublishService.cs (2026-08).
func (b Broker) Events(eventType string, ft FileTransfer, recipients ...string) []event.Event {
	eventType = strings.ToLower(eventType)
	sender := brokerParty{role: BrokerSender, actor: ft.Sender, partyID: ft.SenderPartyID}
	senderOnly := func() []event.Event { return []event.Event{b.event(eventType, ft, sender)} }

	if !slices.Contains(BrokerTypes(BrokerSender), eventType) {
		sender.typeFault = "is none of Altinn Broker's types; see BrokerTypes"
		return senderOnly()
	}
	if !slices.Contains(BrokerTypes(BrokerRecipient), eventType) {
		return senderOnly()
	}
	concerned := ft.concerned(eventType, recipients)
	if len(concerned) == 0 {
		sender.typeFault = "is about recipients, and the file transfer has none that it applies to"
		return senderOnly()
	}

	var events []event.Event
	if eventType == TypeBrokerPublished || eventType == TypeBrokerFileNeverConfirmedDownloaded && ft.Sender != "" {
		events = senderOnly()
	}
	for _, recipient := range concerned {
		if eventType == TypeBrokerDownloadConfirmed {
			sender.about = recipient.actor
			events = append(events, senderOnly()...)
		}
		events = append(events, b.event(eventType, ft, recipient))
	}
	return events
}

// brokerParty is one party that is told of a file transfer.
type brokerParty struct {
	role    BrokerRole
	actor   string // the organisation, as the Broker stores it
	partyID string
	about   string // the recipient that the sender is told of, if each counts

	typeFault, subjectFault string
}

// concerned returns the recipients that an event of eventType is about: those
// named or, without names, those whose status fits.
func (ft FileTransfer) concerned(eventType string, names []string) []brokerParty {
	var concerned []brokerParty
	add := func(r Recipient, fault string) {
		party := brokerParty{role: BrokerRecipient, actor: externalID(r.Recipient), partyID: r.PartyID, subjectFault: fault}
		same := func(other brokerParty) bool { return other.actor == party.actor }
		if !slices.ContainsFunc(concerned, same) {
			concerned = append(concerned, party)
		}
	}
	for _, name := range names {
		i := slices.IndexFunc(ft.Recipients, func(r Recipient) bool {
			return externalID(r.Recipient) == externalID(name)
		})
		if i < 0 {
			add(Recipient{Recipient: name}, "is of a recipient that the file transfer does not have")
			continue
		}
		add(ft.Recipients[i], "")
	}
	if len(names) > 0 {
		return concerned
	}
	for _, r := range ft.Recipients {
		confirmed := r.Status == RecipientDownloadConfirmed
		if eventType == TypeBrokerPublished || confirmed == (eventType == TypeBrokerDownloadConfirmed) {
			add(r, "")
		}
	}
	return concerned
}

func (b Broker) event(eventType string, ft FileTransfer, to brokerParty) event.Event {
	id := strings.ToLower(ft.ID)
	attributes := &event.EventContextV1{
		ID:   stableID(eventType, id, to),
		Type: eventType,
		Extensions: map[string]any{
			ExtResource:         Resource(ft.ResourceID),
			ExtResourceInstance: id,
		},
	}
	setURL(&attributes.Source.URL, strings.TrimSuffix(b.PlatformURL, "/")+"/broker/api/v1/filetransfer")
	ev := event.Event{Context: attributes}

	var subject string
	if b.URNSubjects {
		subject = organisationURNPrefix + afterLastColon(to.actor)
		ev.DataEncoded = []byte(`{"Role":"` + string(to.role) + `"}`)
	} else {
		subject = partyPrefix + to.partyID
		attributes.Extensions[ExtAlternativeSubject] = organisationPrefix + afterLastColon(to.actor)
		if to.partyID == "" {
			setFault(&ev, "subject", "the "+strings.ToLower(string(to.role))+"'s party id is not known: look it up, or set Broker.URNSubjects")
		}
	}
	attributes.Subject = &subject
	if to.typeFault != "" {
		setFault(&ev, "type", to.typeFault)
	}
	if to.subjectFault != "" {
		setFault(&ev, "subject", to.subjectFault)
	}
	return ev
}

// stableID returns the GUID of "{type}:{fileTransferId}:{role}:{actor}", with
// the type's last part only. Its first three groups are little-endian, as
// .NET reads them from the bytes of the hash.
func stableID(eventType, fileTransferID string, to brokerParty) string {
	name := strings.TrimPrefix(eventType, brokerTypePrefix) + ":" + fileTransferID + ":" + string(to.role) + ":" + to.actor
	if to.about != "" {
		name += ":" + to.about
	}
	sum := sha256.Sum256([]byte(name))
	return dotNetGUID(sum[:16])
}

func dotNetGUID(b []byte) string {
	b = slices.Clone(b)
	binary.BigEndian.PutUint32(b, binary.LittleEndian.Uint32(b))
	binary.BigEndian.PutUint16(b[4:], binary.LittleEndian.Uint16(b[4:]))
	binary.BigEndian.PutUint16(b[6:], binary.LittleEndian.Uint16(b[6:]))
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// externalID returns an organisation as the Broker stores recipients:
// "0192:{9 digits}".
func externalID(organisation string) string {
	return iso6523Prefix + afterLastColon(organisation)
}

func afterLastColon(s string) string {
	return s[strings.LastIndexByte(s, ':')+1:]
}
