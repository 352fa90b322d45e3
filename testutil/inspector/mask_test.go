package inspector_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"testing"

	"github.com/altinn-go/events/testutil/inspector"
)

func TestMask(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"person", "about 01017512345.", "about ***********."},
		{"nothing", "about nobody", "about nobody"},
		{"party", "/party/50019855", "/party/50019855"},
	} {
		var mask inspector.Mask
		if got := mask.Text(tt.text); got != tt.want || mask.Masked != (tt.text != tt.want) {
			t.Errorf("%s: %q, masked %v; want %q", tt.name, got, mask.Masked, tt.want)
		}
		off := inspector.Mask{Off: true}
		if got := off.Text(tt.text); got != tt.text || off.Masked {
			t.Errorf("%s: off, it is %q", tt.name, got)
		}
	}
	var mask inspector.Mask
	if got := mask.Subject("/person/01017512345"); got != "/person/***********" || !mask.Masked {
		t.Errorf("subject is %q, masked %v", got, mask.Masked)
	}
	if got := mask.Subject(""); got != "" {
		t.Errorf("no subject is %q", got)
	}
}

func TestMask_JSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"string", `{"a":"01017512345"}`, `{"a":"***********"}`},
		{"number", `{"a":1017512345, "b":-1e5}`, `{"a":"**********", "b":-1e5}`},
		{"spread", `[101,751,234]`, `["***","***","***"]`},
		{"quoted", `{"\"x":["\\",987654321]}`, `{"\"x":["\\","*********"]}`},
		{"escape", `{"\u000000000":"0", "\\u000000000":"\"\u0000\u00001"}`, `{"*********":"*", "\\u*********":"\"\u0000\u00001"}`},
		{"short", `{"a":12345678}`, `{"a":12345678}`},
	} {
		var mask inspector.Mask
		if got := string(mask.JSON([]byte(tt.text))); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	off := inspector.Mask{Off: true}
	if got := string(off.JSON([]byte(`{"a":1017512345}`))); got != `{"a":1017512345}` {
		t.Errorf("off: %s", got)
	}
}

func FuzzMask_JSON(f *testing.F) {
	f.Add(`{"a":"01017512345","b":[1017512345,-1.5e300]}`)
	f.Add(`[1,2,3,4,5,6,7,8,9,0,1]`)
	f.Add(`{"\u0031\u0032345678901":"%3012345678901"}`)
	f.Add(`"\\12345678901"`)
	digits := regexp.MustCompile(`\d{9}`)
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			t.Skip()
		}
		var mask inspector.Mask
		masked := mask.JSON([]byte(text))
		if !json.Valid(masked) {
			t.Errorf("%q became %q, which is no JSON", text, masked)
		}
		if lines := func(b []byte) int { return bytes.Count(inspector.Pretty(b), []byte("\n")) }; lines(masked) != lines([]byte(text)) {
			t.Errorf("%q became %q, which has other members", text, masked)
		}
		if number := digits.Find(masked); number != nil && digits.MatchString(mask.Text(string(number))) {
			t.Errorf("%q became %q", text, masked)
		}
	})
}
