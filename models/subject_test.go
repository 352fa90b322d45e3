package models_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/altinn-go/events/models"
)

var fiveDigits = regexp.MustCompile(`[0-9]{5}`)

var subjectForms = map[string]struct {
	text string
	want models.Subject
}{
	"Party":           {"/party/50019855", models.Party("50019855")},
	"LongestParty":    {"/party/2147483647", models.Party("2147483647")},
	"Person":          {"/person/16069412345", models.Person("16069412345")},
	"PersonURN":       {"urn:altinn:person:identifier-no:16069412345", models.Person("16069412345")},
	"Organisation":    {"/organisation/987564321", models.Organisation("987564321")},
	"Organization":    {"/organization/987564321", models.Organisation("987564321")},
	"LegacyOrg":       {"/org/987564321", models.Organisation("987564321")},
	"OrganisationURN": {"urn:altinn:organization:identifier-no:987564321", models.Organisation("987564321")},
	"ISO6523":         {"0192:987564321", models.Organisation("987564321")},
}

func TestParseSubject(t *testing.T) {
	t.Parallel()
	for name, tt := range subjectForms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := models.ParseSubject(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %v, want %v, or the same masked", got, tt.want)
			}
		})
	}
}

func TestParseSubject_RefusesOtherText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "/", "party/1", "/party", "/party/", "/party/x", "/party/-1", "/party/1/", "/party/12345678901", "/Party/1",
		"/person/", "/person/1606941234", "/person/160694123456", "/person/1606941234x", "/person/160694 12345",
		"/organisation/98756432", "/organisation/9875643210", "/org/ttd", "/org/", "/user/1",
		"urn:altinn:person:identifier-no:", "urn:altinn:organization:identifier-no:0192:987564321", "urn:altinn:party:id:1",
		"0192:98756432", "9908:987564321", "987564321", " /party/1", "/party/１",
	} {
		got, err := models.ParseSubject(text)
		if err == nil {
			t.Errorf("%q is read as %v", models.Redact(text), got)
			continue
		}
		if len(faults(t, err)) != 1 || fiveDigits.MatchString(err.Error()) {
			t.Errorf("the fault of %q is not one, or quotes it", models.Redact(text))
		}
	}
}

func TestParseSubject_SaysWhatItWants(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"/user/1":                           "/party/{id}, /person/{11 digits} or /organisation/{9 digits}",
		"/party/x":                          "/party/{1 to 10 digits}",
		"/person/x":                         "/person/{11 digits}",
		"/organisation/x":                   "/organisation/{9 digits}",
		"/organization/x":                   "/organization/{9 digits}",
		"/org/x":                            "/org/{9 digits}",
		"0192:x":                            "0192:{9 digits}",
		"urn:altinn:person:identifier-no:x": "urn:altinn:person:identifier-no:{11 digits}",
		"urn:altinn:organization:identifier-no:x": "urn:altinn:organization:identifier-no:{9 digits}",
	} {
		if _, err := models.ParseSubject(text); err == nil || err.Error() != "invalid subject: subject: want "+want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestSubject_WireForms(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		subject   models.Subject
		path, urn string
	}{
		"Party":        {models.Party("1337"), "/party/1337", ""},
		"Person":       {models.Person("01038712345"), "/person/01038712345", "urn:altinn:person:identifier-no:01038712345"},
		"Organisation": {models.Organisation("897069631"), "/organisation/897069631", "urn:altinn:organization:identifier-no:897069631"},
		"Zero":         {models.Subject{}, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.subject.Path(); got != tt.path {
				t.Error("wrong path, masked:", models.MaskSubject(got))
			}
			if got := tt.subject.URN(); got != tt.urn {
				t.Error("wrong URN, masked:", models.MaskSubject(got))
			}
		})
	}
}

func TestSubject_PrintsMasked(t *testing.T) {
	t.Parallel()
	person := models.Person("16069412345")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X"} {
		for _, value := range []any{person, &person, []models.Subject{person}, map[string]models.Subject{"a": person}, struct{ S models.Subject }{person}} {
			if got := fmt.Sprintf(verb, value); strings.Contains(got, "16069412345") || strings.Contains(got, "3136303639") {
				t.Errorf("%s of %T is not masked", verb, value)
			}
		}
	}
	if got := fmt.Sprint(person, models.Organisation("987564321"), models.Party("50019855"), models.Subject{}); got != "/person/*********** /organisation/********* /party/50019855 " {
		t.Errorf("got %s", got)
	}
	for _, handler := range []func(*bytes.Buffer) slog.Handler{
		func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(handler(&b)).Info("x", slog.Any("subject", person))
		if strings.Contains(b.String(), "16069412345") || !strings.Contains(b.String(), "/person/***********") {
			t.Error("a log record is not masked")
		}
	}
}

func TestSubjectKind_String(t *testing.T) {
	t.Parallel()
	for kind, want := range map[models.SubjectKind]string{
		0:                          "unknown",
		models.SubjectParty:        "party",
		models.SubjectPerson:       "person",
		models.SubjectOrganisation: "organisation",
	} {
		if got := kind.String(); got != want {
			t.Errorf("%d is %s, want %s", kind, got, want)
		}
	}
}

func FuzzParseSubject(f *testing.F) {
	for _, tt := range subjectForms {
		f.Add(tt.text)
	}
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := models.ParseSubject(text)
		if err != nil {
			return
		}
		for _, form := range []string{s.Path(), s.URN()} {
			if form == "" {
				continue
			}
			if again, err := models.ParseSubject(form); err != nil || again != s {
				t.Errorf("%q is read as %+v, whose form %q is read as %+v, %v", text, s, form, again, err)
			}
		}
		ev := testApp.Created(testInstance)
		ev.SetExtension(models.ExtAlternativeSubject, text)
		if err := (models.Validator{}).ValidateDraft(ev); err != nil {
			t.Errorf("%q is a subject, and Validate says %v", text, err)
		}
	})
}
