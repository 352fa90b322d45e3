package publisher_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
)

var published = time.Date(2024, 4, 19, 7, 22, 19, 438039123, time.UTC)

// encode encodes ev and decodes the body.
func encode(t *testing.T, enc publisher.Encoder, ev event.Event) (outbox.Item, map[string]any) {
	t.Helper()
	item, err := enc.Encode(ev, published, "")
	if err != nil {
		t.Fatalf("Encode: %v", err)
	}
	var body map[string]any
	if err := json.Unmarshal(item.Body, &body); err != nil {
		t.Fatalf("body is no JSON: %v\n%s", err, item.Body)
	}
	return item, body
}

// generic returns an event that is not an app's.
func generic() event.Event {
	ev := event.New()
	ev.SetType("no.example.thing")
	ev.SetSource("https://example.no/things")
	ev.SetExtension(models.ExtResource, "urn:altinn:resource:things")
	return ev
}

func TestEncoder_AppEvent(t *testing.T) {
	t.Parallel()
	app := models.App{Org: "ttd", Name: "apps-test"}
	ev := app.Created(models.Instance{
		ID:            "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
		InstanceOwner: models.InstanceOwner{PartyID: "50019855", PersonNumber: "01017512345"},
	})
	item, _ := encode(t, publisher.Encoder{}, ev)

	var posted bytes.Buffer
	if err := json.Indent(&posted, item.Body, "", "  "); err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/app_event.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(golden)), posted.String()); diff != "" {
		t.Errorf("body, attribute by attribute in the order of seed 002 (-want +got):\n%s", diff)
	}
	want := outbox.Item{
		ID:          item.ID,
		Source:      ev.Source(),
		Type:        models.TypeInstanceCreated,
		Key:         ev.Source(),
		Endpoint:    publisher.EndpointApp,
		Body:        item.Body,
		PublishedAt: published,
	}
	if diff := cmp.Diff(want, item); diff != "" {
		t.Errorf("item (-want +got):\n%s", diff)
	}
	if n := cap(item.Body); n != len(item.Body) {
		t.Errorf("the body of %d bytes has room for %d, want as long as it is", len(item.Body), n)
	}
	if id, err := uuid.Parse(item.ID); err != nil || id.Version() != 7 {
		t.Errorf("id = %q, want a UUID of version 7", item.ID)
	}
}

func TestEncoder_ID(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		item, _ := encode(t, publisher.Encoder{}, generic())
		id, err := uuid.Parse(item.ID)
		if err != nil || id.Version() != 7 || id.Variant() != uuid.RFC4122 {
			t.Fatalf("id %q: %v, want a UUID of version 7", item.ID, err)
		}
		if at := time.Unix(id.Time().UnixTime()); at.Truncate(time.Millisecond).Sub(published.Truncate(time.Millisecond)) != 0 {
			t.Fatalf("id %q is of %v, want when it was published", item.ID, at)
		}
		if seen[item.ID] {
			t.Fatalf("id %q twice", item.ID)
		}
		seen[item.ID] = true
	}
}

// A source is written as net/url writes it, whatever it is made of.
func TestEncoder_Source(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		"https://example.no/things",
		"https://example.no",
		"https://example.no/",
		"http://example.no:8080/things",
		"https://[::1]/things",
		"https://example.no/a%2Fb",
		"https://example.no/a%20b",
		"https://example.no/a b",
		"https://example.no/æ",
		"https://example.no//a",
		"https://example.no/a?q=1",
		"https://example.no/a?",
		"https://example.no/a#b",
	} {
		u, err := url.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		ev := generic()
		ev.SetSource(source)
		item, body := encode(t, publisher.Encoder{}, ev)
		if item.Source != u.String() || body["source"] != u.String() {
			t.Errorf("source %q became %q in the item and %q in the body, want %q", source, item.Source, body["source"], u)
		}
	}
}

func TestEncoder_AppEventByItsSource(t *testing.T) {
	t.Parallel()
	ev := event.New()
	ev.SetType("app.instance.approved")
	ev.SetSource("https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd")
	ev.SetSubject("/party/50019855")
	item, _ := encode(t, publisher.Encoder{}, ev)
	if item.Endpoint != publisher.EndpointApp {
		t.Errorf("endpoint = %q, want /app: the source is an instance's", item.Endpoint)
	}
	_, full := encode(t, publisher.Encoder{CloudEventsOnly: true}, ev)
	want := map[string]any{
		"specversion": "1.0", "type": ev.Type(), "source": ev.Source(), "subject": ev.Subject(),
		"time": "2024-04-19T07:22:19.438039Z", "id": full["id"],
		"resource":         "urn:altinn:resource:app_ttd_apps-test",
		"resourceinstance": "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
	}
	if diff := cmp.Diff(want, full); diff != "" {
		t.Errorf("filled (-want +got):\n%s", diff)
	}
}

func TestEncoder_BrokerEvent(t *testing.T) {
	t.Parallel()
	ft := models.FileTransfer{
		ID: "da4ceacc-ad44-4e54-99b6-b58e3c13c785", ResourceID: "altinn-broker-test-resource-1",
		Sender: "0192:123456789", SenderPartyID: "50015641",
		Recipients: []models.Recipient{{Recipient: "0192:987564321", PartyID: "50015642"}},
	}
	ev := models.Broker{PlatformURL: "https://platform.tt02.altinn.no"}.Events(models.TypeBrokerPublished, ft)[0]
	ev.SetID("1faa107f-3c0a-4fa6-9fce-7cee8838e258")
	item, body := encode(t, publisher.Encoder{}, ev)

	golden, err := os.ReadFile("testdata/broker_event.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal(golden, &want); err != nil {
		t.Fatal(err)
	}
	want["type"] = strings.ToLower(want["type"].(string))
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("body (-seed 000 +got):\n%s", diff)
	}
	if item.Endpoint != publisher.EndpointEvents || item.Key != "urn:altinn:resource:altinn-broker-test-resource-1/da4ceacc-ad44-4e54-99b6-b58e3c13c785" {
		t.Errorf("endpoint %q, key %q: want /events, ordered by resource and instance", item.Endpoint, item.Key)
	}
}

func TestEncoder_KeepsWhatIsSet(t *testing.T) {
	t.Parallel()
	ev := generic()
	ev.SetID("mine")
	ev.SetTime(time.Date(2020, 1, 2, 3, 4, 5, 678, time.FixedZone("", 3600)))
	ev.SetSubject("anything")
	ev.SetDataSchema("https://example.no/schema")
	ev.SetExtension("number", 42)
	ev.SetExtension("flag", true)
	ev.SetExtension("when", time.Unix(0, 0))
	ev.SetExtension("bytes", []byte("x"))
	ev.SetExtension("link", types.ParseURI("https://example.no/a?b=c"))
	ev.SetExtension("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if err := ev.SetData(event.ApplicationJSON, map[string]any{"big": json.Number("12345678901234567890.10")}); err != nil {
		t.Fatal(err)
	}
	item, body := encode(t, publisher.Encoder{}, ev)
	if !bytes.Contains(item.Body, []byte("12345678901234567890.10")) {
		t.Errorf("data was rewritten: %s", item.Body)
	}
	delete(body, "data")
	want := map[string]any{
		"specversion": "1.0", "type": ev.Type(), "source": ev.Source(), "id": "mine",
		"time": "2020-01-02T02:04:05.000000678Z", "subject": "anything", "dataschema": "https://example.no/schema",
		"datacontenttype": "application/json", "resource": "urn:altinn:resource:things",
		"number": 42.0, "flag": true, "when": "1970-01-01T00:00:00Z", "bytes": "eA==", "link": "https://example.no/a?b=c",
		"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if item.TraceParent != "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" {
		t.Errorf("trace parent = %q, want the event's", item.TraceParent)
	}
	observed, err := publisher.Encoder{}.Encode(ev, published, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if err != nil || bytes.Contains(observed.Body, []byte("4bf92f35")) || !bytes.Contains(observed.Body, []byte("0af76519")) {
		t.Errorf("the Observer's trace parent does not win: %s, %v", observed.Body, err)
	}
}

func TestEncoder_Refuses(t *testing.T) {
	t.Parallel()
	appEvent := func(change func(*event.Event)) event.Event {
		ev := testApp.Created(instance(1))
		change(&ev)
		return ev
	}
	for name, tc := range map[string]struct {
		ev   event.Event
		want []string // attributes
	}{
		"Nothing":          {event.Event{}, []string{"resource", "source", "type"}},
		"DataToApp":        {appEvent(func(ev *event.Event) { _ = ev.SetData("application/json", 1) }), []string{"data"}},
		"DataSchemaToApp":  {appEvent(func(ev *event.Event) { ev.SetDataSchema("https://example.no/s") }), []string{"dataschema"}},
		"ContentTypeToApp": {appEvent(func(ev *event.Event) { ev.SetDataContentType("text/plain") }), []string{"datacontenttype"}},
		"ExtensionsToApp":  {appEvent(func(ev *event.Event) { ev.SetExtension("b", 1); ev.SetExtension("a", 1) }), []string{"a", "b"}},
		"EverythingAtOnce": {appEvent(func(ev *event.Event) { ev.SetExtension("a", 1); ev.SetType(""); ev.SetSubject("") }), []string{"a", "subject", "type"}},
		"TooLarge": {func() event.Event {
			ev := generic()
			_ = ev.SetData("text/plain", strings.Repeat("x", 1<<20))
			return ev
		}(), []string{"data"}},
		"RelativeSource":    {appEvent(func(ev *event.Event) { ev.SetSource("/ttd/apps-test") }), []string{"source"}},
		"OlderSpecVersion":  {func() event.Event { ev := generic(); ev.SetSpecVersion("0.3"); return ev }(), []string{"specversion"}},
		"GenericNoResource": {func() event.Event { ev := generic(); ev.SetExtension("resource", nil); return ev }(), []string{"resource"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := publisher.Encoder{}.Encode(tc.ev, published, "")
			invalid, ok := errors.AsType[*models.ValidationError](err)
			if !ok {
				t.Fatalf("Encode = %v, want a *models.ValidationError", err)
			}
			var got []string
			for _, f := range invalid.Faults {
				got = append(got, f.Attribute)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s\n%v", diff, err)
			}
		})
	}
}

func TestEncoder_DropUnsupported(t *testing.T) {
	t.Parallel()
	ev := testApp.Created(instance(1))
	ev.SetExtension("extra", "x")
	ev.SetDataSchema("https://example.no/s")
	if err := ev.SetData("application/json", map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	_, body := encode(t, publisher.Encoder{DropUnsupported: true}, ev)
	if len(body) != 5 {
		t.Errorf("body = %v, want the five attributes that POST /app keeps", body)
	}
	_, full := encode(t, publisher.Encoder{CloudEventsOnly: true}, ev)
	if full["extra"] != "x" || full["data"] == nil {
		t.Errorf("body = %v, want everything in a full CloudEvent", full)
	}
}

func TestEncoder_TraceContextDoesNotStopAnAppEvent(t *testing.T) {
	t.Parallel()
	ev := testApp.Created(instance(1))
	ev.SetExtension("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	ev.SetExtension("tracestate", "a=b")
	item, body := encode(t, publisher.Encoder{}, ev)
	if item.TraceParent == "" || len(body) != 5 {
		t.Errorf("item %+v, body %v: want the trace in the item and five attributes", item, body)
	}
}

// FuzzEncoder compares what Encode writes with what the SDK reads from it, and
// the string form with encoding/json's.
func FuzzEncoder(f *testing.F) {
	f.Add("id", "type", "subject", "x", "text/plain", []byte("data"), false)
	f.Add("", "a.b", "/party/1", "\u2028\"\\<>&", "application/json", []byte(`{"a":[1,2.50,"æ"]}`), false)
	f.Add("1", "t", "", "x", "application/vnd.example+json; charset=utf-8", []byte(`{"a":1}`), false)
	f.Add("\x7f", "t", "\xff", "é", "", []byte("null"), true)
	f.Add("", "t", "0", "", "text/plain", []byte("0"), false)
	f.Add("", "t", "0", "", "image/json", []byte("0"), false)
	f.Add("", "t", "0", "", "text/x-json", []byte("0"), false)
	f.Fuzz(func(t *testing.T, id, eventType, subject, ext, contentType string, data []byte, binary bool) {
		source := types.URIRef{URL: url.URL{Scheme: "https", Host: "example.no", Path: "/" + ext}}
		ev := event.Event{Context: &event.EventContextV1{
			ID: id, Type: eventType, Source: source, Subject: &subject, DataContentType: &contentType,
			Extensions: map[string]any{models.ExtResource: "urn:altinn:resource:x", "ext": ext},
		}, DataEncoded: data, DataBase64: binary}
		item, err := publisher.Encoder{}.Encode(ev, published, "")
		if err != nil {
			if _, ok := errors.AsType[*models.ValidationError](err); !ok {
				t.Fatalf("Encode = %v, want only validation errors", err)
			}
			return
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal(item.Body, &got); err != nil {
			t.Fatalf("body is no JSON: %v\n%s", err, item.Body)
		}
		for name, want := range map[string]string{"type": eventType, "subject": subject, "ext": ext, "source": source.String(), "datacontenttype": contentType} {
			if want == "" && name != "ext" { // an extension may be empty, an attribute is then left out
				if _, ok := got[name]; ok {
					t.Errorf("empty %s was written", name)
				}
				continue
			}
			var s string
			if err := json.Unmarshal(got[name], &s); err != nil || s != want {
				t.Errorf("%s = %s, want %q (%v)", name, got[name], want, err)
			}
		}
		if data == nil {
			return
		}
		mediaType, _, _ := strings.Cut(strings.ToLower(contentType), ";")
		var text string
		switch raw := got["data"]; {
		case binary:
			var b []byte
			if err := json.Unmarshal(got["data_base64"], &b); err != nil || !bytes.Equal(b, data) {
				t.Errorf("data_base64 = %s, want %q (%v)", got["data_base64"], data, err)
			}
		case mediaType == "" || strings.HasSuffix(strings.TrimSpace(mediaType), "/json") || strings.HasSuffix(strings.TrimSpace(mediaType), "+json"):
			if !bytes.Equal(raw, bytes.TrimSpace(data)) {
				t.Errorf("data of %q = %s, want %s as it was", contentType, raw, data)
			}
		case json.Unmarshal(raw, &text) != nil || text != string(data):
			t.Errorf("data of %q = %s, want %q as a string", contentType, raw, data)
		}
	})
}

func BenchmarkEncoder(b *testing.B) {
	ft := models.FileTransfer{
		ID: "da4ceacc-ad44-4e54-99b6-b58e3c13c785", ResourceID: "altinn-broker-test-resource-1",
		Sender: "0192:123456789", SenderPartyID: "50015641",
		Recipients: []models.Recipient{{Recipient: "0192:987564321", PartyID: "50015642"}},
	}
	for name, ev := range map[string]event.Event{
		"App":    testApp.Created(instance(1)),
		"Broker": models.Broker{PlatformURL: "https://platform.tt02.altinn.no"}.Events(models.TypeBrokerPublished, ft)[0],
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (publisher.Encoder{}).Encode(ev, published, ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("BuildAndEncode", func(b *testing.B) {
		b.ReportAllocs()
		in := instance(1)
		for b.Loop() {
			if _, err := (publisher.Encoder{}).Encode(testApp.Created(in), published, ""); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("SDKBuildValidateFormat", func(b *testing.B) {
		b.ReportAllocs()
		in := instance(1)
		for b.Loop() {
			ev := event.New()
			ev.SetID(uuid.NewString())
			ev.SetType(models.TypeInstanceCreated)
			ev.SetSource(testApp.Source(in.ID))
			ev.SetSubject("/party/" + in.InstanceOwner.PartyID)
			ev.SetTime(published)
			ev.SetExtension(models.ExtAlternativeSubject, fmt.Sprint("/person/", in.InstanceOwner.PersonNumber))
			ev.SetExtension(models.ExtResource, "urn:altinn:resource:app_ttd_apps-test")
			ev.SetExtension(models.ExtResourceInstance, in.ID)
			if err := ev.Validate(); err != nil {
				b.Fatal(err)
			}
			if _, err := json.Marshal(ev); err != nil {
				b.Fatal(err)
			}
		}
	})
}
