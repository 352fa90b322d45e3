package inspector_test

import (
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/testutil/inspector"
)

const appResource = "urn:altinn:resource:app_ttd_apps-test"

// posted returns an app event that nothing is wrong with, as it came.
func posted() inspector.Posted {
	ev := models.App{Org: "ttd", Name: "apps-test"}.Created(models.Instance{
		ID:            "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
		InstanceOwner: models.InstanceOwner{PartyID: "50019855", OrganisationNumber: "974760673"},
	})
	ev.SetID("e1")
	return inspector.Posted{Event: ev, Endpoint: "/app", Body: []byte(`{"source":"x","type":"x","subject":"x","specversion":"1.0"}`)}
}

// brokerPosted returns the same of another resource.
func brokerPosted() inspector.Posted {
	ev := event.New()
	ev.SetID("e1")
	ev.SetSource("https://platform.altinn.no/broker/api/v1/filetransfer")
	ev.SetType(models.TypeBrokerPublished)
	ev.SetSubject("/party/50015641")
	ev.SetExtension(models.ExtResource, "urn:altinn:resource:r")
	return inspector.Posted{Event: ev, Endpoint: "/events"}
}

func TestFindings_Nothing(t *testing.T) {
	t.Parallel()
	for _, p := range []inspector.Posted{posted(), brokerPosted()} {
		if got := inspector.Findings(p); got == nil || len(got) != 0 {
			t.Errorf("%s: %+v, want an empty list", p.Event.Type(), got)
		}
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	set := func(change func(*event.Event)) func(*inspector.Posted) {
		return func(p *inspector.Posted) { change(&p.Event) }
	}
	filter := func(filters ...inspector.Filter) func(*inspector.Posted) {
		return func(p *inspector.Posted) { p.Filters = filters }
	}
	for _, tt := range []struct {
		name      string
		from      func() inspector.Posted
		change    func(*inspector.Posted)
		level     inspector.Level
		attribute string
		says      string
	}{
		{"missing id", posted, set(func(ev *event.Event) { ev.SetID("") }), inspector.LevelError, "id", "required"},
		{"no type", posted, set(func(ev *event.Event) { ev.SetType("") }), inspector.LevelError, "type", "required"},
		{"wrong prefix", posted, set(func(ev *event.Event) { ev.SetSubject("/person/01017512345") }), inspector.LevelError, "subject", "/party/"},
		{"legacy org", posted, set(func(ev *event.Event) { ev.SetExtension("alternativesubject", "/org/974760673") }), inspector.LevelWarning, "alternativesubject", "legacy"},
		{"organization", brokerPosted, set(func(ev *event.Event) { ev.SetSubject("/organization/974760673") }), inspector.LevelWarning, "subject", "with an s"},
		{"no slash", brokerPosted, set(func(ev *event.Event) { ev.SetSubject("organisation/974760673") }), inspector.LevelWarning, "subject", "slash"},
		{"check digits", posted, set(func(ev *event.Event) { ev.SetExtension("alternativesubject", "/person/01017512345") }), inspector.LevelInfo, "alternativesubject", "check digits"},
		{"mixed case", posted, set(func(ev *event.Event) { ev.SetType("App.Instance.Created") }), inspector.LevelWarning, "type", "app.instance.created"},
		{"mixed case of a move", posted, set(func(ev *event.Event) { ev.SetType("app.instance.process.movedto.Task_1") }), inspector.LevelWarning, "type", "movedTo."},
		{"mixed case of Broker", brokerPosted, set(func(ev *event.Event) { ev.SetType("no.altinn.broker.Published") }), inspector.LevelError, "type", "lower case"},
		{"upper case resource", brokerPosted, set(func(ev *event.Event) { ev.SetExtension("resource", "urn:altinn:resource:R") }), inspector.LevelWarning, "resource", "lower case"},
		{"type that nobody asks for", posted, filter(inspector.Filter{Subscription: 1, Resource: appResource, Type: text("other")}), inspector.LevelWarning, "type", "ask for other"},
		{"type but for its case", posted, filter(inspector.Filter{Subscription: 1, Resource: appResource, Type: text("app.instance.CREATED")}), inspector.LevelWarning, "type", "upper and lower case only"},
		{"type but for white space", posted, filter(inspector.Filter{Subscription: 1, Resource: appResource, Type: text("app.instance.created ")}), inspector.LevelWarning, "type", `"app.instance.created ", which has white space`},
		{"empty filters beside one that matches", posted, filter(inspector.Filter{Subscription: 7, Resource: appResource, Type: text("")}, inspector.Filter{Subscription: 8, Resource: appResource}), inspector.LevelInfo, "type", "that have one: 7."},
		{"empty subject filter beside one that matches", posted, filter(inspector.Filter{Subscription: 7, Resource: appResource, Subject: text("")}, inspector.Filter{Subscription: 8, Resource: appResource}), inspector.LevelInfo, "subject", "that have one: 7."},
		{"empty filter beside one of another subject", posted, filter(inspector.Filter{Subscription: 7, Resource: appResource, Type: text("")}, inspector.Filter{Subscription: 8, Resource: appResource, Subject: text("/party/1")}), inspector.LevelWarning, "type", "that have one: 7."},
		{"empty type filter", posted, filter(inspector.Filter{Subscription: 7, Resource: appResource, Type: text("")}), inspector.LevelWarning, "type", "that have one: 7."},
		{"empty subject filter", posted, filter(inspector.Filter{Subscription: 7, Resource: appResource, Subject: text("")}), inspector.LevelWarning, "subject", "that have one: 7."},
		{"dropped", posted, func(p *inspector.Posted) { p.Body = []byte(`{"data":{},"own":"x","dataschema":null}`) }, inspector.LevelWarning, "", "drops: data, own."},
		{"replaced", posted, func(p *inspector.Posted) { p.Body = []byte(`{"id":"1","time":"x"}`) }, inspector.LevelInfo, "", "in place of: id, time."},
		{"of no instance", posted, set(func(ev *event.Event) { ev.SetExtension("resource", "urn:altinn:resource:app__") }), inspector.LevelWarning, "source", "no instance"},
	} {
		t.Run(strings.ReplaceAll(tt.name, " ", ""), func(t *testing.T) {
			t.Parallel()
			p := tt.from()
			tt.change(&p)
			for _, found := range inspector.Findings(p) {
				if found.Level == tt.level && found.Attribute == tt.attribute && strings.Contains(found.Message, tt.says) {
					return
				}
			}
			t.Errorf("%+v, want %s about %q that says %q", inspector.Findings(p), tt.level, tt.attribute, tt.says)
		})
	}
}

func TestFindings_SubscriptionsThatMatch(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	p := posted()
	p.Filters = []inspector.Filter{
		{Subscription: 1, Resource: appResource, Type: text("other")},
		{Subscription: 2, Resource: appResource, Type: text(models.TypeInstanceCreated)},
		{Subscription: 3, Resource: "urn:altinn:resource:app_ttd_other", Type: text("")},
	}
	if got := inspector.Findings(p); len(got) != 0 {
		t.Errorf("one subscription asks for the type, yet: %+v", got)
	}
}

func TestFindings_WorstFirstAndNoNumber(t *testing.T) {
	t.Parallel()
	p := brokerPosted()
	p.Event.SetType("no.altinn.broker.PUBLISHED 01017512345")
	p.Event.SetSubject("/org/01017512345")
	p.Filters = []inspector.Filter{{Subscription: 1, Resource: "urn:altinn:resource:r", Type: new("x01017512345")}}
	got := inspector.Findings(p)
	rank := map[inspector.Level]int{inspector.LevelError: 0, inspector.LevelWarning: 1, inspector.LevelInfo: 2}
	for i, found := range got {
		if strings.Contains(found.Message, "01017512345") {
			t.Errorf("a number in %+v", found)
		}
		if i > 0 && rank[got[i-1].Level] > rank[found.Level] {
			t.Errorf("%s after %s", found.Level, got[i-1].Level)
		}
	}
	if len(got) < 2 {
		t.Errorf("only %+v", got)
	}
}
