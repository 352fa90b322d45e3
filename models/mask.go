package models

import "strings"

// MaskSubject returns a subject or alternative subject of any form fit for
// logs. What names a form stays and so do party ids; the numbers of persons and
// organisations become asterisks, one for each digit. Of text in no known form
// only the first part stays, "/user/***" or "urn:***", if it has one.
func MaskSubject(s string) string {
	form, value, ok := splitSubject(s)
	switch {
	case s == "":
		return ""
	case !ok:
		return firstPart(s) + "***"
	case !form.kind.hasDigits(value):
		return form.prefix + "***"
	case form.kind == SubjectParty && len(value) <= 8:
		return s
	default:
		return form.prefix + strings.Repeat("*", len(value))
	}
}

// firstPart returns what s begins with, if it has the form "/letters/" or
// "letters:".
func firstPart(s string) string {
	name, rooted := strings.CutPrefix(s, "/")
	end := ":"
	if rooted {
		end = "/"
	}
	name, _, ok := strings.Cut(name, end)
	if !ok || name == "" || !letters.has(name) {
		return ""
	}
	return s[:strings.Index(s, name)+len(name)+1]
}

// Redact returns free text, such as the body of an error response, without
// anything that could be an identity number or an organisation number.
//
// Digits become asterisks in every run of nine or more and in nine or eleven
// digits that are written in groups, such as 6 and 5, with spaces, hyphens or
// plus signs between them. Both are also found percent-encoded. Shorter numbers,
// such as party ids, stay. The result is as long as text.
func Redact(text string) string {
	var out []byte
	for i := 0; i < len(text); {
		end := numberEnd(text, i)
		if end == i {
			i++
			continue
		}
		if out == nil {
			out = []byte(text)
		}
		for i < end {
			n := digitLen(text[i:])
			for j := range n {
				out[i+j] = '*'
			}
			i += max(n, separatorLen(text[i:]))
		}
	}
	if out == nil {
		return text
	}
	return string(out)
}

// groupings are the ways to write an identity number or an organisation number
// in groups of digits.
var groupings = [][]int{{6, 5}, {6, 3, 2}, {2, 2, 2, 5}, {3, 3, 3}}

// separators are what stands between groups: in text, in a URL and in JSON.
var separators = []string{
	" ", "-", "+", "\u00a0", "\u2013",
	"%20", "%2D", "%2d", "%2B", "%2b",
	`\u002B`, `\u002b`, `\u00A0`, `\u00a0`,
}

// separatorStarts are the bytes that separators begin with.
const separatorStarts = " -+%\\\xc2\xe2"

// startsDigits reports whether digits begin at text[i]: after any other
// character, and after an escape, whose own digits, as those of "%20", may be no
// part of the number.
func startsDigits(text string, i int) bool {
	if i > 0 && isDigit(text[i-1]) && (i < 3 || text[i-3] != '%' || !hexDigits.has(text[i-2:i])) {
		return false
	}
	return digitLen(text[i:]) > 0
}

// numberEnd returns where the number that could be an identity number or an
// organisation number and begins at text[start] ends; start if there is none.
func numberEnd(text string, start int) int {
	if !startsDigits(text, start) {
		return start
	}
	first, length := digitRun(text, start)
	if length >= 9 {
		return first
	}
	for _, grouping := range groupings {
		end, n := first, length
		for i := 1; n == grouping[i-1]; i++ {
			if i == len(grouping) {
				return end
			}
			next := skipSeparators(text, end)
			if next == end {
				break
			}
			end, n = digitRun(text, next)
		}
	}
	return start
}

// digitRun returns where the digits that begin at text[start] end, and how many
// they are.
func digitRun(text string, start int) (end, count int) {
	end = start
	for n := digitLen(text[end:]); n > 0; n = digitLen(text[end:]) {
		end, count = end+n, count+1
	}
	return end, count
}

// digitLen returns the length of the digit that s begins with: 3 if it is
// percent-encoded, 0 if there is none.
func digitLen(s string) int {
	switch {
	case s == "":
		return 0
	case isDigit(s[0]):
		return 1
	case len(s) >= 3 && s[0] == '%' && s[1] == '3' && isDigit(s[2]):
		return 3
	default:
		return 0
	}
}

// skipSeparators returns where up to three separators from text[i] on end.
func skipSeparators(text string, i int) int {
	for range 3 {
		n := separatorLen(text[i:])
		if n == 0 {
			break
		}
		i += n
	}
	return i
}

// separatorLen returns the length of the separator that s begins with, 0 if
// there is none.
func separatorLen(s string) int {
	if s == "" || strings.IndexByte(separatorStarts, s[0]) < 0 {
		return 0
	}
	for _, separator := range separators {
		if strings.HasPrefix(s, separator) {
			return len(separator)
		}
	}
	return 0
}
