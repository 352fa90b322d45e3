package browsertest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// views are the faces of the page, each with the way to it.
var views = []struct {
	name string
	open func(*inspected)
}{
	{"list", func(in *inspected) { in.open(""); in.wait(`document.querySelector("#row-1")`) }},
	{"event", func(in *inspected) { in.openEvent(4); in.wait(`document.querySelector("#row-1")`) }},
	{"headers", func(in *inspected) {
		in.openEvent(4)
		in.clickText("[role=tab]", "Headers")
		in.wait(`document.querySelector("#headers")`)
	}},
	{"refused", func(in *inspected) { in.openEvent(6) }},
	{"subscriptions", func(in *inspected) {
		in.open("?view=subscriptions")
		in.wait(`document.querySelector("#subscriptions button")`)
	}},
	{"subscription", func(in *inspected) {
		in.open("?view=subscriptions&subscription=1")
		in.clickText("[aria-label='Events that do not match'] summary", "#")
	}},
	{"faults", func(in *inspected) { in.open("?view=faults"); in.waitText("#faults", "503") }},
	{"nothing-matches", func(in *inspected) { in.open("?q=no-such-thing"); in.waitText("#empty", "Nothing matches") }},
	{"sample", func(in *inspected) {
		in.open("")
		in.click("#sample")
		in.wait(`document.querySelector("#samples button")?.checkVisibility()`)
	}},
	{"clear", func(in *inspected) {
		in.open("")
		in.click("#clear")
		in.wait(`document.getElementById("dialog-clear").open`)
	}},
	{"export", func(in *inspected) {
		in.open("")
		in.click("#export")
		in.wait(`document.getElementById("dialog-export").open`)
	}},
	{"import", func(in *inspected) {
		in.open("")
		in.click("#import")
		in.wait(`document.getElementById("dialog-import").open`)
	}},
	{"help", func(in *inspected) {
		in.open("")
		in.click("#help")
		in.wait(`document.getElementById("dialog-help").open`)
	}},
}

// furnish gives the sink something of everything to show.
func furnish(in *inspected) {
	in.Helper()
	hook := newHook(in)
	hook.answer(200, 503)
	subscribe(in, js(`{"endPoint":%s,"resourceFilter":"urn:altinn:resource:app_ttd_apps-test","typeFilter":"app.instance.created"}`, hook.URL+"/hook"))
	hook.waitValidated(in)
	subscribe(in, js(`{"endPoint":"https://remote.example/hook","resourceFilter":%s,"typeFilter":"","subjectFilter":%s}`, resource, "/person/"+person))
	in.post("/app", appEvent("app.instance.created"))                                                                                 // 1
	in.post("/app", appEvent("app.instance.process.movedTo.task_1"))                                                                  // 2
	in.take(event("1", "subject", js("%s", "/org/"+organisation)), event("2", "data", `{"ok":true,"amount":1.50,"text":"a\u202eb"}`)) // 3, 4
	in.take(event("2", "data", `{"ok":true,"amount":1.50,"text":"a\u202eb"}`))                                                        // 5
	in.post("/events", `{"specversion":"1.0","type":"refused","subject":"/person/`+person+`"}`)                                       // 6
	token := "eyJhbGciOiJub25lIn0.eyJleHAiOjE3MDAwMDAwMDAsImlzcyI6Imh0dHBzOi8vZXhhbXBsZS5jb20ifQ.c2ln"
	in.post("/app", appEvent("app.instance.process.completed"), "Authorization", "Bearer "+token) // 7
}

// axe finds nothing serious in any view, light or dark, wide or narrow.
func TestAxe(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join("testdata", "axe", "node_modules", "axe-core", "axe.min.js"))
	need(t, err == nil, "axe-core is not there: (cd testdata/axe && npm ci)")
	for _, scheme := range []string{"light", "dark"} {
		for _, size := range [][2]int64{{1440, 900}, {390, 844}} {
			t.Run(fmt.Sprintf("%s%d", scheme, size[0]), func(t *testing.T) {
				t.Parallel()
				in := setup(t)
				in.emulate(size[0], size[1], scheme)
				in.open("")
				checkAxe(in, string(source), "empty")
				in.clickText(".tabs a", "Subscriptions")
				checkAxe(in, string(source), "no subscriptions")
				furnish(in)
				lift := in.sink.Inject(fault503)
				for _, view := range views {
					view.open(in)
					checkAxe(in, string(source), view.name)
					in.fits()
					in.keys(kb.Escape)
				}
				lift()
			})
		}
	}
}

func checkAxe(in *inspected, source, view string) {
	in.Helper()
	ctx, cancel := in.patience()
	defer cancel()
	// The object that the script ends in is too large to be returned.
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[*runtime.RemoteObject](source+"; 0")); err != nil {
		in.Fatal(err)
	}
	for _, violation := range eval[[]string](in, `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations
		.filter((v) => ["serious", "critical"].includes(v.impact))
		.map((v) => v.impact + " " + v.id + ": " + v.nodes.map((n) => n.target + " (" + (n.any[0]?.message ?? n.failureSummary) + ")").join("; ")))`) {
		in.Errorf("%s: %s", view, violation)
	}
}
