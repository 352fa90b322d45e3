package models_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/models"
)

// genericEvent is a valid event that is of no app.
func genericEvent() event.Event {
	ev := event.New()
	ev.SetID("4815d141-8cf6-4555-8c3c-e069c7b80c79")
	ev.SetType("things.changed")
	ev.SetSource("https://things.example.no/api/things")
	ev.SetExtension(models.ExtResource, "urn:altinn:resource:ttd-things")
	return ev
}

func appEvent() event.Event {
	ev := testApp.Created(testInstance)
	ev.SetID("4815d141-8cf6-4555-8c3c-e069c7b80c79")
	return ev
}

func v1(ev *event.Event) *event.EventContextV1 { return ev.Context.(*event.EventContextV1) }

// set returns a change that sets an extension as it is, past the SDK's checks.
func set(name string, value any) func(*event.Event) {
	return func(ev *event.Event) { v1(ev).Extensions[name] = value }
}

func subject(s string) func(*event.Event) {
	return func(ev *event.Event) { v1(ev).Subject = &s }
}

func eventType(s string) func(*event.Event) {
	return func(ev *event.Event) { v1(ev).Type = s }
}

func source(s string) func(*event.Event) {
	return func(ev *event.Event) {
		u, err := url.Parse(s)
		if err != nil {
			panic(err)
		}
		v1(ev).Source.URL = *u
	}
}

func data(contentType, content string) func(*event.Event) {
	return func(ev *event.Event) {
		ev.DataEncoded = []byte(content)
		if contentType != "" {
			v1(ev).DataContentType = &contentType
		}
	}
}

type change struct {
	name string
	do   func(*event.Event)
	want string // the attributes that are refused, with spaces between
}

func checkChanges(t *testing.T, valid func() event.Event, changes []change) {
	t.Helper()
	if err := (models.Validator{}).Validate(valid()); err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ev := valid()
			c.do(&ev)
			checkAttributes(t, models.Validator{}.Validate(ev), strings.Fields(c.want))
		})
	}
}

func TestValidator_AnyEvent(t *testing.T) {
	t.Parallel()
	checkChanges(t, genericEvent, []change{
		{"NoID", func(ev *event.Event) { v1(ev).ID = "" }, "id"},
		{"BlankID", func(ev *event.Event) { v1(ev).ID = " " }, "id"},
		{"ControlInID", func(ev *event.Event) { v1(ev).ID = "a\nb" }, "id"},
		{"NoUTF8InID", func(ev *event.Event) { v1(ev).ID = "a\xff" }, "id"},
		{"NoType", eventType(""), "type"},
		{"SpaceInType", eventType("a b"), "type"},
		{"WideSpaceInType", eventType("a\u2003b"), "type"},
		{"ControlInType", eventType("a\u0085b"), "type"},
		{"NoUTF8InType", eventType("a\xffb"), "type"},
		{"OtherLettersInType", eventType("app.instance.process.movedTo.Søknad"), ""},
		{"TypeWithoutTask", eventType("app.instance.process.movedTo."), "type"},
		{"BrokerType", eventType("no.altinn.broker.published"), ""},
		{"MixedCaseBrokerType", eventType("no.altinn.broker.Published"), "type"},
		{"UpperCaseBrokerType", eventType("NO.ALTINN.BROKER.PUBLISHED"), "type"},
		{"MixedCaseOtherType", eventType("no.altinn.Broker"), ""},
		{"NoSource", func(ev *event.Event) { v1(ev).Source = types.URIRef{} }, "source"},
		{"RelativeSource", source("/api/things"), "source"},
		{"OtherScheme", source("urn:things"), "source"},
		{"NoHost", source("https:///api"), "source"},
		{"UserInSource", source("https://a:b@h/api"), "source"},
		{"ControlInQuery", func(ev *event.Event) { v1(ev).Source.RawQuery = "a\nb" }, "source"},
		{"Time", func(ev *event.Event) { ev.SetTime(time.Now()) }, ""},
		{"LastTime", func(ev *event.Event) { ev.SetTime(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)) }, ""},
		{"FirstTime", func(ev *event.Event) { ev.SetTime(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)) }, ""},
		{"TimeBeforeRFC3339", func(ev *event.Event) { ev.SetTime(time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)) }, "time"},
		{"TimeBeyondRFC3339", func(ev *event.Event) { ev.SetTime(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)) }, "time"},
		{"DataSchema", func(ev *event.Event) { ev.SetDataSchema("https://h/schema.json") }, ""},
		{"RelativeDataSchema", func(ev *event.Event) { ev.SetDataSchema("schema.json") }, "dataschema"},
		{"JSON", data("application/json; charset=utf-8", `{"a":1}`), ""},
		{"JSONWithoutType", data("", `{"a":1}`), ""},
		{"NoJSON", data("application/json", `{`), "data"},
		{"NoJSONWithoutType", data("", `a`), "data"},
		{"NoTextJSON", data("TEXT/JSON", `{`), "data"},
		{"NoJSONSuffix", data("application/problem+json", `{`), "data"},
		{"EmptyJSON", data("application/json", ``), "data"},
		{"Text", data("text/plain", `{`), ""},
		{"NoUTF8Text", data("text/plain", "\xff"), "data"},
		{"Base64", func(ev *event.Event) { data("image/png", "\xff")(ev); ev.DataBase64 = true }, ""},
		{"BrokenJSONOfAnyType", data("image/json", `{`), "data"},
		{"NoMediaType", data("json", `{}`), "datacontenttype"},
		{"BrokenMediaType", data("text/plain; charset", `a`), "datacontenttype"},
		{"ControlInMediaType", data("text/plain; a=\"\x01\"", `a`), "datacontenttype"},
		{"ExtensionValues", func(ev *event.Event) {
			ev.SetExtension("truth", true)
			ev.SetExtension("number", 1)
			ev.SetExtension("bytes", []byte{1})
			ev.SetExtension("a1", "æ")
		}, ""},
		{"UpperCaseExtension", set("Name", "x"), "extension"},
		{"ExtensionWithHyphen", set("a-b", "x"), "extension"},
		{"ExtensionWithoutName", set("", "x"), "extension"},
		{"ExtensionAsAttribute", set("id", "x"), "id"},
		{"ExtensionAsData", set("data", "x"), "data"},
		{"ExtensionOfOtherType", set("ext", struct{}{}), "ext"},
		{"ExtensionNil", set("ext", nil), "ext"},
		{"ControlInExtension", set("ext", "a\x7f"), "ext"},
		{"Everything", func(ev *event.Event) { *ev = event.Event{} }, "id resource source specversion type"},
		{"NilContext", func(ev *event.Event) { ev.Context = (*event.EventContextV1)(nil) }, "id resource source specversion type"},
		{"OldNilContext", func(ev *event.Event) { ev.Context = (*event.EventContextV03)(nil) }, "id resource source specversion type"},
		{"OldVersion", func(ev *event.Event) { ev.Context = ev.Context.AsV03() }, "specversion"},
		{"OtherContext", func(ev *event.Event) { ev.Context = struct{ event.EventContext }{ev.Context} }, "specversion"},
	})
}

func TestValidator_OtherEvents(t *testing.T) {
	t.Parallel()
	checkChanges(t, genericEvent, []change{
		{"NoResource", func(ev *event.Event) { v1(ev).Extensions = nil }, "resource"},
		{"EmptyResource", set("resource", ""), "resource"},
		{"ResourceOfOtherType", set("resource", 1), "resource"},
		{"UpperCaseResource", set("resource", "urn:altinn:resource:Things"), "resource"},
		{"ResourceNoURN", set("resource", "ttd-things"), "resource"},
		{"OtherNamespace", set("resource", "urn:nbib:bokoversikt.api"), ""},
		{"ResourceInstance", set("resourceinstance", "1"), ""},
		{"EmptyResourceInstance", set("resourceinstance", ""), "resourceinstance"},
		{"ControlInResourceInstance", set("resourceinstance", "\x00"), "resourceinstance"},
		{"Subject", subject("anything at all"), ""},
		{"EmptySubject", subject(""), "subject"},
		{"ControlInSubject", subject("a\tb"), "subject"},
		{"Party", subject("/party/50015641"), ""},
		{"PartyWithoutID", subject("/party/"), "subject"},
		{"PartyNoNumber", subject("/party/abc"), "subject"},
		{"Organisation", subject("/organisation/123456789"), ""},
		{"ShortOrganisation", subject("/organisation/12345678"), "subject"},
		{"ShortOrganization", subject("/organization/12345678"), "subject"},
		{"ShortPerson", subject("/person/1"), "subject"},
		{"OrganisationURN", subject("urn:altinn:organization:identifier-no:123456789"), ""},
		{"ShortOrganisationURN", subject("urn:altinn:organization:identifier-no:1"), "subject"},
		{"OrganisationURNWithPrefix", subject("urn:altinn:organization:identifier-no:0192:123456789"), "subject"},
		{"ShortPersonURN", subject("urn:altinn:person:identifier-no:1"), "subject"},
		{"ServiceOwner", subject("/org/ttd"), ""},
		{"ServiceOwnerOfNobody", subject("/org/"), ""},
		{"LegacyOrganisation", subject("/org/123456789"), ""},
		{"ShortLegacyOrganisation", subject("/org/12345678"), "subject"},
		{"AlternativeSubject", set("alternativesubject", "/organisation/123456789"), ""},
		{"AnyAlternativeSubject", set("alternativesubject", "anything at all"), ""},
		{"EmptyAlternativeSubject", set("alternativesubject", ""), "alternativesubject"},
		{"AlternativeSubjectOfOtherType", set("alternativesubject", 1), "alternativesubject"},
		{"ShortAlternativePerson", set("alternativesubject", "/person/123"), "alternativesubject"},
		{"ControlInAlternativeSubject", set("alternativesubject", "a\x00"), "alternativesubject"},
		{"InstanceSourceOfOtherResource", source(testApp.Source(testInstance.ID)), ""},
	})
}

func TestValidator_AppEvents(t *testing.T) {
	t.Parallel()
	const guid = "428a4575-2c04-4400-89a3-1aaadd2579cd"
	without := func(names ...string) func(*event.Event) {
		return func(ev *event.Event) {
			for _, name := range names {
				delete(v1(ev).Extensions, name)
			}
		}
	}
	checkChanges(t, appEvent, []change{
		{"NoResource", without("resource"), ""},
		{"NoResourceInstance", without("resourceinstance"), ""},
		{"NoAlternativeSubject", without("alternativesubject"), ""},
		{"NoExtensions", func(ev *event.Event) { v1(ev).Extensions = nil }, ""},
		{"NoSubject", func(ev *event.Event) { v1(ev).Subject = nil }, "subject"},
		{"EmptySubject", subject(""), "subject"},
		{"NoSubjectAndNoResource", func(ev *event.Event) { without("resource")(ev); v1(ev).Subject = nil }, "subject"},
		{"OtherSubject", subject("/organisation/897069631"), "subject"},
		{"PartyNoNumber", subject("/party/x"), "subject"},
		{"PartyWithoutID", subject("/party/"), "subject"},
		{"ElevenDigitParty", subject("/party/01038712345"), "subject"},
		{"RelativeSource", source("/ttd/apps-test/instances/50019855/" + guid), "source"},
		{"NoSource", func(ev *event.Event) { v1(ev).Source = types.URIRef{} }, "source"},
		{"AnotherOrg", source("https://h/skd/apps-test/instances/50019855/" + guid), "source"},
		{"AnotherApp", source("https://h/ttd/apps-test-2/instances/50019855/" + guid), "source"},
		{"ShorterApp", source("https://h/ttd/apps/instances/50019855/" + guid), "source"},
		{"UpperCaseOrg", source("https://h/TTD/apps-test/instances/50019855/" + guid), "source"},
		{"NoGUID", source("https://h/ttd/apps-test/instances/50019855/1"), "source"},
		{"AnotherInstance", source("https://h/ttd/apps-test/instances/50019855/" + strings.Replace(guid, "4", "5", 1)), "resourceinstance"},
		{"AnotherParty", source("https://h/ttd/apps-test/instances/1/" + guid), "resourceinstance"},
		{"AnotherInstanceWithoutResource", func(ev *event.Event) {
			without("resource")(ev)
			set("resourceinstance", "1/"+guid)(ev)
		}, "resourceinstance"},
		{"PartOfTheInstance", source("https://h/ttd/apps-test/instances/50019855/" + guid + "/data/1"), ""},
		{"OfTheWholeApp", func(ev *event.Event) {
			source("https://h/ttd/apps-test")(ev)
			without("resourceinstance")(ev)
		}, ""},
		{"OfTheWholeAppWithoutResource", func(ev *event.Event) {
			source("https://h/ttd/apps-test")(ev)
			without("resource")(ev)
		}, "resource"},
		{"UnfinishedResource", set("resource", "urn:altinn:resource:app_ttd"), "source"},
		{"ResourceOfNoApp", set("resource", "urn:altinn:resource:app__"), "source"},
		{"EveryFault", func(ev *event.Event) {
			*ev = models.App{Org: "A", Name: "B"}.MovedTo(models.Instance{InstanceOwner: models.InstanceOwner{OrganisationNumber: "1"}}, "")
		}, "alternativesubject id resourceinstance source subject type"},
	})
}

func TestValidator_ValidateDraft(t *testing.T) {
	t.Parallel()
	v := models.Validator{}
	ev := testApp.Created(testInstance)
	v1(&ev).Extensions = nil
	if err := v.ValidateDraft(ev); err != nil {
		t.Errorf("without what Publish fills: %v", err)
	}
	checkAttributes(t, v.Validate(ev), []string{"id"})
	v1(&ev).ID = " "
	checkAttributes(t, v.ValidateDraft(ev), []string{"id"})
	checkAttributes(t, v.ValidateDraft(event.Event{}), []string{"resource", "source", "type"})

	generic := genericEvent()
	v1(&generic).Extensions = nil
	checkAttributes(t, v.ValidateDraft(generic), []string{"resource"})
}

func TestValidator_CheckDigits(t *testing.T) {
	t.Parallel()
	v := models.Validator{CheckDigits: true}
	for _, tt := range []struct {
		name string
		do   func(*event.Event)
		want string
	}{
		{"PersonOfTheDocumentation", set("alternativesubject", "/person/01017512345"), "alternativesubject"},
		{"Person", set("alternativesubject", "/person/16035001577"), ""},
		{"OrganisationOfTheDocumentation", set("alternativesubject", "/organisation/987564321"), "alternativesubject"},
		{"Organisation", set("alternativesubject", "/organisation/991825827"), ""},
		{"LegacyOrganisation", set("alternativesubject", "/org/123456789"), "alternativesubject"},
		{"ServiceOwner", set("alternativesubject", "/org/ttd"), ""},
		{"OrganisationURN", subject("urn:altinn:organization:identifier-no:123456789"), "subject"},
		{"PersonURN", subject("urn:altinn:person:identifier-no:01017512345"), "subject"},
		{"Party", subject("/party/123456789"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ev := genericEvent()
			tt.do(&ev)
			checkAttributes(t, v.Validate(ev), strings.Fields(tt.want))
		})
	}
}

func TestValidator_SaysWhatTheSubjectOfAnAppEventIs(t *testing.T) {
	t.Parallel()
	ev := appEvent()
	ev.SetSubject("/person/" + testInstance.InstanceOwner.PersonNumber)
	const want = "invalid event: subject: want /party/{1 to 10 digits}"
	if err := (models.Validator{}).Validate(ev); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestValidator_OldVersionSaysWhatToDo(t *testing.T) {
	t.Parallel()
	ev := genericEvent()
	ev.Context = ev.Context.AsV03()
	const want = "invalid event: specversion: want 1.0: convert the event's context with AsV1"
	if err := (models.Validator{}).Validate(ev); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	ev.Context = ev.Context.AsV1()
	if err := (models.Validator{}).Validate(ev); err != nil {
		t.Errorf("converted: %v", err)
	}
}

func TestValidator_FieldErrors(t *testing.T) {
	t.Parallel()
	ev := appEvent()
	ev.SetExtension("alternativesubject", map[string]string{"person": "01017512345"})
	ev.SetSource("https://h\x7f/01017512345")
	ev.SetExtension("bad_name", "x")
	err := models.Validator{}.Validate(ev)
	found := faults(t, err)
	if len(found) != 3 || found["source"] == "" || found["bad_name"] == "" || found["alternativesubject"] == "" || strings.Contains(err.Error(), "01017512345") {
		t.Errorf("got %v", models.Redact(err.Error()))
	}

	ev = appEvent()
	ev.FieldErrors = map[string]error{"subject": errors.New("kari"), "type": errors.New("from 01017512345")}
	want := "invalid event: subject: could not be set: the name or the type of the value is wrong; type: could not be set: from ***********"
	if err := (models.Validator{}).Validate(ev); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestValidator_QuotesNothing(t *testing.T) {
	t.Parallel()
	const secret = "01017512345"
	ev := event.Event{Context: &event.EventContextV1{
		ID:   secret + "\n",
		Type: "no.altinn.broker.X" + secret,
		Source: types.URIRef{URL: url.URL{
			Scheme: "https", Host: secret, User: url.User(secret), Path: "/TTD/" + secret, RawQuery: secret + "\n",
		}},
		Subject:         new("/party/" + secret),
		DataContentType: new(secret),
		Extensions: map[string]any{
			models.ExtResource:           "urn:altinn:resource:app_ttd_" + secret,
			models.ExtResourceInstance:   secret + "\n",
			models.ExtAlternativeSubject: "/person/" + secret + secret,
			secret:                       secret + "\n",
			"bad-" + secret:              "",
		},
	}}
	ev.DataEncoded = []byte(secret + "{")
	err := models.Validator{CheckDigits: true}.Validate(ev)
	if n := len(faults(t, err)); n < 9 {
		t.Errorf("%d faults, want one of each attribute: %v", n, models.Redact(err.Error()))
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("a fault quotes the event: %v", models.Redact(err.Error()))
	}
}

func TestValidator_LeavesTheEventAlone(t *testing.T) {
	t.Parallel()
	got, want := testApp.Created(models.Instance{}), testApp.Created(models.Instance{})
	if err := (models.Validator{}).Validate(got); err == nil {
		t.Fatal("the event is valid")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

//nolint:paralleltest // AllocsPerRun counts the allocations of all goroutines
func TestAllocations(t *testing.T) {
	ev := appEvent()
	if n := testing.AllocsPerRun(100, func() { errMade = models.Validator{}.Validate(ev) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
	if n := testing.AllocsPerRun(100, func() { madeEvent = testApp.Created(testInstance) }); n > 10 {
		t.Errorf("%v allocations to build an event, want 10 at most", n)
	}
}

func TestIsAppEvent(t *testing.T) {
	t.Parallel()
	bare := appEvent()
	v1(&bare).Extensions = nil
	other := appEvent()
	other.SetExtension(models.ExtResource, "urn:altinn:resource:things")
	whole := bare.Clone()
	whole.SetSource("https://h/ttd/apps-test")
	old := appEvent()
	old.Context = old.Context.AsV03()
	for name, tt := range map[string]struct {
		ev   event.Event
		want bool
	}{
		"App":          {appEvent(), true},
		"BySource":     {bare, true},
		"OldVersion":   {old, true},
		"OtherRsource": {other, false},
		"WholeApp":     {whole, false},
		"Generic":      {genericEvent(), false},
		"Zero":         {event.Event{}, false},
	} {
		if got := models.IsAppEvent(tt.ev); got != tt.want {
			t.Errorf("%s is %t, want %t", name, got, tt.want)
		}
	}
}

// checkReading compares what was read of a valid event with the event.
func checkReading(t *testing.T, ev event.Event, read models.Reading) {
	t.Helper()
	for name, got := range map[string]string{
		models.ExtResource: read.Resource, models.ExtResourceInstance: read.ResourceInstance,
		models.ExtAlternativeSubject: read.AlternativeSubject,
	} {
		if want, _ := ev.Extensions()[name].(string); got != want {
			t.Errorf("%s was read as %q, want %q", name, got, want)
		}
	}
	u, err := url.Parse(ev.Source())
	if err != nil {
		t.Fatal(err)
	}
	plain := u.Scheme + "://" + u.Host + u.Path
	if quoted, _ := json.Marshal(plain); read.PlainSource && (ev.Source() != plain || string(quoted) != `"`+plain+`"`) {
		t.Errorf("the source %q was taken for plain", ev.Source())
	}
	if app, err := models.ParseAppSource(u.String()); read.App != app {
		t.Errorf("App of %s was read as %+v, want %+v, %v", ev.Source(), read.App, app, err)
	}
}

func TestValidator_Read(t *testing.T) {
	t.Parallel()
	const instance = "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd"
	for source, plain := range map[string]bool{
		"https://ttd.apps.altinn.no/ttd/apps-test/instances/" + instance:                  true,
		"https://ttd.apps.altinn.no/ttd/apps-test/instances/" + instance + "/data/A_1":    true,
		"https://ttd.apps.altinn.no/ttd/apps-test/instances/" + instance + "/data/%C3%A6": false,
		"https://ttd.apps.altinn.no/ttd/apps-test/instances/" + instance + "/data/a%20b":  false,
		"https://ttd.apps.altinn.no/ttd/apps-test/instances/" + instance + "/data/a%2Fb":  false,
		"https://ttd.apps.altinn.no/ttd/apps-test/instances/" + instance + "/data/a'b\"c": false,
		"https://ttd.apps.altinn.no/ttd/apps-test/instances/" + instance + "?":            false,
		"https://ttd.apps.altinn.no/ttd/apps-test/instances/" + instance + "?a=b":         false,
		"https://ttd.apps.altinn.no/ttd/apps-test/instances/" + instance + "#a":           false,
		"https://ttd.apps.altinn.no:8080/ttd/apps-test/instances/" + instance:             false,
		"https://TTD.apps.altinn.no/ttd/apps-test/instances/" + instance:                  false,
		"http://æ.no/ttd/apps-test/instances/" + instance:                                 false,
	} {
		ev := testApp.Created(testInstance)
		ev.SetSource(source)
		read, err := models.Validator{}.Read(ev)
		if err != nil {
			t.Errorf("Read of %s: %v", source, err)
			continue
		}
		if read.PlainSource != plain {
			t.Errorf("PlainSource of %s = %v, want %v", source, read.PlainSource, plain)
		}
		checkReading(t, ev, read)
	}
	for _, source := range []string{
		"https://h.no/ttd/app", "https://h.no/ttd/app/instances", "https://h.no/ttd/app/instances/x", "https://h.no/%69/a",
		"https://h.no/ttd/app/instances%2F1/428a4575-2c04-4400-89a3-1aaadd2579cd/æ", "https://h.no/ttd/%69nstances/æ",
	} {
		ev := event.New()
		ev.SetType("some.type")
		ev.SetSource(source)
		ev.SetExtension(models.ExtResource, models.Resource("some-resource"))
		read, err := models.Validator{}.Read(ev)
		if err != nil {
			t.Errorf("Read of %s: %v", source, err)
			continue
		}
		checkReading(t, ev, read)
	}
	for _, ev := range testBroker.Events(models.TypeBrokerPublished, testTransfer()) {
		read, err := models.Validator{}.Read(ev)
		if err != nil {
			t.Fatal(err)
		}
		checkReading(t, ev, read)
	}
	if _, err := (models.Validator{}).Read(event.New()); err == nil {
		t.Error("Read of an event without anything gives no error")
	}
}

func TestReading_PrintsMasked(t *testing.T) {
	t.Parallel()
	read, err := models.Validator{}.Read(testApp.Created(testInstance))
	if err != nil {
		t.Fatal(err)
	}
	const want = "resource urn:altinn:resource:app_ttd_apps-test, instance 50019855/428a4575-2c04-4400-89a3-1aaadd2579cd, " +
		"alternative subject /person/***********"
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		if got := fmt.Sprintf(format, read); got != want {
			t.Errorf("%s prints %q, want %q", format, got, want)
		}
	}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("", slog.Any("read", read))
	if got := b.String(); !strings.Contains(got, "read.alternativesubject=/person/***********") {
		t.Errorf("logged as %s", got)
	}
}

func FuzzValidator_Validate(f *testing.F) {
	f.Add("1", "app.instance.created", "https://h/ttd/a", "/party/1", "urn:altinn:resource:app_ttd_a", "x", "application/json", []byte("{}"))
	f.Add("", "no.altinn.broker.Published", ":", "", "urn:altinn:resource:x", "/person/01017512345", "", []byte(nil))
	f.Fuzz(func(t *testing.T, id, eventType, source, subject, resource, alternative, contentType string, data []byte) {
		ev := event.New()
		ev.SetID(id)
		ev.SetType(eventType)
		ev.SetSource(source)
		ev.SetSubject(subject)
		ev.SetExtension(models.ExtResource, resource)
		ev.SetExtension(models.ExtAlternativeSubject, alternative)
		ev.SetExtension(strings.ToLower(id), alternative)
		ev.SetDataContentType(contentType)
		ev.DataEncoded = data
		v := models.Validator{CheckDigits: true}
		if err := v.Validate(ev); err != nil {
			if text := err.Error(); models.Redact(text) != text {
				t.Errorf("the fault holds a number: %s", text)
			}
			return
		}
		read, err := v.Read(ev)
		if err != nil {
			t.Errorf("an event is valid, and as a draft is not: %v", err)
		}
		checkReading(t, ev, read)
		if err := ev.Validate(); err != nil {
			t.Errorf("an event is valid, and to the SDK is not: %v", err)
		}
	})
}
