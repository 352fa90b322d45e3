package models

import (
	"fmt"
	"log/slog"
	"strings"
)

// The beginnings of the forms in which subjects are written.
const (
	partyPrefix              = "/party/"
	personPrefix             = "/person/"
	organisationPrefix       = "/organisation/"
	organizationPrefix       = "/organization/"
	legacyOrganisationPrefix = "/org/"
	organisationURNPrefix    = "urn:altinn:organization:identifier-no:"
	personURNPrefix          = "urn:altinn:person:identifier-no:"
	iso6523Prefix            = "0192:"
)

// SubjectKind is what a Subject names.
type SubjectKind uint8

// The kinds of subject. The zero SubjectKind names nothing.
const (
	// SubjectParty is a party of Altinn, known by its party id.
	SubjectParty SubjectKind = iota + 1
	// SubjectPerson is known by a national identity number of 11 digits.
	SubjectPerson
	// SubjectOrganisation is known by an organisation number of 9 digits.
	SubjectOrganisation
)

// String returns "party", "person", "organisation" or "unknown".
func (k SubjectKind) String() string {
	switch k {
	case SubjectParty:
		return "party"
	case SubjectPerson:
		return "person"
	case SubjectOrganisation:
		return "organisation"
	default:
		return "unknown"
	}
}

// Subject is whom an event is about. Subjects are comparable: two spellings of
// the same organisation parse to equal values.
//
// It prints masked, with fmt and with log/slog, because Value may be a national
// identity number; Path, URN and Value itself are in clear.
type Subject struct {
	Kind SubjectKind
	// Value has 1 to 10 digits for a party, 11 for a person, 9 for an
	// organisation.
	Value string
}

// Party returns the subject of a party id, in decimal.
func Party(id string) Subject { return Subject{SubjectParty, id} }

// Person returns the subject of a national identity number, 11 digits.
func Person(number string) Subject { return Subject{SubjectPerson, number} }

// Organisation returns the subject of an organisation number, 9 digits.
func Organisation(number string) Subject { return Subject{SubjectOrganisation, number} }

// ParseSubject reads a subject in any of the forms that Altinn's services use:
//
//	/party/{id}
//	/person/{11 digits}
//	/organisation/{9 digits}
//	/organization/{9 digits}
//	/org/{9 digits}
//	urn:altinn:person:identifier-no:{11 digits}
//	urn:altinn:organization:identifier-no:{9 digits}
//	0192:{9 digits}
//
// Digits are counted; check digits are not looked at. The error is a
// *ValidationError and never holds text.
func ParseSubject(text string) (Subject, error) {
	form, value, ok := splitSubject(text)
	if !ok {
		return Subject{}, invalid("subject", "subject", "want /party/{id}, /person/{11 digits} or /organisation/{9 digits}")
	}
	if !form.kind.hasDigits(value) {
		return Subject{}, invalid("subject", "subject", form.want())
	}
	return Subject{form.kind, value}, nil
}

// Path returns the subject as a rooted path: "/party/{id}",
// "/person/{11 digits}" or "/organisation/{9 digits}". It is empty for the zero
// Subject.
func (s Subject) Path() string {
	switch s.Kind {
	case SubjectParty:
		return partyPrefix + s.Value
	case SubjectPerson:
		return personPrefix + s.Value
	case SubjectOrganisation:
		return organisationPrefix + s.Value
	default:
		return ""
	}
}

// URN returns the subject as Altinn's newer products write it:
// "urn:altinn:person:identifier-no:{11 digits}" or
// "urn:altinn:organization:identifier-no:{9 digits}". It is empty for a party,
// which has no such form, and for the zero Subject.
func (s Subject) URN() string {
	switch s.Kind {
	case SubjectPerson:
		return personURNPrefix + s.Value
	case SubjectOrganisation:
		return organisationURNPrefix + s.Value
	default:
		return ""
	}
}

// String returns Path, masked as by MaskSubject.
func (s Subject) String() string { return MaskSubject(s.Path()) }

// Format writes String for every verb, %#v and %d too.
func (s Subject) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue returns String.
func (s Subject) LogValue() slog.Value { return slog.StringValue(s.String()) }

// subjectForm is one way to write subjects: a prefix, and the number after it.
type subjectForm struct {
	prefix string
	kind   SubjectKind
}

var subjectForms = []subjectForm{
	{partyPrefix, SubjectParty},
	{personPrefix, SubjectPerson},
	{organisationPrefix, SubjectOrganisation},
	{organisationURNPrefix, SubjectOrganisation},
	{personURNPrefix, SubjectPerson},
	{legacyOrganisationPrefix, SubjectOrganisation},
	{organizationPrefix, SubjectOrganisation},
	{iso6523Prefix, SubjectOrganisation},
}

// splitSubject returns the form that text is written in and what follows its
// prefix. It is not ok if the form is none that is known.
func splitSubject(text string) (form subjectForm, value string, ok bool) {
	for i := range subjectForms { // not copied: that would be most of it
		form := &subjectForms[i]
		if value, ok := strings.CutPrefix(text, form.prefix); ok {
			return *form, value, true
		}
	}
	return subjectForm{}, "", false
}

// want says what the form looks like.
func (f subjectForm) want() string {
	switch f.kind {
	case SubjectPerson:
		return "want " + f.prefix + "{11 digits}"
	case SubjectOrganisation:
		return "want " + f.prefix + "{9 digits}"
	default:
		return "want " + f.prefix + "{1 to 10 digits}"
	}
}

// hasDigits reports whether value has the digits of a subject of kind k.
func (k SubjectKind) hasDigits(value string) bool {
	n := len(value)
	switch k {
	case SubjectPerson:
		return n == 11 && isDigits(value)
	case SubjectOrganisation:
		return n == 9 && isDigits(value)
	default:
		return n <= 10 && isDigits(value)
	}
}
