package credentials_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/altinn-go/events/publisher/credentials"
)

func TestSources_PrintRedacted(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]oauth2.TokenSource{
		"Static":  credentials.Static("hunter2"),
		"User":    credentials.User(credentials.Static("hunter2")),
		"Bounded": credentials.Bounded(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "hunter2"})),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
				if got := fmt.Sprintf(verb, source); got != "REDACTED" {
					t.Errorf("%s = %s, want REDACTED", verb, got)
				}
			}
			if got, err := json.Marshal(source); err != nil || string(got) != `"REDACTED"` {
				t.Errorf("JSON = %s, %v, want REDACTED", got, err)
			}
			if got := slog.AnyValue(source).Resolve(); !got.Equal(slog.StringValue("REDACTED")) {
				t.Errorf("slog value = %v, want REDACTED", got)
			}
			var out bytes.Buffer
			slog.New(slog.NewTextHandler(&out, nil)).Info("text", slog.Any("source", source))
			slog.New(slog.NewJSONHandler(&out, nil)).Info("json", slog.Any("source", source))
			type config struct{ unexported oauth2.TokenSource }
			fmt.Fprintf(&out, "%v %+v %#v", config{source}, config{source}, config{source})
			if got := out.String(); strings.Count(got, "REDACTED") != 2 || strings.Contains(got, "hunter2") {
				t.Errorf("printed %s", got)
			}
		})
	}
}

func TestWithUserToken_PrintsNoToken(t *testing.T) {
	t.Parallel()
	ctx := credentials.WithUserToken(t.Context(), "hunter2")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, ctx); strings.Contains(got, "hunter2") {
			t.Errorf("%s = %s, which tells the token", verb, got)
		}
	}
}
