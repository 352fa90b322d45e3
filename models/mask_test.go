package models_test

import (
	"net/url"
	"regexp"
	"testing"

	"github.com/altinn-go/events/models"
)

func TestMaskSubject(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"":                        "",
		"/party/50019855":         "/party/50019855",
		"/party/1":                "/party/1",
		"/party/2147483647":       "/party/**********",
		"/party/123456789":        "/party/*********",
		"/party/01017512345":      "/party/***",
		"/party/x":                "/party/***",
		"/party/":                 "/party/***",
		"/person/01017512345":     "/person/***********",
		"/person/0101751234":      "/person/***",
		"/organisation/123456789": "/organisation/*********",
		"/organization/123456789": "/organization/*********",
		"/org/123456789":          "/org/*********",
		"/org/ttd":                "/org/***",
		"0192:123456789":          "0192:*********",
		"urn:altinn:organization:identifier-no:123456789": "urn:altinn:organization:identifier-no:*********",
		"urn:altinn:person:identifier-no:01017512345":     "urn:altinn:person:identifier-no:***********",
		"urn:altinn:person:idporten-email:ola@example.no": "urn:***",
		"/user/12345":               "/user/***",
		"/Person/01017512345":       "/Person/***",
		"/person":                   "***",
		"01017512345":               "***",
		"/01017512345/person":       "***",
		"01017512345:person":        "***",
		"/person 01017512345/x":     "***",
		"kari nordmann":             "***",
		"kari/nordmann":             "***",
		"//person/01017512345":      "***",
		"9908:123456789":            "***",
		":":                         "***",
		"/person/01017512345/extra": "/person/***",
	} {
		if got := models.MaskSubject(s); got != want {
			t.Errorf("%s becomes %s, want %s", models.Redact(s), models.Redact(got), want)
		}
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                            "",
		"no digits":                   "no digits",
		"party 50019855 and 12345678": "party 50019855 and 12345678",
		"person 01017512345 is":       "person *********** is",
		"x01017512345x":               "x***********x",
		"org 123456789":               "org *********",
		"1234567890123456789":         "*******************",
		"010175 12345":                "****** *****",
		"010175-12345":                "******-*****",
		"010175+12345":                "******+*****",
		"010175  -12345":              "******  -*****",
		"010175 - 12345":              "****** - *****",
		"010175\u00a012345":           "******\u00a0*****",
		"010175%2012345":              "******%20*****",
		"q=%20010175%2012345":         "q=%20******%20*****",
		"%20010175%2012345":           "%20******%20*****",
		"010175%12345":                "010175%12345",
		"010175    12345":             "010175    12345",
		"1010175 12345":               "1010175 12345",
		"x21010175 12345":             "x21010175 12345",
		"12345678%39":                 "***********",
		"%3112345678":                 "***********",
		"12345678%3":                  "12345678%3",
		"010175%2D12345":              "******%2D*****",
		"010175%2b12345":              "******%2b*****",
		`"010175\u002B12345"`:         `"******\u002B*****"`,
		"%30%31%30%31%37%35%31%32345": "***************************",
		"0%3101751%32345":             "***************",
		"010175 123 45":               "****** *** **",
		"01 01 75 12345":              "** ** ** *****",
		"123 456 789":                 "*** *** ***",
		"123-456-7890":                "123-456-7890",
		"0101751 2345":                "0101751 2345",
		"010175 1234":                 "010175 1234",
		"010175/12345":                "010175/12345",
		"2024-04-19T07:22:19.438039Z": "2024-04-19T07:22:19.438039Z",
		"/person/01017512345, /organisation/123456789":                           "/person/***********, /organisation/*********",
		"/ttd/apps-test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd": "/ttd/apps-test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
	} {
		if got := models.Redact(text); got != want {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

var (
	longRun = regexp.MustCompile(`[0-9]{9}`)
	inParts = regexp.MustCompile(`(?:^|[^0-9])[0-9]{6}[ +-]{1,3}[0-9]{5}(?:$|[^0-9])`)
)

func FuzzRedact(f *testing.F) {
	for _, text := range []string{"01017512345", "010175 12345", "010175%2012345", "%30%31%30%31%37%35%31%32345", "%20123456789", "%123456789", "%3123456789 123456"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := models.Redact(text)
		if len(got) != len(text) {
			t.Errorf("%q becomes %q, of another length", text, got)
		}
		if again := models.Redact(got); again != got {
			t.Errorf("%q becomes %q and then %q", text, got, again)
		}
		readings := []string{got}
		if decoded, err := url.PathUnescape(got); err == nil {
			readings = append(readings, decoded)
		}
		for _, reading := range readings {
			if longRun.MatchString(reading) || inParts.MatchString(reading) {
				t.Errorf("%q becomes %q, which still reads %q", text, got, reading)
			}
		}
	})
}
