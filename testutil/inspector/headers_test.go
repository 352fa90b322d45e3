package inspector_test

import (
	"encoding/json"
	"fmt"
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
		{"X-Other": {`"` + token + `"`}},
		{"X-Other": {"a," + token + ",b"}},
		{"X-Other": {`{"token":"` + token + `"}`}},
		{"X-Auth-Token": {`"` + token + `", s3cr3t`}},
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
			if strings.Contains(shown, part) || strings.Contains(shown, "s3cr3t") {
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
	token := newToken(t, jwt.MapClaims{"iss": "ttd"})
	encrypted := "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..48V1_ALb6US04U3b.5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A.XFBoMYUZodetZdvTiFvSkQ"
	for _, tt := range []struct{ name, value, want string }{
		{"Authorization", "Bearer s3cr3t-opaque", "Bearer … (13 characters, not shown)"},
		{"Authorization", "s3cr3t opaque", "… (6 characters, not shown) … (6 characters, not shown)"},
		{"Proxy-Authorization", "Basic dXNlcjpwYXNzMQ==", "Basic … (16 characters, not shown)"},
		{"Authorization", `Digest username="s3cr3t"`, `Digest … (9 characters, not shown)"… (6 characters, not shown)"`},
		{"Platformaccesstoken", "s3cr3t-opaque", "… (13 characters, not shown)"},
		{"Ocp-Apim-Subscription-Key", "s3cr3t-opaque", "… (13 characters, not shown)"},
		{"X-Api-Key", "c2VjcmV0a2V5MTIzNA==", "… (20 characters, not shown)"},
		{"Api-Key", "c2VjcmV0a2V5MTIzNA=", "… (19 characters, not shown)"},
		{"api-key", "s3cr3t", "… (6 characters, not shown)"},
		{"X-Hub-Signature", "sha256=s3cr3t", "… (13 characters, not shown)"},
		{"X-Auth-Token", "a.b=s3cr3t", "… (10 characters, not shown)"},
		{"X-Client-Secret", "s3cr3t", "… (6 characters, not shown)"},
		{"Cookie", "session=s3cr3t-opaque; x=s3cr3t==", "session=… (13 characters, not shown); x=… (8 characters, not shown)"},
		{"Cookie", "c2VjcmV0a2V5MTIzNA==", "… (20 characters, not shown)"},
		{"X-List", token + "," + token, "eyJ… (token, decoded below),eyJ… (token, decoded below)"},
		{"X-Other", "a " + encrypted, fmt.Sprintf("a … (%d characters, not shown)", len(encrypted))},
		{"X-Principal", "eyJhIjoiczNjcjN0In0=", "… (20 characters, not shown)"},
		{"Idempotency-Key", "0a=b", "0a=b"},
		{"Content-Type", "application/json; charset=utf-8", "application/json; charset=utf-8"},
		{"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	} {
		got := inspector.Headers(http.Header{tt.name: {tt.value}}, &inspector.Mask{Off: true})
		if len(got) != 1 || got[0].Value != tt.want {
			t.Errorf("%s: %s is shown as %+v, want %s", tt.name, tt.value, got, tt.want)
		}
		command := inspector.Curl("POST", "http://127.0.0.1:1/", http.Header{tt.name: {tt.value}}, nil, &inspector.Mask{Off: true})
		if strings.Contains(command, "s3cr3t") || strings.Contains(command, "dXNlc") || strings.Contains(command, "c2Vjc") {
			t.Errorf("the command shows %s: %s", tt.name, command)
		}
	}
	got := inspector.Headers(http.Header{"Person": {"01017512345"}}, &inspector.Mask{})
	if len(got) != 1 || got[0].Value != "***********" {
		t.Errorf("headers are %+v", got)
	}
}

// Digits that stand apart only because of white space are masked all the same, and
// times stay.
func TestHeaders_Claims(t *testing.T) {
	t.Parallel()
	token := newToken(t, jwt.MapClaims{"digits": []int{0, 1, 0, 1, 7, 5, 1, 2, 3, 4, 5}, "number": 1017512345, "iat": 1790000000})
	var mask inspector.Mask
	got := string(inspector.Headers(http.Header{"X-Other": {token}}, &mask)[0].Tokens[0].Claims)
	if strings.Contains(got, "5,") || strings.Contains(got, "1017512345") || !json.Valid([]byte(got)) || !strings.Contains(got, `"iat": 1790000000`) {
		t.Errorf("claims are %s", got)
	}
	mask = inspector.Mask{}
	inspector.Headers(http.Header{"X-Other": {newToken(t, jwt.MapClaims{"iat": 1790000000})}}, &mask)
	if mask.Masked {
		t.Error("nothing was masked, yet it says so")
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
		{"long", strings.Repeat("it's 90 ", 20_000) + "$HOME\n", "--data-binary"},
	} {
		command := inspector.Curl("POST", "http://127.0.0.1:1/x?a=b&c=d", header, inspector.Exact(tt.body), &inspector.Mask{})
		if strings.Contains(command, "secret") || !strings.Contains(command, `"Authorization: Bearer $TOKEN"`) ||
			strings.Contains(command, "Content-Length") {
			t.Errorf("%s: %s", tt.name, command)
		}
		script := `curl() { for w in "$@"; do printf '%s\037' "$w"; done; case "$*" in *@-*) cat;; esac; }; TOKEN=t; ` + command
		words, err := shell(t, script)
		if err != nil {
			t.Fatalf("%s: %v in %.1000s", tt.name, err, command)
		}
		got := string(words)
		for _, want := range []string{"http://127.0.0.1:1/x?a=b&c=d\037", "X-It's: `id` $HOME\037", "Authorization: Bearer t\037", tt.want + "\037"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: the shell has no %q in %.1000q", tt.name, want, got)
			}
		}
		if !strings.Contains(got, tt.body) {
			t.Errorf("%s: the body is not in %.1000q", tt.name, got)
		}
	}
	if command := inspector.Curl("POST", "http://127.0.0.1:1/x", nil, inspector.Exact(`{"a":1017512345}`), &inspector.Mask{}); !strings.Contains(command, `{"a":"**********"}`) {
		t.Errorf("not masked, or no JSON: %s", command)
	}
}

// shell runs a script, which may be longer than an argument can be.
func shell(tb testing.TB, script string) ([]byte, error) {
	tb.Helper()
	sh := exec.CommandContext(tb.Context(), "sh")
	sh.Stdin = strings.NewReader(script)
	return sh.Output()
}
