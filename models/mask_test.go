package models_test

import (
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
