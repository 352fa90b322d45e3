package models

import (
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
)

// App is an Altinn App, the source of events about its instances. It is a
// value: use it from any goroutine.
//
// Its methods never fail. What is wrong with an event that they return, be it
// the App's fields or the instance's, shows when the event is validated, and
// Publish does that. Events have neither id nor time: Publish sets the first
// and the time of publishing, unless you set them before.
type App struct {
	// Org is the service owner's code, Name the app's name without it; both in
	// lower case, as they stand in the app's URL. Required.
	Org, Name string

	// BaseURL is what event sources begin with: an absolute http or https URL
	// whose path is "/{org}/{name}". Empty means
	// "https://{org}.apps.altinn.no/{org}/{name}".
	BaseURL string

	// LegacyOrganisationSubject writes the alternative subject of an
	// organisation as "/org/{9 digits}", as the .NET app library does, instead
	// of the documented "/organisation/{9 digits}".
	LegacyOrganisationSubject bool
}

// Validate reports every fault of the App's fields in one *ValidationError.
func (a App) Validate() error {
	c := checker{what: "app"}
	if !isAppName(a.Org) {
		c.add("Org", "want the service owner's code in lower case, such as ttd")
	}
	if !isAppName(a.Name) {
		c.add("Name", "want the app's name in lower case and without its org, such as apps-test")
	}
	if a.BaseURL != "" {
		u := c.baseURL("BaseURL", a.BaseURL)
		if u != nil && strings.TrimSuffix(u.EscapedPath(), "/") != "/"+a.Org+"/"+a.Name {
			c.add("BaseURL", "want the path /{org}/{name}, because Altinn Events refuses the sources of another app")
		}
	}
	return c.err()
}

// Created returns the event of a created instance, of type
// TypeInstanceCreated.
func (a App) Created(instance Instance) event.Event {
	return a.Event(TypeInstanceCreated, instance)
}

// MovedTo returns the event of a process that moved to the task elementID,
// such as "Task_2".
func (a App) MovedTo(instance Instance, elementID string) event.Event {
	return a.Event(TypeProcessMovedTo(elementID), instance)
}

// Completed returns the event of a process that has ended, of type
// TypeProcessCompleted.
func (a App) Completed(instance Instance) event.Event {
	return a.Event(TypeProcessCompleted, instance)
}

// SubstatusChanged returns the event of a substatus that was set, of type
// TypeSubstatusChanged.
func (a App) SubstatusChanged(instance Instance) event.Event {
	return a.Event(TypeSubstatusChanged, instance)
}

// Event returns an event of any type about instance.
//
// Its source is Source(instance.ID) and its subject "/party/{id}" with the
// owner's party or, if that is empty, the party of instance.ID. The alternative
// subject follows from the owner: "/organisation/{9 digits}", else
// "/person/{11 digits}", else the external identifier as it is, else none.
//
// Source: seed 002; Altinn/app-lib-dotnet, EventsClient.cs (2026-06).
func (a App) Event(eventType string, instance Instance) event.Event {
	owner := instance.InstanceOwner
	party := owner.PartyID
	if party == "" {
		party, _, _ = strings.Cut(instance.ID, "/")
	}
	form, alternative := a.alternativeSubject(owner)
	base := a.base()
	// One string has all texts: what is allocated is most of what this costs.
	texts := partyPrefix + party + form + alternative + appResourcePrefix + a.Org + "_" + a.Name +
		base[0] + base[1] + base[2] + base[3] + base[4] + base[5] + instancesPath + instance.ID
	subject, texts := cut(texts, len(partyPrefix)+len(party))
	alternativeSubject, texts := cut(texts, len(form)+len(alternative))
	resource, source := cut(texts, len(appResourcePrefix)+len(a.Org)+len("_")+len(a.Name))

	built := &struct {
		attributes event.EventContextV1
		subject    string
	}{subject: subject}
	built.attributes = event.EventContextV1{
		Type:    eventType,
		Subject: &built.subject,
		Extensions: map[string]any{
			ExtResource:         resource,
			ExtResourceInstance: source[len(source)-len(instance.ID):],
		},
	}
	if alternative != "" {
		built.attributes.Extensions[ExtAlternativeSubject] = alternativeSubject
	}
	setURL(&built.attributes.Source.URL, source)
	return event.Event{Context: &built.attributes}
}

// Source returns the source of events about an instance,
// "{BaseURL}/instances/{party}/{guid}", for an id of the form "{party}/{guid}".
func (a App) Source(instanceID string) string {
	base := a.base()
	return strings.Join(base[:], "") + instancesPath + instanceID
}

const instancesPath = "/instances/"

// base returns the parts of what sources begin with, before instancesPath.
func (a App) base() [6]string {
	if a.BaseURL != "" {
		return [6]string{strings.TrimSuffix(a.BaseURL, "/")}
	}
	return [6]string{"https://", a.Org, ".apps.altinn.no/", a.Org, "/", a.Name}
}

// alternativeSubject returns the two parts of the owner's alternative subject.
func (a App) alternativeSubject(owner InstanceOwner) (form, value string) {
	switch {
	case owner.OrganisationNumber != "" && a.LegacyOrganisationSubject:
		return legacyOrganisationPrefix, owner.OrganisationNumber
	case owner.OrganisationNumber != "":
		return organisationPrefix, owner.OrganisationNumber
	case owner.PersonNumber != "":
		return personPrefix, owner.PersonNumber
	default:
		return "", owner.ExternalIdentifier
	}
}

// cut returns the first n bytes of s and the rest.
func cut(s string, n int) (first, rest string) { return s[:n], s[n:] }
