package testutil

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// decodeCloudEvent reads a structured CloudEvent as the .NET SDK does that the
// service uses, whose messages the service answers. It is stricter than the Go
// SDK about values and keeps every extension as a string.
//
// Source: cloudevents/sdk-csharp, JsonEventFormatter.cs, CloudEventAttribute.cs,
// CloudEventAttributeType.cs, Validation.cs (2026-08).
func decodeCloudEvent(body []byte) (event.Event, error) {
	var ev event.Event
	if kind := jsonKind(bytes.TrimSpace(body)); kind != "Object" && json.Valid(body) {
		return ev, serviceErrorf("Cannot decode JSON element of kind '%s' as CloudEvent", kind)
	}
	var members map[string]json.RawMessage
	if err := unmarshal(body, &members); err != nil {
		return ev, err
	}
	version, ok := jsonString(members["specversion"])
	switch {
	case !ok:
		return ev, serviceError("Structured mode content does not represent a CloudEvent")
	case version != event.CloudEventsVersionV1:
		return ev, serviceErrorf("Unsupported CloudEvents spec version '%s'", version)
	}
	ec := &event.EventContextV1{}
	ev.Context = ec
	for _, name := range slices.Sorted(maps.Keys(members)) {
		switch name {
		case "specversion", "data", "data_base64":
			continue
		}
		if err := setAttribute(ec, name, members[name]); err != nil {
			return ev, err
		}
	}
	if err := setData(&ev, ec, members["data"], members["data_base64"]); err != nil {
		return ev, err
	}
	var missing []string
	for _, name := range []string{"id", "source", "type"} {
		if jsonKind(members[name]) == "Null" {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return ev, serviceErrorf("CloudEvent is missing required attributes: %s (Parameter 'data')", strings.Join(missing, ", "))
	}
	return ev, nil
}

// attributeTypes are the types of the attributes that the specification names.
var attributeTypes = map[string]string{
	"id": "String", "source": "URI-Reference", "type": "String", "datacontenttype": "String",
	"dataschema": "URI", "subject": "String", "time": "Timestamp",
}

// setAttribute sets one attribute or extension; null sets nothing.
func setAttribute(ec *event.EventContextV1, name string, raw json.RawMessage) error {
	kind := jsonKind(raw)
	if kind == "Null" {
		return nil
	}
	attributeType, named := attributeTypes[name]
	if named && kind != "String" {
		return serviceErrorf("Invalid token type '%s' for CloudEvent attribute '%s' with type '%s'", kind, name, attributeType)
	}
	text, err := attributeText(kind, raw)
	if err != nil {
		return err
	}
	if !named {
		return setExtension(ec, name, text)
	}
	if attributeType == "String" && text == "" {
		return invalidValue(name, serviceError("Value must be non-empty"))
	}
	switch name {
	case "id":
		ec.ID = text
	case "type":
		ec.Type = text
	case "subject":
		ec.Subject = &text
	case "datacontenttype":
		if _, _, err := mime.ParseMediaType(text); err != nil {
			return invalidValue(name, serviceError("Content type does not comply with RFC 2046"))
		}
		ec.DataContentType = &text
	default:
		return setParsed(ec, name, text)
	}
	if err := checkAttributeText(text); err != nil {
		return invalidValue(name, err)
	}
	return nil
}

// setParsed sets the attributes that are not kept as text.
func setParsed(ec *event.EventContextV1, name, text string) error {
	if name == "time" {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return invalidText(name, "Invalid timestamp")
		}
		ec.Time = &types.Timestamp{Time: at.Truncate(dotnetTick)}
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, name == "dataschema" && !u.IsAbs():
		return invalidText(name, "Invalid URI: The format of the URI could not be determined.")
	case name == "dataschema":
		ec.DataSchema = &types.URI{URL: *u}
	default:
		ec.Source = types.URIRef{URL: *u}
	}
	return nil
}

func setExtension(ec *event.EventContextV1, name, text string) error {
	if name == "" {
		return serviceError("Attribute names must be non-empty (Parameter 'name')")
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return serviceErrorf("Invalid character '%c' in attribute name '%s' (Parameter 'name')", c, name)
		}
	}
	if err := checkAttributeText(text); err != nil {
		return invalidValue(name, err)
	}
	if ec.Extensions == nil {
		ec.Extensions = map[string]any{}
	}
	ec.Extensions[name] = text
	return nil
}

// attributeText is the text of a JSON value as an attribute.
func attributeText(kind string, raw json.RawMessage) (string, error) {
	switch kind {
	case "String":
		text, _ := jsonString(raw)
		return text, nil
	case "True", "False":
		return string(raw), nil
	case "Number":
		if n, err := strconv.ParseInt(string(raw), 10, 32); err == nil {
			return strconv.FormatInt(n, 10), nil
		}
		return "", serviceError("One of the identified items was in an invalid format.")
	default:
		return "", serviceErrorf("Invalid token type '%s' for CloudEvent attribute", kind)
	}
}

// checkAttributeText reports the control character that makes text no attribute.
func checkAttributeText(text string) error {
	for _, c := range text {
		if c <= 0x1f || c >= 0x7f && c <= 0x9f {
			return serviceErrorf("Control character U+%04x is not permitted in string attributes", c)
		}
	}
	return nil
}

// setData sets the event's data from the one of both members that is there.
func setData(ev *event.Event, ec *event.EventContextV1, data, dataBase64 json.RawMessage) error {
	hasData, hasBase64 := jsonKind(data) != "Null", jsonKind(dataBase64) != "Null"
	switch {
	case hasData && hasBase64:
		return serviceError("Structured mode content cannot contain both 'data' and 'data_base64' properties.")
	case hasBase64:
		text, ok := jsonString(dataBase64)
		if !ok {
			return serviceError("Structured mode property 'data_base64' must be a string, when present.")
		}
		decoded, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return serviceError("Cannot decode JSON text that is not encoded as valid Base64 to bytes.")
		}
		ev.DataEncoded, ev.DataBase64 = decoded, true
	case hasData:
		if ec.DataContentType == nil {
			ec.DataContentType = new("application/json")
		}
		if isJSON(*ec.DataContentType) {
			ev.DataEncoded = bytes.Clone(data)
			return nil
		}
		text, ok := jsonString(data)
		if !ok {
			return serviceError("CloudEvents with a non-JSON datacontenttype can only have string data values.")
		}
		ev.DataEncoded = []byte(text)
	}
	return nil
}

func isJSON(contentType string) bool {
	mediaType, _, _ := mime.ParseMediaType(contentType)
	return strings.HasSuffix(mediaType, "/json") || strings.HasSuffix(mediaType, "+json")
}

func invalidValue(name string, err error) error {
	return serviceErrorf("Value for attribute '%s' is invalid: %v (Parameter 'value')", name, err)
}

func invalidText(name, message string) error {
	return serviceErrorf("Text for attribute '%s' is invalid: %s (Parameter 'value')", name, message)
}

// jsonKind names the kind of a JSON value as .NET does; a missing one is "Null".
func jsonKind(raw []byte) string {
	if len(raw) == 0 {
		return "Null"
	}
	switch raw[0] {
	case '{':
		return "Object"
	case '[':
		return "Array"
	case '"':
		return "String"
	case 't':
		return "True"
	case 'f':
		return "False"
	case 'n':
		return "Null"
	default:
		return "Number"
	}
}

func jsonString(raw json.RawMessage) (text string, ok bool) {
	if jsonKind(raw) != "String" {
		return "", false
	}
	err := json.Unmarshal(raw, &text)
	return text, err == nil
}

// serviceError is a message of the service, answered word for word.
type serviceError string

func serviceErrorf(format string, args ...any) error {
	return serviceError(fmt.Sprintf(format, args...))
}

// Error returns the message.
func (e serviceError) Error() string { return string(e) }
