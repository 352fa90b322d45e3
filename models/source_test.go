package models_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/models"
)

func TestParseAppSource(t *testing.T) {
	t.Parallel()
	const guid = "428a4575-2c04-4400-89a3-1aaadd2579cd"
	instance := models.AppSource{Org: "ttd", App: "apps-test", Party: "50019855", Instance: guid}
	tests := map[string]struct {
		source string
		want   models.AppSource
	}{
		"Instance":     {"https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/" + guid, instance},
		"BelowIt":      {"https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/" + guid + "/data/1", instance},
		"WithPort":     {"http://local.altinn.cloud:8000/ttd/apps-test/instances/50019855/" + guid, instance},
		"UpperGUID":    {"https://h/ttd/a/instances/1/" + strings.ToUpper(guid), models.AppSource{Org: "ttd", App: "a", Party: "1", Instance: strings.ToUpper(guid)}},
		"App":          {"https://h/ttd/apps-test", models.AppSource{Org: "ttd", App: "apps-test"}},
		"AppSlash":     {"https://h/ttd/apps-test/", models.AppSource{Org: "ttd", App: "apps-test"}},
		"BelowTheApp":  {"https://h/ttd/apps-test/x/y/z", models.AppSource{Org: "ttd", App: "apps-test"}},
		"EscapesBelow": {"https://h/ttd/apps-test/x%2Fy", models.AppSource{Org: "ttd", App: "apps-test"}},
		"Query":        {"https://h/ttd/apps-test?a=/b", models.AppSource{Org: "ttd", App: "apps-test"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := models.ParseAppSource(tt.source)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseAppSource_RefusesOtherText(t *testing.T) {
	t.Parallel()
	const guid = "428a4575-2c04-4400-89a3-1aaadd2579cd"
	for _, source := range []string{
		"", "/ttd/a", "ttd/a", "//h/ttd/a", "https://", "https:///ttd/a", "https://:80/ttd/a", "https:ttd/a", "ftp://h/ttd/a",
		"https://u:p@h/ttd/a", "https://h\x7f/ttd/a", "https://h", "https://h/", "https://h/ttd", "https://h/ttd/", "https://h//a",
		"https://h/TTD/a", "https://h/ttd/A", "https://h/t%74d/a", "https://h/ttd/a%2Fb", "https://h/ttd/a b",
		"https://h/ttd/a/instances", "https://h/ttd/a/instances/", "https://h/ttd/a/instances/1", "https://h/ttd/a/instances/1/",
		"https://h/ttd/a/instances/x/" + guid, "https://h/ttd/a/instances//" + guid, "https://h/ttd/a/instances/1/2",
		"https://h/ttd/a/instances/1/" + guid[:35], "https://h/ttd/a/instances/1/" + strings.ReplaceAll(guid, "-", "a"),
		"https://h/ttd/a/instances/1/" + strings.ReplaceAll(guid, "a", "g"), "https://h/ttd/a/instances/12345678901/" + guid,
		"https://h/ttd/a/instances/1%2F" + guid,
	} {
		if got, err := models.ParseAppSource(source); err == nil {
			t.Errorf("%q is read as %+v", source, got)
		} else {
			checkAttributes(t, err, []string{"source"})
		}
	}
}

func TestParseAppSource_EveryDigitOfTheGUID(t *testing.T) {
	t.Parallel()
	const guid = "428a4575-2c04-4400-89a3-1aaadd2579cd"
	for i := range guid {
		other := "g"
		if guid[i] == '-' {
			other = "0"
		}
		if _, err := models.ParseAppSource(testApp.Source("1/" + guid[:i] + other + guid[i+1:])); err == nil {
			t.Errorf("%s as character %d of a GUID is taken", other, i)
		}
	}
}

func TestAppSource_Resource(t *testing.T) {
	t.Parallel()
	s, err := models.ParseAppSource(testApp.Source(testInstance.ID))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Resource(), "urn:altinn:resource:app_ttd_apps-test"; got != want {
		t.Errorf("resource %s, want %s", got, want)
	}
	if got := s.ResourceInstance(); got != testInstance.ID {
		t.Errorf("resource instance %s, want %s", got, testInstance.ID)
	}
	if got := (models.AppSource{Org: "ttd", App: "a"}).ResourceInstance(); got != "" {
		t.Errorf("an app without instance has resource instance %q", got)
	}
}

func FuzzParseAppSource(f *testing.F) {
	f.Add("https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd")
	f.Add("http://local.altinn.cloud:8000/ttd/apps-test")
	f.Add("https://h/ttd/a%2Fb?c#d")
	f.Fuzz(func(t *testing.T, source string) {
		// The event's own source is parsed on a faster path: it must agree.
		ev := models.App{BaseURL: source}.Event("t", models.Instance{ID: "x"})
		if u, err := url.Parse(strings.TrimSuffix(source, "/") + "/instances/x"); err == nil && source != "" && ev.Source() != u.String() {
			t.Errorf("source %q becomes %q, want %q", source, ev.Source(), u)
		}
		s, err := models.ParseAppSource(source)
		if err != nil {
			return
		}
		if s.Org == "" || s.App == "" || (s.Party == "") != (s.Instance == "") {
			t.Errorf("%q is read as %+v", source, s)
		}
		if s.Instance == "" {
			return
		}
		app := models.App{Org: s.Org, Name: s.App}
		if err := app.Validate(); err != nil {
			t.Errorf("%q is of an app that is refused: %v", source, err)
		}
		again, err := models.ParseAppSource(app.Source(s.ResourceInstance()))
		if err != nil || again != s {
			t.Errorf("%q is read as %+v and its like as %+v, %v", source, s, again, err)
		}
	})
}
