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

// maxPrettyDepth bounds what indenting makes of JSON: of 18 KB of brackets, 9,000
// deep, it would make 160 MB.
const maxPrettyDepth = 100

// Pretty returns JSON with a line for each member, its numbers and strings as they
// are; what is no JSON, or nested deeper than 100, comes back unchanged.
func Pretty(text []byte) Exact {
	var b bytes.Buffer
	if depth(text) > maxPrettyDepth || json.Indent(&b, text, "", "  ") != nil {
		return text
	}
	return b.Bytes()
}

// depth returns how deep JSON is nested.
func depth(text []byte) (deepest int) {
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			inString = !inString
		case inString && c == '\\':
			i++
		case inString:
		case c == '[', c == '{':
			depth++
			deepest = max(deepest, depth)
		case c == ']', c == '}':
			depth--
		}
	}
	return deepest
}
