package testutil

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/altinn-go/events/models"
)

// maxRecordLine is more than any event that the sink takes.
const maxRecordLine = 4 << 20

// recordLine is one line of a recording.
type recordLine struct {
	Event      json.RawMessage `json:"event"`
	Endpoint   string          `json:"endpoint"`
	ReceivedAt time.Time       `json:"receivedAt"`
}

// Record writes the kept events as NDJSON, in order of arrival, a line for each
// arrival: the event as stored, where and when it came. Tokens are left out;
// subjects are as they are, so treat the file as personal data if they are.
//
// The error is w's.
func (s *Sink) Record(w io.Writer) error {
	entries, _ := s.store.since(0)
	buffered := bufio.NewWriter(w)
	enc := json.NewEncoder(buffered) // a line each
	enc.SetEscapeHTML(false)         // which would change data
	for _, e := range entries {
		if err := enc.Encode(recordLine{encodeCloudEvent(e.Event), e.Endpoint, e.ReceivedAt.UTC()}); err != nil {
			return fmt.Errorf("record: %w", err)
		}
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// Replay takes a recording in, or bare CloudEvents a line each: every event is
// stored as it stands, with its id and time, as if it had arrived now, and pushed to
// who subscribes to it. A byte order mark at the beginning is left out. It returns how
// many it took.
//
// The error names the line that is no event, or longer than 4 MiB; the lines before
// it have been taken.
func (s *Sink) Replay(r io.Reader) (taken int, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxRecordLine)
	number := 0
	for lines.Scan() {
		number++
		text := lines.Bytes()
		if number == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff")) // which editors put before UTF-8
		}
		text = bytes.TrimSpace(text)
		if len(text) == 0 {
			continue
		}
		if err := s.replayLine(text); err != nil {
			return taken, fmt.Errorf("replay: line %d: %w", number, err)
		}
		taken++
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return taken, fmt.Errorf("replay: line %d is longer than %d bytes", number+1, maxRecordLine)
	}
	if err := lines.Err(); err != nil {
		return taken, fmt.Errorf("replay: %w", err)
	}
	return taken, nil
}

func (s *Sink) replayLine(text []byte) error {
	var line struct {
		recordLine
		SpecVersion json.RawMessage `json:"specversion"`
	}
	if err := unmarshal(text, &line); err != nil {
		return err
	}
	encoded := bytes.Clone(line.Event)
	if line.SpecVersion != nil {
		encoded = bytes.Clone(text)
	}
	if encoded == nil {
		return errors.New("there is neither an event nor a specversion")
	}
	ev, err := decodeCloudEvent(encoded)
	if err != nil {
		return err
	}
	if line.Endpoint == "" {
		line.Endpoint = "/events"
		if readAction(extensionText(ev, models.ExtResource)) == ActionRead {
			line.Endpoint = "/app"
		}
	}
	s.push(ev, s.store.add(Received{
		Event: ev, ReceivedAt: time.Now(), Endpoint: line.Endpoint, Header: http.Header{}, Body: encoded,
	}))
	return nil
}
