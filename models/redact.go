package models

import (
	"html"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// numberDigits is how many digits an organisation number has; an identity
	// number has more.
	numberDigits = 9
	// maxGap is how many characters may stand between two digits of a number.
	maxGap = 3
)

// Redact returns free text, such as the body of an error response, without
// anything that could be an identity number or an organisation number.
//
// Nine or more digits become asterisks if no more than three characters, and
// none of them a letter, stand between one and the next: "010175-12345" and
// "897 069 650" are numbers. White space counts as one character, however much it
// is. Digits of any script count. Digits and what stands between them are also found
// percent-encoded, as escapes of JSON and of Go, and as HTML, where a tag counts as
// one character. The result has as many bytes as text; text without such a number is
// returned as it is, without an allocation.
//
// UUIDs, times as in RFC 3339 with a "T", and IPv4 addresses with or without a
// port stay, unless other digits are close to the latter two. Shorter numbers
// stay too, such as party ids, dates and most versions. Masked needlessly are
// short numbers in a row, such as "400, 401, 403", times in other forms or
// percent-encoded, versions of nine digits, and now and then a hexadecimal id
// that is not a UUID.
func Redact(text string) string {
	percent, escapes := strings.Contains(text, "%"), strings.ContainsAny(text, `\&<`)
	for _, r := range [...]reading{{percent: true, escapes: true}, {percent: true}, {escapes: true}, {}} {
		if (percent || !r.percent) && (escapes || !r.escapes) {
			text = r.redact(text)
		}
	}
	return text
}

// reading is a way to read text: with percent-encoded bytes decoded, with the escapes
// of JSON, Go and HTML decoded, both or neither. Which one is right cannot be told, so
// Redact tries each.
type reading struct{ percent, escapes bool }

func (r reading) redact(text string) string {
	var out []byte
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf && classes[c]&hexDigits == 0 && c != '%' && c != '\\' && c != '&' {
			i++ // begins neither a number nor a UUID
			continue
		}
		end, count := r.number(text, i)
		if count < numberDigits || isTime(text, out, i, end) || isAddresses(text[i:end]) {
			i = end
			continue
		}
		if out == nil {
			out = []byte(text)
		}
		for i < end {
			kind, n := r.char(text[i:])
			for j := i; kind == digitChar && j < i+n; j++ {
				out[j] = '*'
			}
			i += n
		}
	}
	if out == nil {
		return text
	}
	return string(out)
}

// number returns where the number that begins at text[start] ends, and how many
// digits it has. Where none begins it is what to skip, with no digits.
func (r reading) number(text string, start int) (end, count int) {
	if isUUIDAt(text, start) {
		return start + uuidLen, 0
	}
	kind, n := r.char(text[start:])
	end = start + n
	if kind != digitChar {
		return end, 0
	}
	count = 1
	for i, gap := end, 0; i < len(text) && gap <= maxGap && !isUUIDAt(text, i); i += n {
		switch kind, n = r.char(text[i:]); kind {
		case digitChar:
			end, count, gap = i+n, count+1, 0
		case gapChar:
			gap++
		case otherChar:
			return end, count
		}
	}
	return end, count
}

// kind is what a character is to a number.
type kind int

const (
	otherChar kind = iota // a letter, or a number that is no digit
	gapChar               // may stand between digits
	digitChar
)

// char returns of what kind the character is that s begins with, and how many
// bytes stand for it.
func (r reading) char(s string) (k kind, n int) {
	switch s[0] {
	case ' ', '\n', '\r', '\t':
		return gapChar, len(s) - len(strings.TrimLeft(s, " \n\r\t"))
	case '\\', '&', '<':
		if c, n := escape(s); r.escapes && n > 0 {
			return kindOf(c), n
		}
	}
	if c := s[0]; c < utf8.RuneSelf && c != '%' {
		return kindOf(rune(c)), 1
	}
	if !r.percent && isPunctuationEscape(s) {
		return otherChar, 3
	}
	var decoded [utf8.UTFMax]byte
	var ends [utf8.UTFMax]int
	filled := 0
	for ; filled < len(decoded) && n < len(s); filled++ {
		decoded[filled] = s[n]
		n++
		if r.percent && isPercentEscape(s[n-1:]) {
			c, _ := strconv.ParseUint(s[n:n+2], 16, 8)
			decoded[filled] = byte(c)
			n += 2
		}
		ends[filled] = n
	}
	c, size := utf8.DecodeRune(decoded[:filled])
	return kindOf(c), ends[size-1]
}

func kindOf(c rune) kind {
	switch {
	case c < utf8.RuneSelf && classes[c]&(letters|digits) == 0:
		return gapChar
	case unicode.IsDigit(c):
		return digitChar
	case unicode.IsLetter(c), unicode.IsNumber(c):
		return otherChar
	default:
		return gapChar
	}
}

// escape returns the character that the escape at the beginning of s stands for, and
// the escape's length; 0 if there is none.
func escape(s string) (c rune, n int) {
	switch s[0] {
	case '\\':
		return backslashEscape(s)
	case '&':
		return entity(s)
	default:
		return tag(s)
	}
}

// backslashEscape is escape for JSON and Go. What was encoded more than once has more
// than one backslash.
func backslashEscape(s string) (c rune, n int) {
	rest := strings.TrimLeft(s, `\`)
	n = len(s) - len(rest)
	if rest == "" {
		return ' ', n
	}
	width := 0
	switch rest[0] {
	case 'x':
		width = 2
	case 'u':
		width = 4
	case 'U':
		width = 8
	case 'a', 'b', 'f', 'n', 'r', 't', 'v', '"', '\'', '/':
		return ' ', n + 1
	}
	if width > 0 && len(rest) > width && hexDigits.has(rest[1:1+width]) {
		code, _ := strconv.ParseUint(rest[1:1+width], 16, 32)
		return rune(code), n + 1 + width //nolint:gosec // no valid rune is no digit either
	}
	if n > 1 {
		return ' ', n
	}
	return 0, 0
}

// entity is escape for "&nbsp;" and "&#160;".
func entity(s string) (c rune, n int) {
	const longest = 12 // of those that could stand in a number
	end := strings.IndexByte(s[:min(len(s), longest)], ';') + 1
	if end == 0 {
		return 0, 0
	}
	text := html.UnescapeString(s[:end])
	if text == s[:end] {
		return 0, 0
	}
	c, _ = utf8.DecodeRuneInString(text)
	return c, end
}

// tag is escape for "<wbr>" and "</b>".
func tag(s string) (c rune, n int) {
	const longest = 12 // of those that could stand in a number
	end := strings.IndexByte(s[:min(len(s), longest)], '>')
	if end < 2 || !letters.has(strings.Trim(s[1:end], "/ ")) {
		return 0, 0
	}
	return ' ', end + 1
}

func isPercentEscape(s string) bool { return len(s) >= 3 && s[0] == '%' && hexDigits.has(s[1:3]) }

// isPunctuationEscape reports whether s begins with one of the percent-encoded
// bytes that are common in URLs: white space, and what else is printable but no
// letter or digit. Their own digits are no part of a number.
func isPunctuationEscape(s string) bool {
	if !isPercentEscape(s) {
		return false
	}
	code, _ := strconv.ParseUint(s[1:3], 16, 8)
	c := rune(code)
	return c < utf8.RuneSelf && kindOf(c) == gapChar && (unicode.IsPrint(c) || unicode.IsSpace(c))
}

const uuidLen = 36

// isUUIDAt reports whether a UUID is what stands at text[i], and no part of a
// longer row of hexadecimal digits. It may follow a percent-encoded byte.
func isUUIDAt(text string, i int) bool {
	end := i + uuidLen
	if end > len(text) || text[i+8] != '-' || !isGUID(text[i:end]) {
		return false
	}
	begins := i == 0 || !hexDigits.has(text[i-1:i]) || i >= 3 && isPercentEscape(text[i-3:])
	return begins && (end == len(text) || !hexDigits.has(text[end:end+1]))
}

// isTime reports whether text[start:end] is the time of day in a time as in RFC
// 3339, with or without its zone. out is text with what is masked already, or nil.
func isTime(text string, out []byte, start, end int) bool {
	const date, longest = len("2006-01-02T"), len("15:04:05.999999999")
	if start < date || text[start-1] != 'T' {
		return false
	}
	clock, zone := text[start:end], ""
	if i := strings.LastIndexAny(clock, "+-"); i >= 0 {
		clock, zone = clock[:i], clock[i:]
	}
	if _, err := time.Parse("-07:00", zone); len(clock) > longest || zone != "" && err != nil {
		return false
	}
	local := text[start-date : start+len(clock)]
	if out != nil {
		local = string(out[start-date : start+len(clock)])
	}
	_, err := time.Parse("2006-01-02T15:04:05", local)
	return err == nil
}

// isAddresses reports whether s is one or more IPv4 addresses, each with or
// without a port, and no other digits.
func isAddresses(s string) bool {
	for s != "" {
		end := strings.IndexFunc(s, func(c rune) bool { return c != '.' && (c < '0' || c > '9') })
		if end < 0 {
			end = len(s)
		}
		if addr, err := netip.ParseAddr(s[:end]); err != nil || !addr.Is4() {
			return false
		}
		s = s[end:]
		if port, ok := strings.CutPrefix(s, ":"); ok {
			s = strings.TrimLeft(port, "0123456789")
			if n := len(port) - len(s); n > 5 {
				return false
			}
		}
		s = strings.TrimLeftFunc(s, func(c rune) bool { return !unicode.IsDigit(c) })
	}
	return true
}
