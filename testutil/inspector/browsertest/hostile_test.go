package browsertest_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/altinn-go/events/testutil"
)

// exactJS is what an element shows, byte for byte: a control stands there as its
// code point, a byte that is no UTF-8 as \xNN, each in an element of its own.
const exactJS = `((root) => {
	const bytes = [];
	const encoder = new TextEncoder();
	const walk = (node) => {
		if (node.nodeType === Node.TEXT_NODE) for (const byte of encoder.encode(node.data)) bytes.push(byte);
		else if (!node.matches(".ctl")) node.childNodes.forEach(walk);
		else if (node.textContent.startsWith("\\x")) bytes.push(parseInt(node.textContent.slice(2), 16));
		else bytes.push(...encoder.encode(String.fromCodePoint(parseInt(node.textContent.slice(2), 16))));
	};
	walk(root);
	let text = "";
	for (const byte of bytes) text += String.fromCharCode(byte);
	return btoa(text);
})`

func (in *inspected) exact(selector string) string {
	in.Helper()
	in.wait(`document.querySelector(%s)`, selector)
	raw, err := base64.StdEncoding.DecodeString(eval[string](in, exactJS+`(document.querySelector(%s))`, selector))
	if err != nil {
		in.Fatal(err)
	}
	return string(raw)
}

// What an event holds is shown as text, exactly, does nothing, and keeps the page
// in its frame.
func TestHostile(t *testing.T) {
	t.Parallel()
	const attack = `<script>window.pwned=1</script><img src=x onerror="window.pwned=1"><svg onload="window.pwned=1"></svg>`
	quoted := js("%s", attack)
	long := strings.Repeat("x", 60_000)
	for _, tt := range []struct{ name, body string }{
		{"Type", event("1", "type", quoted)},
		{"ID", event(`"><script>window.pwned=1</script>`)},
		{"Subject", event("1", "subject", quoted)},
		{"Source", event("1", "source", `"javascript:window.pwned=1"`)},
		{"SourceWithMarkup", event("1", "source", `"https://a.example/<img/src=x/onerror=window.pwned=1>"`)},
		{"Extension", event("1", "evil", quoted, "resourceinstance", quoted)},
		{"NameOfAnExtension", event("1", `<img src=x onerror=window.pwned=1>`, `"x"`)},
		{"Data", strings.Replace(event("1", "data", `{"<b>":"@"}`), "@", strings.ReplaceAll(attack, `"`, `\"`), 1)},
		{"Template", event("1", "data", `"${window.pwned=1} {{window.pwned=1}} ]]> --> </pre></template>"`)},
		{"Prototype", event("1", "data", `{"__proto__":{"x":1},"constructor":{"prototype":{}},"toString":1,"a":1,"a":2}`)},
		{"Bidi", event("1", "type", "\"a\u202eb.\u2066c\u2069\"", "data", "\"\u202egnp.exe\u200b\u200f\ufeff\u00ad\"")},
		{"QuarterOfAMegabyte", event("1", "data", js("%s", strings.Repeat("y", 256<<10)))},
		{"QuarterOfAMegabyteOfNumbers", event("1", "data", "["+strings.Repeat("1.5e3,", 256<<10/6)+"0]")},
		{"Deep", event("1", "data", strings.Repeat("[", 9_000)+strings.Repeat("]", 9_000))},
		{"NoUTF8", strings.Replace(event("1", "data", `"a@b"`), "@", "\xff\xc3\xed\xa0\x80\xf5", 1)},
		{"NumbersBeyondDoubles", event("1", "data", `[9007199254740993,12345678901234567890,1e400,-0,0.10000000000000000555,1.50]`)},
		{"Controls", strings.Replace(event("1", "data", `"a@b"`), "@", "\x01\x02\x1b[31m\r\n\x7f\u0085\u2028", 1)},
		{"EscapedControls", event("1", "data", `"\u0000\u0007\u001b[2J\u202e\r\n"`)},
		{"LongSubject", event("1", "subject", js("%s", "/party/"+long))},
		{"LongType", event("1", "type", js("%s", long))},
		{"LongExtension", event("1", "evil", js("%s", long), "data", js("%s", strings.Repeat("w ", 1000)))},
		{"LoneSurrogates", event("1", "data", `"\ud800 \udfff x\ud83d"`, "evil", `"\ud800"`)},
		{"NoJSON", "\x00<script>window.pwned=1</script>" + strings.Repeat("\u0301", 500)},
		{"Nothing", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := setup(t)
			status := in.post("/events", tt.body)
			in.openEvent(1)
			in.wait(`document.querySelector("#row-1")`)
			if eval[bool](in, `!!document.querySelector("#reveal")`) {
				in.click("#reveal")
				in.waitText("#reveal", "Mask")
			}
			pretty := in.exact("#pretty")
			in.fits()
			in.clickText("[role=tab]", "Body as it came")
			want := cmp.Or(tt.body, "No body")
			if raw := in.exact("#raw"); raw != want {
				t.Errorf("%d bytes are shown, %d were sent, or they differ:\n%.300q\n%.300q", len(raw), len(want), raw, want)
			}
			var shown, sent struct {
				Data json.RawMessage `json:"data"`
			}
			if status == 200 && json.Unmarshal([]byte(tt.body), &sent) == nil && sent.Data != nil {
				if err := json.Unmarshal([]byte(pretty), &shown); err != nil {
					t.Errorf("what is shown as JSON is none: %v", err)
				}
				if !bytes.Equal(compact(t, shown.Data), compact(t, sent.Data)) {
					t.Errorf("data is shown as %.300s, was sent as %.300s", compact(t, shown.Data), compact(t, sent.Data))
				}
			}
			in.clickText("[role=tab]", "curl")
			in.fits()
			in.emulate(390, 844, "light")
			in.fits()
			in.wait(`document.readyState === "complete"`)
			if eval[bool](in, `window.pwned !== undefined || document.querySelectorAll("script").length !== 1 || !!document.querySelector("img[src=x], svg")`) {
				t.Error("what was sent became more than text")
			}
		})
	}
}

// What turns the direction of text has no effect outside of the body either.
func TestHostile_Direction(t *testing.T) {
	t.Parallel()
	in := setup(t)
	const turned = "\u202e"
	in.expect("404 (Not Found)")
	in.post("/events/%E2%80%AEx", event("1"))
	in.sink.Inject(testutil.Fault{Endpoint: "/events/" + turned, Status: 500})
	in.openEvent(1)
	in.wait(`document.querySelectorAll("#detail .ctl").length >= 1 && document.querySelector("#row-1") && !document.getElementById("banner").hidden`)
	in.clickText(".tabs a", "Faults")
	in.waitText("#faults", "U+202E")
	if eval[bool](in, `document.documentElement.outerHTML.includes(%s)`, turned) {
		t.Error("the page holds what turns its text")
	}
}

// White space is shown as it is: what is compared exactly may differ in nothing else.
func TestHostile_WhiteSpace(t *testing.T) {
	t.Parallel()
	in := setup(t)
	const spaced = "a  b   c"
	for _, filter := range []string{"try.this ", spaced} {
		subscribe(in, js(`{"endPoint":"https://remote.example/","resourceFilter":%s,"typeFilter":%s}`, resource, filter))
	}
	in.take(typed("1", spaced))
	in.post("/events", event("2", "type", js("%s", " try\u00a0this\n\tx"))) // which is refused
	in.open("?view=subscriptions&subscription=1")
	in.clickText("[aria-label='Events that do not match'] summary", "#1")
	seen := func(selector, want string) {
		t.Helper()
		in.wait(`[...document.querySelectorAll(%s)].some((e) => e.innerText.includes(%s))`, selector, want)
	}
	seen("#subscriptions .about", "try.thisU+0020")
	seen("#subscriptions .about", spaced)
	seen("#subscription .value", "try.thisU+0020")
	seen("#subscription td.mono", "try.thisU+0020")
	seen("#subscription td.mono", spaced)
	in.openEvent(1)
	for _, selector := range []string{"#detail h2", "#detail .value", "#list .type"} {
		seen(selector, spaced)
	}
	in.openEvent(2)
	for _, selector := range []string{"#detail h2", "#detail .value", "#list .type"} {
		seen(selector, "U+0020tryU+00A0thisU+000AU+0009x")
	}
}

func compact(tb testing.TB, text []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		tb.Error(err)
	}
	return b.Bytes()
}

// Nor does what stands in the address.
func TestHostile_Address(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.take(event("1"))
	for _, query := range []string{
		`?view=<script>window.pwned=1</script>`, `?event=1"><img src=x onerror=window.pwned=1>`, `?event=-1`, `?event=99`, `?event=1e999`,
		`?view=subscriptions&subscription=../../x`, `?view=subscriptions&subscription=99`, `?q=<img src=x onerror=window.pwned=1>`,
		`?status=nonsense`, `#<script>window.pwned=1</script>`, `?type=%ff%00`, `?source=` + strings.Repeat("x", 8000),
	} {
		in.expect("404 (Not Found)")
		in.open(query)
		if eval[bool](in, `window.pwned !== undefined || !!document.querySelector("img[src=x]")`) {
			t.Errorf("%s became more than text", query)
		}
		in.fits()
	}
}
