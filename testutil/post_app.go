package testutil

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/google/uuid"

	"github.com/altinn-go/events/models"
)

// postApp is POST /app: an event of an app, as plain JSON.
//
// Source: Altinn/altinn-events, AppController.cs, AppCloudEventRequestModel.cs,
// AppCloudEventExtensions.cs (2026-08).
func (s *Sink) postApp(x *exchange) {
	// The action declares that it produces application/json, which holds for its
	// problem details too.
	x.problems = contentJSON

	if _, ok := s.user(x); !ok {
		return
	}
	var app string
	if s.cfg.Auth != AuthOff {
		var reason string
		if app, reason = s.platformAccess(x.request); reason != "" {
			x.empty(http.StatusForbidden, reason)
			return
		}
	}
	if !x.acceptsBody("application/json") {
		return
	}
	req, ok := decodeAppEvent(x)
	if !ok {
		return
	}
	if req.source == "" || req.eventType == "" || req.subject == "" || req.specVersion == "" {
		x.problem(http.StatusBadRequest, "Missing parameter values: source, subject and type cannot be null")
		return
	}
	path, absolute := absolutePath(req.sourceURL)
	if !absolute {
		x.problems = contentProblem // the exception reaches the error page
		x.problem(http.StatusInternalServerError, "This operation is not supported for a relative URI.")
		return
	}
	if s.cfg.Auth != AuthOff && !strings.HasPrefix(path, "/"+app) {
		x.text(http.StatusUnauthorized, app+" is not authorized to create events for "+req.source)
		return
	}
	ev, err := req.event(path)
	if err != nil {
		x.text(http.StatusInternalServerError, "Unable to register cloud event.")
		x.reason += " " + err.Error()
		return
	}
	s.accept(x, ev)
	x.header.Set("Location", ev.Subject())
	x.json(http.StatusCreated, contentJSON, ev.ID())
}

// appEvent is what the service reads of an app event.
type appEvent struct {
	source, eventType, subject, specVersion, alternativeSubject string

	sourceURL *url.URL
}

// decodeAppEvent reads the body, or answers what is wrong with it and reports
// false.
func decodeAppEvent(x *exchange) (ev appEvent, ok bool) {
	body := bytes.TrimSpace(x.body)
	if len(body) == 0 || string(body) == "null" {
		x.invalid("", "A non-empty request body is required.")
		return ev, false
	}
	var raw struct {
		Source             json.RawMessage `json:"source"`
		Type               json.RawMessage `json:"type"`
		Subject            json.RawMessage `json:"subject"`
		SpecVersion        json.RawMessage `json:"specversion"`
		AlternativeSubject json.RawMessage `json:"alternativesubject"`
		DataSchema         json.RawMessage `json:"dataschema"`
		ContentType        json.RawMessage `json:"contenttype"`
	}
	if err := unmarshal(body, &raw); err != nil {
		x.invalid("$", err.Error())
		return ev, false
	}
	var dataSchema string
	for _, member := range []struct {
		name, kind string
		raw        json.RawMessage
		text       *string
		url        **url.URL
	}{
		{"source", "System.Uri", raw.Source, &ev.source, &ev.sourceURL},
		{"type", "System.String", raw.Type, &ev.eventType, nil},
		{"subject", "System.String", raw.Subject, &ev.subject, nil},
		{"specversion", "System.String", raw.SpecVersion, &ev.specVersion, nil},
		{"alternativesubject", "System.String", raw.AlternativeSubject, &ev.alternativeSubject, nil},
		{"dataschema", "System.Uri", raw.DataSchema, &dataSchema, new(*url.URL)},
	} {
		var err error
		if err = json.Unmarshal(orNull(member.raw), member.text); err == nil && member.url != nil {
			*member.url, err = url.Parse(*member.text)
		}
		if err != nil {
			x.invalid("$."+member.name, notConvertible(member.kind, member.name))
			return ev, false
		}
	}
	// It is an object of .NET, not the text of a media type.
	if kind := jsonKind(raw.ContentType); kind != "Null" && kind != "Object" {
		x.invalid("$.contenttype", notConvertible("System.Net.Mime.ContentType", "contenttype"))
		return ev, false
	}
	return ev, true
}

func notConvertible(kind, member string) string {
	return fmt.Sprintf("The JSON value could not be converted to %s. Path: $.%s.", kind, member)
}

// event is the stored form of a request whose source has path.
func (r appEvent) event(path string) (event.Event, error) {
	for _, text := range []string{r.eventType, r.subject, r.alternativeSubject} {
		if err := checkAttributeText(text); err != nil {
			return event.Event{}, err
		}
	}
	org, app, party, instance := appPathParts(path)
	extensions := map[string]any{
		models.ExtResource:         "urn:altinn:resource:app_" + org + "_" + app,
		models.ExtResourceInstance: party + "/" + instance,
	}
	if r.alternativeSubject != "" {
		extensions[models.ExtAlternativeSubject] = r.alternativeSubject
	}
	return event.Event{Context: &event.EventContextV1{
		ID:         uuid.NewString(),
		Source:     types.URIRef{URL: *r.sourceURL},
		Type:       r.eventType,
		Subject:    &r.subject,
		Time:       &types.Timestamp{Time: time.Now().UTC().Truncate(dotnetTick)},
		Extensions: extensions,
	}}, nil
}

// dotnetTick is the resolution of times in .NET.
const dotnetTick = 100 * time.Nanosecond

// absolutePath returns the path of an absolute URL with its dot segments
// resolved, and escaped, as .NET's Uri.AbsolutePath does.
func absolutePath(u *url.URL) (path string, absolute bool) {
	if !u.IsAbs() {
		return "", false
	}
	return new(url.URL).ResolveReference(u).EscapedPath(), true
}

// appPathParts returns what the service derives resource and resource instance
// from. Of a path that is too short all parts are empty.
func appPathParts(path string) (org, app, party, instance string) {
	parts := strings.Split(path, "/")
	if len(parts) <= 5 {
		return "", "", "", ""
	}
	return parts[1], parts[2], parts[4], parts[5]
}

// unmarshal is json.Unmarshal of a body that must be an object in valid UTF-8.
// Its errors say nothing of the body's content.
func unmarshal(body []byte, v any) error {
	if !utf8.Valid(body) {
		return serviceError("The JSON text is not valid UTF-8. Path: $.")
	}
	err := json.Unmarshal(body, v)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return serviceErrorf("The JSON text is malformed at byte %d. Path: $.", syntax.Offset)
	}
	if err != nil {
		return serviceError("The JSON value could not be converted to an object. Path: $.")
	}
	return nil
}

func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("null")
	}
	return raw
}
