package inspector_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/altinn-go/events/testutil/inspector"
)

func TestExact(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "plain", "<b>\u202e \u2028", "\x00\x1f", "9007199254740993"} {
		b, err := json.Marshal(inspector.Exact(text))
		var got string
		if err != nil || json.Unmarshal(b, &got) != nil || got != text {
			t.Errorf("%q became %s (%v)", text, b, err)
		}
	}
	b, err := json.Marshal(inspector.Exact("a\xffb"))
	if want := `{"base64":"` + base64.StdEncoding.EncodeToString([]byte("a\xffb")) + `"}`; err != nil || string(b) != want {
		t.Errorf("what is no UTF-8 became %s (%v), want %s", b, err, want)
	}
}

func TestPretty(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"numbers and order stay", `{"b":9007199254740993,"a":1.0e5}`, "{\n  \"b\": 9007199254740993,\n  \"a\": 1.0e5\n}"},
		{"escapes stay", `{"a":"\ud800<"}`, "{\n  \"a\": \"\\ud800<\"\n}"},
		{"no JSON", `{"a":`, `{"a":`},
		{"brackets in a string", `["\"[[", 1]`, "[\n  \"\\\"[[\",\n  1\n]"},
		{"too deep", strings.Repeat("[", 101) + strings.Repeat("]", 101), strings.Repeat("[", 101) + strings.Repeat("]", 101)},
		{"many side by side", "[" + strings.Repeat("[],", 200) + "0]", "[\n" + strings.Repeat("  [],\n", 200) + "  0\n]"},
	} {
		if got := string(inspector.Pretty([]byte(tt.text))); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
