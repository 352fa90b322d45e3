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
