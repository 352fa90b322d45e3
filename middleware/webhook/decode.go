package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// decode reads the event of a request: a bare CloudEvent in JSON, as Altinn Events
// pushes it, or either mode of CloudEvents over HTTP. The error says nothing of the
// content, and comes with the status to answer.
func decode(w http.ResponseWriter, r *http.Request) (ev event.Event, status int, err error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	binary := r.Header.Get("Ce-Specversion") != ""
	if !binary && (err != nil || mediaType != "application/json" && mediaType != event.ApplicationCloudEventsJSON) {
		return ev, http.StatusUnsupportedMediaType, errors.New("the media type is not application/json, nor application/cloudevents+json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return ev, http.StatusRequestEntityTooLarge, fmt.Errorf("the body is longer than %d bytes", maxBodyBytes)
		}
		return ev, http.StatusBadRequest, errors.New("the body broke off")
	}
	if binary {
		ev, err = decodeBinary(r, body)
	} else {
		ev, err = decodeStructured(body)
	}
	if err == nil {
		err = check(ev)
	}
	if err != nil {
		return event.Event{}, http.StatusBadRequest, err
	}
	return ev, 0, nil
}

func decodeBinary(r *http.Request, body []byte) (ev event.Event, err error) {
	defer func() { // the SDK panics on some hostile headers
		if recover() != nil {
			err = errors.New("the headers make no CloudEvent")
		}
	}()
	message := cehttp.NewMessage(r.Header, io.NopCloser(bytes.NewReader(body)))
	decoded, err := binding.ToEvent(r.Context(), message)
	if err != nil {
		return event.Event{}, errors.New("the headers make no CloudEvent")
	}
	return *decoded, nil
}

func decodeStructured(body []byte) (ev event.Event, err error) {
	if !utf8.Valid(body) {
		return ev, errors.New("the body is not UTF-8")
	}
	if err := checkMembers(body); err != nil {
		return ev, err
	}
	defer func() {
		if recover() != nil {
			err = errors.New("the body is no CloudEvent")
		}
	}()
	if err := json.Unmarshal(body, &ev); err != nil {
		return event.Event{}, errors.New("the body is no CloudEvent")
	}
	return ev, nil
}

// checkMembers reports a body that is no JSON object, or one of whose members is
// there twice: two readers could take it for different events.
func checkMembers(body []byte) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return errors.New("the body is no JSON object")
	}
	seen := map[string]bool{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return errors.New("the body is no valid JSON")
		}
		text, _ := name.(string)
		if seen[text] {
			return errors.New("the body has a member twice")
		}
		seen[text] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return errors.New("the body is no valid JSON")
		}
	}
	if _, err := dec.Token(); err != nil {
		return errors.New("the body is no valid JSON")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the JSON object")
	}
	return nil
}

// check reports what an event lacks that everybody relies on.
func check(ev event.Event) error {
	if ev.Context == nil {
		return errors.New("the body is no CloudEvent")
	}
	for name, value := range map[string]string{"id": ev.ID(), "source": ev.Source(), "type": ev.Type()} {
		if strings.TrimSpace(value) == "" {
			return fmt.Errorf("the event has no %s", name)
		}
	}
	return nil
}
