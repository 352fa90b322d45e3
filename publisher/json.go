package publisher

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/altinn-go/events/models"
)

// Events are encoded by appending, which costs a fifth of encoding/json and
// a fifteenth of the SDK for an event of an app.

// attributes are those of an event, after what was missing has been filled in.
type attributes struct {
	id, source, eventType, subject string
	alternativeSubject             string
	resource, resourceInstance     string
	dataContentType, dataSchema    string
	plainSource                    bool      // it stands in JSON as it is
	time, now                      time.Time // now is what a missing time is set to
	traceParent                    string
	extensions                     map[string]any // all of the event's; those above take precedence
	otherExtensions                int            // how many of them an event of an app may not have
	data                           []byte
	dataBase64                     bool
}

// encode returns the event as POST /app takes it, or as a structured CloudEvent.
func (a *attributes) encode(toApp bool) []byte {
	if toApp {
		return a.appendApp(make([]byte, 0, a.appSize()))
	}
	return a.appendCloudEvent(make([]byte, 0, a.cloudEventSize()))
}

// appSize is how long appendApp gets if nothing needs escaping.
func (a *attributes) appSize() int {
	const names = len(`{"type":"","source":"","subject":"","specversion":"1.0","alternativesubject":""}`)
	return names + len(a.eventType) + len(a.source) + len(a.subject) + len(a.alternativeSubject)
}

// appendApp appends the attributes that POST /app keeps, in the order of the
// documented example.
//
// Source: seed 002; Altinn/altinn-events, AppCloudEventRequestModel.cs (2026-08).
func (a *attributes) appendApp(b []byte) []byte {
	b = append(b, `{"type":`...)
	b = appendString(b, a.eventType)
	b = a.appendSource(b)
	b = appendMember(b, "subject", a.subject)
	b = append(b, `,"specversion":"1.0"`...)
	b = appendOptional(b, models.ExtAlternativeSubject, a.alternativeSubject)
	return append(b, '}')
}

// cloudEventSize is how long appendCloudEvent gets if nothing needs escaping and
// every attribute is there, or a little more.
func (a *attributes) cloudEventSize() int {
	const (
		names = len(`{"specversion":"1.0","id":"","source":"","type":"","time":"2006-01-02T15:04:05.000000000Z","subject":"",` +
			`"alternativesubject":"","resource":"","resourceinstance":"","traceparent":"","dataschema":"","datacontenttype":"",` +
			`"data_base64":""}`)
		extension = 64
	)
	data := len(a.data)
	if a.dataBase64 {
		data = base64.StdEncoding.EncodedLen(data)
	}
	return names + len(a.id) + len(a.source) + len(a.eventType) + len(a.subject) + len(a.alternativeSubject) +
		len(a.resource) + len(a.resourceInstance) + len(a.traceParent) + len(a.dataSchema) + len(a.dataContentType) +
		data + max(0, len(a.extensions)-3)*extension
}

// appendCloudEvent appends the event in the JSON format of CloudEvents 1.0.
// Extensions come in order of name after the attributes that Altinn defines.
func (a *attributes) appendCloudEvent(b []byte) []byte {
	b = append(b, `{"specversion":"1.0","id":`...)
	b = appendString(b, a.id)
	b = a.appendSource(b)
	b = appendMember(b, "type", a.eventType)
	at := a.time
	if at.IsZero() {
		at = a.now.Truncate(time.Microsecond)
	}
	b = append(b, `,"time":"`...)
	b = at.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, '"')
	b = appendOptional(b, "subject", a.subject)
	b = appendOptional(b, models.ExtAlternativeSubject, a.alternativeSubject)
	b = appendOptional(b, models.ExtResource, a.resource)
	b = appendOptional(b, models.ExtResourceInstance, a.resourceInstance)
	b = appendOptional(b, models.ExtTraceParent, a.traceParent)
	b = a.appendOtherExtensions(b)
	b = appendOptional(b, "dataschema", a.dataSchema)
	b = appendOptional(b, "datacontenttype", a.dataContentType)
	b = a.appendData(b)
	return append(b, '}')
}

func (a *attributes) appendSource(b []byte) []byte {
	b = appendName(b, "source")
	if !a.plainSource {
		return appendString(b, a.source)
	}
	return appendQuoted(b, a.source)
}

func (a *attributes) appendOtherExtensions(b []byte) []byte {
	var names []string
	for name := range a.extensions {
		if !a.isNamed(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		switch v := a.extensions[name].(type) {
		case string:
			b = appendMember(b, name, v)
		case bool, int32:
			text, _ := types.Format(v)
			b = appendName(b, name)
			b = append(b, text...)
		default:
			text, _ := types.Format(v) // its type was validated
			b = appendMember(b, name, text)
		}
	}
	return b
}

// isNamed reports whether the extension has a field in attributes.
func (a *attributes) isNamed(extension string) bool {
	switch extension {
	case models.ExtAlternativeSubject, models.ExtResource, models.ExtResourceInstance:
		return true
	case models.ExtTraceParent:
		return a.traceParent != ""
	default:
		return false
	}
}

// appendData appends data as the JSON format wants it: JSON as it is, other text
// as a string, bytes in base64.
func (a *attributes) appendData(b []byte) []byte {
	switch {
	case a.data == nil:
		return b
	case a.dataBase64:
		b = append(b, `,"data_base64":"`...)
		b = base64.StdEncoding.AppendEncode(b, a.data)
		return append(b, '"')
	case isJSON(a.dataContentType):
		b = append(b, `,"data":`...)
		return append(b, a.data...)
	default:
		return appendMember(b, "data", string(a.data))
	}
}

// isJSON reports whether data of the content type stands in an event as it is: of */json
// and of */*+json; no content type means JSON. models validates data of the same types.
//
// Source: CloudEvents 1.0, JSON format, 3.1.1. The SDK writes "+json" as a string.
func isJSON(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	return mediaType == "" || strings.HasSuffix(mediaType, "/json") || strings.HasSuffix(mediaType, "+json")
}

func appendOptional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendMember(b, name, value)
}

func appendMember(b []byte, name, value string) []byte {
	return appendString(appendName(b, name), value)
}

// appendName appends the name of a member, which needs no escaping.
func appendName(b []byte, name string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

// appendString appends s as a JSON string. Printable ASCII, which is nearly all
// there is, is copied; anything else is left to encoding/json.
func appendString(b []byte, s string) []byte {
	if !isJSONSafe(s) {
		quoted, _ := json.Marshal(s) // a string always encodes
		return append(b, quoted...)
	}
	return appendQuoted(b, s)
}

// appendQuoted appends s, which needs no escaping, in quotes.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// jsonSafe has 1 for each byte that stands in a JSON string as it is. Looking each up in
// a table costs half of comparing it.
var jsonSafe = func() (table [256]uint8) {
	for c := byte(' '); c <= '~'; c++ {
		if c != '"' && c != '\\' {
			table[c] = 1
		}
	}
	return table
}()

// isJSONSafe reports whether every byte of s stands in a JSON string as it is. Four bytes
// at a time cost a quarter less than one.
func isJSONSafe(s string) bool {
	safe := uint8(1)
	for ; len(s) >= 4; s = s[4:] {
		safe &= jsonSafe[s[0]] & jsonSafe[s[1]] & jsonSafe[s[2]] & jsonSafe[s[3]]
	}
	for i := range len(s) {
		safe &= jsonSafe[s[i]]
	}
	return safe == 1
}
