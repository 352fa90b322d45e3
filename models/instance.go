package models

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Instance is what events need of an app instance, as the App API answers with
// it. Other fields of the answer are ignored when it is decoded; a field of the
// wrong JSON type is an error.
//
// Source: Altinn/app-lib-dotnet, Models/InstanceResponse.cs (2026-06).
type Instance struct {
	// ID is "{instanceOwnerPartyId}/{instanceGuid}".
	ID string `json:"id"`
	// AppID is "{org}/{app}".
	AppID string `json:"appId,omitempty"`
	// Org is the service owner's code.
	Org string `json:"org,omitempty"`
	// InstanceOwner is who the instance is about.
	InstanceOwner InstanceOwner `json:"instanceOwner"`
	// Process is where the instance stands; nil if it was not answered.
	Process *ProcessState `json:"process,omitempty"`
}

// InstanceOwner is who an instance is about: a party, and the person,
// organisation or self-identified user behind it. It prints masked, with fmt and
// with log/slog; only its JSON form has the numbers in clear.
type InstanceOwner struct {
	// PartyID is the party's number, in decimal.
	PartyID string `json:"partyId"`
	// PersonNumber is a national identity number of 11 digits. It is personal
	// data: it goes into the event's alternative subject and nowhere else.
	PersonNumber string `json:"personNumber,omitempty"`
	// OrganisationNumber has 9 digits.
	OrganisationNumber string `json:"organisationNumber,omitempty"`
	// Username names a self-identified user.
	Username string `json:"username,omitempty"`
	// ExternalIdentifier is a URN for owners that have neither number. It is
	// used verbatim as alternative subject.
	ExternalIdentifier string `json:"externalIdentifier,omitempty"`
}

// LogValue returns the instance's id and app and its owner, masked.
func (i Instance) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("id", Redact(i.ID)),
		slog.String("app", Redact(i.AppID)),
		slog.Any("owner", i.InstanceOwner),
	)
}

// Format writes the instance's id and app and its owner, masked, whatever the verb.
func (i Instance) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "instance %s of %s, owner %s", Redact(i.ID), Redact(i.AppID), i.InstanceOwner)
}

// String returns the owner's party and what else is known of it, masked:
// "/party/50019855 /person/***********".
func (o InstanceOwner) String() string {
	var parts []string
	add := func(prefix, value string) {
		if value != "" {
			parts = append(parts, MaskSubject(prefix+value))
		}
	}
	add(partyPrefix, o.PartyID)
	add(organisationPrefix, o.OrganisationNumber)
	add(personPrefix, o.PersonNumber)
	add("/user/", o.Username)
	add("", o.ExternalIdentifier)
	return strings.Join(parts, " ")
}

// Format writes String for every verb, %#v and %d too.
func (o InstanceOwner) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(o.String())) }

// LogValue returns String.
func (o InstanceOwner) LogValue() slog.Value { return slog.StringValue(o.String()) }

// ProcessState is where an instance stands in its process, as the process
// routes of the App API answer with it (AppProcessState).
//
// Source: Altinn/app-lib-dotnet, Models/AppProcessState.cs (2026-06).
type ProcessState struct {
	// Started is when the process was started.
	Started *time.Time `json:"started,omitempty"`
	// StartEvent is the element id of the start event.
	StartEvent string `json:"startEvent,omitempty"`
	// CurrentTask is nil before the process starts and after it has ended.
	CurrentTask *ProcessTask `json:"currentTask,omitempty"`
	// Ended is when an end event was reached.
	Ended *time.Time `json:"ended,omitempty"`
	// EndEvent is the element id of the end event that was reached.
	EndEvent string `json:"endEvent,omitempty"`
}

// ProcessTask is the task that a process is in.
type ProcessTask struct {
	// ElementID is the task's id in the process definition, such as "Task_1".
	ElementID string `json:"elementId"`
	// AltinnTaskType is "data", "signing", "confirmation" and so on.
	AltinnTaskType string `json:"altinnTaskType,omitempty"`
}
