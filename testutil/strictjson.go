package testutil

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// decodeStrict reads one JSON value and nothing else, without members that v has
// not. Its errors say where and what, and nothing of the values, which may be
// personal data.
func decodeStrict(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			return fmt.Errorf("%s: there is more after the JSON value", position(data, dec.InputOffset()))
		}
		return nil
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("%s: %s", position(data, syntax.Offset), syntax.Error())
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		member := kind.Field
		if member == "" {
			member = "the value"
		}
		return fmt.Errorf("%s: %s is a JSON %s, want %s", position(data, kind.Offset), member, kind.Value, jsonName(kind.Type.String()))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s: the JSON ends too early", position(data, int64(len(data))))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		at := max(0, bytes.Index(data, []byte(name))) // the decoder does not say
		return fmt.Errorf("%s: there is no member %s", position(data, int64(at)+1), name)
	}
	return fmt.Errorf("%s: %w", position(data, dec.InputOffset()), err)
}

// jsonName is what a user of JSON calls a type of Go's.
func jsonName(kind string) string {
	switch {
	case strings.HasPrefix(kind, "[]"):
		return "an array"
	case strings.HasPrefix(kind, "map"), strings.Contains(kind, "."):
		return "an object"
	case kind == "string":
		return "a string"
	case kind == "bool":
		return "true or false"
	case strings.HasPrefix(kind, "int"):
		return "a whole number"
	default:
		return "a number"
	}
}

// position names the place of a byte.
func position(data []byte, offset int64) string {
	before := data[:min(int(offset), len(data))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - (bytes.LastIndexByte(before, '\n') + 1)
	return fmt.Sprintf("line %d, column %d", line, max(1, column))
}

// jsonDuration is a duration as Go writes it, such as "1m30s".
type jsonDuration time.Duration

// UnmarshalJSON implements json.Unmarshaler.
func (d *jsonDuration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return errors.New(`a duration is a string, such as "1m30s"`)
	}
	parsed, err := time.ParseDuration(text)
	if err != nil || parsed < 0 {
		return errors.New(`a duration is not negative and has a unit, such as "1m30s"`)
	}
	*d = jsonDuration(parsed)
	return nil
}
