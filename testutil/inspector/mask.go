package inspector

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/altinn-go/events/models"
)

// Mask makes text fit to be seen: identity numbers and organisation numbers become
// asterisks, one for each digit. The zero Mask does; it is not safe for concurrent
// use.
type Mask struct {
	// Off leaves everything as it is.
	Off bool
	// Masked becomes true once something was masked.
	Masked bool
}

// Text returns free text masked.
func (m *Mask) Text(text string) string {
	if m.Off {
		return text
	}
	return m.note(text, models.Redact(text))
}

// Subject returns a subject or an alternative subject masked. Text in no known form
// keeps only its first part.
func (m *Mask) Subject(text string) string {
	if m.Off || text == "" {
		return text
	}
	return m.note(text, models.MaskSubject(text))
}

func (m *Mask) note(text, masked string) string {
	if masked != text {
		m.Masked = true
	}
	return masked
}

// JSON returns a JSON text masked, as JSON: a number of which digits were masked
// becomes a string, and of an escape (\u0000) its digits stay as asterisks.
func (m *Mask) JSON(text []byte) []byte {
	if m.Off {
		return text
	}
	masked := m.note(string(text), models.Redact(string(text)))
	if !m.Masked || json.Valid([]byte(masked)) {
		return []byte(masked)
	}
	var b bytes.Buffer
	for i := 0; i < len(masked); {
		end := i + 1
		switch c := masked[i]; {
		case c == '"':
			end = stringEnd(masked, i)
			b.WriteString(withoutMaskedEscapes(masked[i:end]))
		case isNumber(c):
			for end < len(masked) && isNumber(masked[end]) {
				end++
			}
			number := masked[i:end]
			if strings.Contains(number, "*") {
				number = `"` + number + `"`
			}
			b.WriteString(number)
		default:
			b.WriteByte(c)
		}
		i = end
	}
	return b.Bytes()
}

// Body returns the body of a request masked: JSON as JSON, all else as text.
func (m *Mask) Body(body []byte) []byte {
	if json.Valid(body) {
		return m.JSON(body)
	}
	return []byte(m.Text(string(body)))
}

// escape is one escape of a JSON string, or the start of one that was masked: \u00*.
var escape = regexp.MustCompile(`\\(?:u[0-9a-fA-F]{0,3}\*|.)`)

// withoutMaskedEscapes returns a masked JSON string in which every escape can be read.
func withoutMaskedEscapes(text string) string {
	return escape.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasSuffix(found, "*") {
			return found[len(`\u`):]
		}
		return found
	})
}

// stringEnd returns where the JSON string that starts at i ends.
func stringEnd(text string, i int) int {
	for i++; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(text))
}

// isNumber reports whether c is part of a JSON number, masked or not.
func isNumber(c byte) bool { return c >= '0' && c <= '9' || strings.IndexByte("*+-.eE", c) >= 0 }
