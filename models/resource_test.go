package models_test

import (
	"strings"
	"testing"

	"github.com/altinn-go/events/models"
)

func TestIsResource(t *testing.T) {
	t.Parallel()
	segments := func(n int) string { return "urn:a" + strings.Repeat(":b", n) }
	for s, want := range map[string]bool{
		"urn:altinn:resource:altinn-broker-test-resource-1": true,
		"urn:altinn:resource:app_ttd_apps-test":             true,
		"urn:nbib:bokoversikt.api":                          true,
		"urn:a:()+,.-;$_!/09az":                             true,
		"urn:" + strings.Repeat("a", 30) + ":b":             true,
		"urn:" + strings.Repeat("a", 31) + ":b":             false,
		"urn:a:" + strings.Repeat("b", 100):                 true,
		"urn:a:" + strings.Repeat("b", 101):                 false,
		segments(10):                                        true,
		segments(11):                                        false,
		"":                                                  false,
		"urn":                                               false,
		"urn:":                                              false,
		"urn:a":                                             false,
		"urn::b":                                            false,
		"urn:a:":                                            false,
		"urn:a::b":                                          false,
		"urn:a:b:":                                          false,
		"urn:a_b:c":                                         false,
		"URN:a:b":                                           false,
		"urn:a:B":                                           false,
		"urn:A:b":                                           false,
		"urn:a:æ":                                           false,
		"urn:a:b c":                                         false,
		"urn:a:b%20":                                        false,
		"urn:a:b*":                                          false,
		"urn:a:b\n":                                         false,
		" urn:a:b":                                          false,
		"altinn:resource:x":                                 false,
		"urn:altinn:resource:Altinn-Broker-Test-Resource-One": false,
	} {
		if got := models.IsResource(s); got != want {
			t.Errorf("%q is %t, want %t", s, got, want)
		}
	}
}

func TestParseResource(t *testing.T) {
	t.Parallel()
	id, err := models.ParseResource(models.Resource("ttd-things"))
	if id != "ttd-things" || err != nil {
		t.Errorf("got %q and %v", id, err)
	}
	for _, urn := range []string{"", "ttd-things", "urn:altinn:resource:", "urn:altinn:resource:Things", "urn:nbib:bokoversikt.api"} {
		if id, err := models.ParseResource(urn); err == nil {
			t.Errorf("%q is read as %q", urn, id)
		} else {
			checkAttributes(t, err, []string{"resource"})
		}
	}
}

func TestParseAppResource(t *testing.T) {
	t.Parallel()
	for urn, want := range map[string][2]string{
		"urn:altinn:resource:app_ttd_apps-test":       {"ttd", "apps-test"},
		"urn:altinn:resource:app_ttd_with_underscore": {"ttd", "with_underscore"},
		models.AppResource("skd", "mva"):              {"skd", "mva"},
	} {
		org, app, err := models.ParseAppResource(urn)
		if got := [2]string{org, app}; got != want || err != nil {
			t.Errorf("%s is of %v, want %v: %v", urn, got, want, err)
		}
		if !models.IsAppResource(urn) || !models.IsResource(urn) {
			t.Errorf("%s is not known as an app's", urn)
		}
	}
	for _, urn := range []string{"", "app_ttd_x", "urn:altinn:resource:app_", "urn:altinn:resource:app__", "urn:altinn:resource:app_ttd", "urn:altinn:resource:app_ttd_", "urn:altinn:resource:app__x", "urn:altinn:resource:app_TTD_x", "urn:altinn:resource:app_ttd_x:y", "urn:altinn:resource:ttd_x", "URN:altinn:resource:app_ttd_x"} {
		if org, app, err := models.ParseAppResource(urn); err == nil {
			t.Errorf("%q is of %q and %q", urn, org, app)
		} else {
			checkAttributes(t, err, []string{"resource"})
		}
	}
	if models.IsAppResource("urn:altinn:resource:appttd_x") || models.IsAppResource("") {
		t.Error("a resource that is no app's is known as one")
	}
}

func FuzzParseResource(f *testing.F) {
	for _, urn := range []string{"urn:altinn:resource:x", "urn:altinn:resource:app_ttd_apps-test", "urn:a:b:c"} {
		f.Add(urn)
	}
	f.Fuzz(func(t *testing.T, urn string) {
		if models.IsResource(urn) && strings.ToLower(urn) != urn {
			t.Errorf("%q is taken, and not in lower case", urn)
		}
		if id, err := models.ParseResource(urn); err == nil && (models.Resource(id) != urn || !models.IsResource(urn)) {
			t.Errorf("%q is read as %q, which makes another", urn, id)
		}
		if org, app, err := models.ParseAppResource(urn); err == nil && (models.AppResource(org, app) != urn || !models.IsAppResource(urn)) {
			t.Errorf("%q is read as of %q and %q, which make another", urn, org, app)
		}
	})
}
