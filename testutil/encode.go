package testutil

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/event"
)

// encodeCloudEvent writes an event as the service writes it, to subscribers and to
// those who query: the required attributes first, data as it came, time in UTC. The
// Go SDK writes data of "+json" types as a string, the .NET SDK does not.
//
// Source: cloudevents/sdk-csharp, JsonEventFormatter.cs; Altinn/altinn-events,
// WebhookServiceTest.cs (2026-08).
func encodeCloudEvent(ev event.Event) []byte {
	var b bytes.Buffer
	b.WriteString(`{"specversion":"1.0"`)
	required := func(name, value string) {
		b.WriteByte(',')
		writeJSONString(&b, name)
		b.WriteByte(':')
		writeJSONString(&b, value)
	}
	required("id", ev.ID())
	required("source", ev.Source())
	required("type", ev.Type())
	member := func(name, value string) {
		if value != "" {
			required(name, value)
		}
	}
	member("datacontenttype", ev.DataContentType())
	member("dataschema", ev.DataSchema())
	member("subject", ev.Subject())
	if !ev.Time().IsZero() {
		member("time", ev.Time().UTC().Format(time.RFC3339Nano))
	}
	extensions := ev.Extensions()
	for _, name := range slices.Sorted(maps.Keys(extensions)) {
		text, _ := extensions[name].(string)
		member(name, text)
	}
	switch {
	case ev.DataBase64:
		member("data_base64", base64.StdEncoding.EncodeToString(ev.DataEncoded))
	case len(ev.DataEncoded) > 0 && isJSON(ev.DataContentType()) && json.Valid(ev.DataEncoded):
		b.WriteString(`,"data":`)
		b.Write(ev.DataEncoded)
	case len(ev.DataEncoded) > 0 && utf8.Valid(ev.DataEncoded):
		b.WriteString(`,"data":`)
		writeJSONString(&b, string(ev.DataEncoded))
	}
	b.WriteByte('}')
	return b.Bytes()
}

func writeJSONString(b *bytes.Buffer, text string) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // of strings nothing can go wrong
	b.Truncate(b.Len() - 1)
}
