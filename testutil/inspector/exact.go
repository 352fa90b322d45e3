package inspector

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Exact is text that the page gets byte for byte. Its JSON form is a string, or
// {"base64": "…"} if it is no UTF-8, which a JSON string cannot hold.
type Exact []byte

// MarshalJSON implements json.Marshaler.
func (e Exact) MarshalJSON() ([]byte, error) {
	if utf8.Valid(e) {
		return json.Marshal(string(e))
	}
	return json.Marshal(map[string][]byte{"base64": e})
}

// Pretty returns JSON with a line for each member, its numbers and strings as they
// are; what is no JSON comes back unchanged.
func Pretty(text []byte) Exact {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return text
	}
	return b.Bytes()
}
