package inspector_test

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/altinn-go/events/testutil/inspector"
)

// newToken returns a signed token of claims.
func newToken(tb testing.TB, claims jwt.MapClaims) string {
	tb.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte("key"))
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

func TestHeaders_Tokens(t *testing.T) {
	t.Parallel()
	token := newToken(t, jwt.MapClaims{"iss": "ttd", "pid": "01017512345", "exp": 1790000000})
	for _, header := range []http.Header{
		{"Authorization": {"Bearer " + token}},
		{"Platformaccesstoken": {token}},
		{"Cookie": {"a=b; AltinnStudioRuntime=" + token + "; c=d"}},
		{"X-Other": {token}},
	} {
		var mask inspector.Mask
		got := inspector.Headers(header, &mask)
		if len(got) != 1 || len(got[0].Tokens) != 1 {
			t.Errorf("%v has %+v", header, got)
			continue
		}
		claims := string(got[0].Tokens[0].Claims)
		shown := got[0].Value + claims + string(got[0].Tokens[0].Header)
		for part := range strings.SplitSeq(token, ".") {
			if strings.Contains(shown, part) {
				t.Errorf("a part of the token is shown: %s", shown)
			}
		}
		if !strings.Contains(claims, `"iss": "ttd"`) || !strings.Contains(claims, `"pid": "***********"`) ||
			!strings.Contains(claims, `"exp": 1790000000`) || !mask.Masked {
			t.Errorf("claims are %s", claims)
		}
		if at := got[0].Tokens[0].Expires; at == nil || !at.Equal(time.Unix(1790000000, 0)) {
			t.Errorf("expires is %v", at)
		}
	}
}

func TestHeaders_Secrets(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"Authorization":             "Bearer s3cr3t-opaque",
		"Platformaccesstoken":       "s3cr3t-opaque",
		"Ocp-Apim-Subscription-Key": "s3cr3t-opaque",
		"Cookie":                    "session=s3cr3t-opaque; x=s3cr3t-opaque",
	} {
		got := inspector.Headers(http.Header{name: {value}}, &inspector.Mask{Off: true})
		if len(got) != 1 || strings.Contains(got[0].Value, "s3cr3t") {
			t.Errorf("%s is shown as %+v", name, got)
		}
	}
	got := inspector.Headers(http.Header{"Content-Type": {"application/json"}, "Person": {"01017512345"}}, &inspector.Mask{})
	if len(got) != 2 || got[0].Value != "application/json" || got[1].Value != "***********" {
		t.Errorf("headers are %+v", got)
	}
}

// TestCurl runs the command, with printf in place of curl's name, to see the words
// that a shell makes of it.
func TestCurl(t *testing.T) {
	t.Parallel()
	header := http.Header{
		"Authorization": {"Bearer secret"}, "Content-Type": {"application/json"}, "Content-Length": {"9"}, "X-It's": {"`id` $HOME"},
	}
	for _, tt := range []struct{ name, body, want string }{
		{"text", `{"a":"it's $HOME ` + "`id`" + ` \n"}`, "--data-raw"},
		{"at sign", "@/etc/passwd", "--data-raw"},
		{"bytes", "a\xff\n", "--data-binary"},
	} {
		command := inspector.Curl("POST", "http://127.0.0.1:1/x?a=b&c=d", header, inspector.Exact(tt.body), &inspector.Mask{})
		if strings.Contains(command, "secret") || !strings.Contains(command, `"Authorization: Bearer $TOKEN"`) ||
			strings.Contains(command, "Content-Length") {
			t.Errorf("%s: %s", tt.name, command)
		}
		script := `curl() { for w in "$@"; do printf '%s\037' "$w"; done; case "$*" in *@-*) cat;; esac; }; TOKEN=t; ` + command
		words, err := exec.CommandContext(t.Context(), "sh", "-c", script).Output()
		if err != nil {
			t.Fatalf("%s: %v in %s", tt.name, err, command)
		}
		got := string(words)
		for _, want := range []string{"http://127.0.0.1:1/x?a=b&c=d\037", "X-It's: `id` $HOME\037", "Authorization: Bearer t\037", tt.want + "\037"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: the shell has no %q in %q", tt.name, want, got)
			}
		}
		if !strings.Contains(got, tt.body) {
			t.Errorf("%s: the body is not in %q", tt.name, got)
		}
	}
	if command := inspector.Curl("POST", "http://127.0.0.1:1/x", nil, inspector.Exact(`"01017512345"`), &inspector.Mask{}); strings.Contains(command, "01017512345") {
		t.Errorf("not masked: %s", command)
	}
}
