package models

import (
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
// "897 069 650" are numbers. Digits of any script count. Digits and what stands
// between them are also found percent-encoded and as JSON escapes. The result
// has as many bytes as text; text without such a number is returned as it is,
// without an allocation.
//
// UUIDs, times as in RFC 3339 with a "T", and IPv4 addresses with or without a
// port stay, unless other digits are close to the latter two. Shorter numbers
// stay too, such as party ids, dates and most versions. Masked needlessly are
// short numbers in a row, such as "400, 401, 403", times in other forms or
// percent-encoded, versions of nine digits, and now and then a hexadecimal id
// that is not a UUID.
func Redact(text string) string {
	percent, backslash := strings.Contains(text, "%"), strings.Contains(text, `\`)
	for _, r := range [...]reading{{percent: true, json: true}, {percent: true}, {json: true}, {}} {
		if (percent || !r.percent) && (backslash || !r.json) {
			text = r.redact(text)
		}
	}
	return text
}

// reading is a way to read text: with percent-encoded bytes decoded, with the
// escapes of JSON strings decoded, both or neither. Which one is right cannot be
// told, so Redact tries each.
type reading struct{ percent, json bool }

func (r reading) redact(text string) string {
	var out []byte
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf && classes[c]&hexDigits == 0 && c != '%' && c != '\\' {
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
	if c := s[0]; c < utf8.RuneSelf && c != '%' && c != '\\' {
		return kindOf(rune(c)), 1
	}
	if r.json && s[0] == '\\' {
		if c, n := jsonEscape(s); n > 0 {
			return kindOf(c), n
		}
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

// jsonEscape returns the character that the escape at the beginning of s stands
// for, and the escape's length; 0 if there is none.
func jsonEscape(s string) (c rune, n int) {
	switch {
	case len(s) >= 6 && s[1] == 'u' && hexDigits.has(s[2:6]):
		code, _ := strconv.ParseUint(s[2:6], 16, 16)
		return rune(code), 6
	case len(s) >= 2 && strings.IndexByte(`"\/bfnrt`, s[1]) >= 0:
		return ' ', 2
	default:
		return 0, 0
	}
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
