// Package models says what the events of Altinn Apps and Altinn Broker look like
// on the wire: it builds them, takes their attributes apart, and checks them. It
// holds values only; nothing here reads or writes anything, and every value may
// be used from any goroutine.
//
// Build an event about an app instance or a file transfer, and hand it to
// Publish of package publisher:
//
//	app := models.App{Org: "ttd", Name: "apps-test"}
//	created := app.Created(instance)
//
//	broker := models.Broker{PlatformURL: "https://platform.altinn.no"}
//	published := broker.Events(models.TypeBrokerPublished, fileTransfer)
//
//	err := models.Validator{}.ValidateDraft(created) // as Publish does
//
// # Rules
//
// An event is of an app if its resource is an app's or if it has none and its
// source is of an app instance; all others are other events. Validator checks:
//
//	attribute           rule
//	specversion         1.0; Publish fills it
//	id                  required; Publish fills it. Altinn Events replaces that of
//	                    app events
//	type                required, without white space; lower case if it begins with
//	                    no.altinn.broker.
//	source              required, an absolute http or https URL without user. App
//	                    events: path /{org}/{app}[/…] of the resource, in lower
//	                    case; below instances/, {party}/{guid}[/…]
//	subject             app events: required, /party/{id}. Others: optional, any
//	                    text, but with the right digits in the forms of
//	                    ParseSubject
//	alternativesubject  optional, any text, as the subject of other events
//	resource            app events: urn:altinn:resource:app_{org}_{app}; Publish
//	                    fills it from the source of an instance. Others: required,
//	                    as IsResource
//	resourceinstance    optional. App events: {party}/{guid} of the source; Publish
//	                    fills it
//	time                optional; Publish fills it
//	datacontenttype     optional, a media type; JSON if missing
//	data                optional, JSON if datacontenttype says so, else UTF-8 or
//	                    base64
//	dataschema          optional, an absolute URI
//	other extensions    names of a-z and 0-9, values of the CloudEvents types
//
// All text is UTF-8 without control characters. What Altinn Events itself drops
// from app events (data, dataschema, other extensions) is the publisher's rule.
//
// Altinn Events takes an app's event whose source is of no instance, such as
// /{org}/{app}, but then derives a resource from it that nobody subscribes to.
//
// Sources: seed 000 (Altinn 3 Broker developer guides) for events of Broker, seed
// 002 (How to publish Altinn App events) for type, source, subject, specversion
// and alternativesubject of app events; Altinn/altinn-events,
// AppController.cs, AppCloudEventExtensions.cs and UriExtensions.cs (2026-08) for
// source and resource; the CloudEvents specification 1.0.2 for all else.
//
// # Personal data
//
// A national identity number stands in an event's subject or alternative
// subject and nowhere else. Subject and InstanceOwner print masked, faults quote
// no subject, MaskSubject and Redact make other text fit for logs. What this
// cannot help: a Subject or Instance in an unexported field of another struct,
// which fmt prints without asking it, and their JSON form, which is the wire's.
package models
