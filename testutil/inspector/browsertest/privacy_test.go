package browsertest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/altinn-go/events/testutil"
)

// overhear keeps all that the page is told by the sink in window.told.
const overhear = `
	window.told = [];
	const ask = window.fetch;
	window.fetch = async (...args) => {
		const response = await ask(...args);
		window.told.push(await response.clone().text());
		return response;
	};
	const Source = window.EventSource;
	window.EventSource = class extends Source {
		constructor(...args) {
			super(...args);
			this.addEventListener("message", (event) => window.told.push(event.data));
		}
	};`

// A number of a person is masked in the document and in all that the page is told,
// until somebody asks for that one event in clear.
func TestPrivacy_MaskedUntilClicked(t *testing.T) {
	t.Parallel()
	in := setup(t)
	// Deliveries to another machine are held back, and not tried again: the page would
	// ask for the event that is shown in clear each time.
	subscribe(in, js(`{"endPoint":"https://remote.example/","resourceFilter":%s,"subjectFilter":%s}`, resource, "/person/"+person))
	hers := func(id string) string {
		return event(id, "type", `"about.her"`, "subject", js("%s", "/person/"+person), "alternativesubject", js("%s", "/person/"+person),
			"resourceinstance", js("%s", "x/"+person), "data", js(`{"fnr":%s,"number":%s}`, person, code(person[1:])))
	}
	in.take(hers("1"), hers("2"))
	in.post("/events", `{"specversion":"1.0","type":"refused","subject":"/person/`+person+`","x":`+person[1:]+`}`)
	in.beforeScripts(overhear)
	in.open("")
	in.waitTypes("refused", "about.her", "about.her")
	masked := func(where string) {
		t.Helper()
		// Ten of its digits are the number too, without the zero that it begins with.
		if eval[bool](in, `document.documentElement.outerHTML.includes(%s) || JSON.stringify(window.told).includes(%s) || location.href.includes(%s)`,
			person[1:], person[1:], person[1:]) {
			t.Errorf("%s: the number is there before anybody asked", where)
		}
	}
	masked("list")
	for _, number := range []int{3, 1} {
		in.show(number)
		for _, tab := range []string{"Event", "Body as it came", "Headers", "curl"} {
			in.clickText("[role=tab]", tab)
			masked(fmt.Sprintf("event %d, %s", number, tab))
		}
	}
	in.clickText(".tabs a", "Subscriptions")
	in.clickText("#subscriptions button", "1")
	in.waitText("#subscription h2", "Subscription 1")
	masked("subscription")
	in.clickText(".tabs a", "Events")

	in.click("#detail .attributes .maskd")
	in.waitText("#detail .attributes", "/person/"+person)
	if eval[bool](in, `document.getElementById("list").outerHTML.includes(%s) || location.href.includes(%s)`, person, person) {
		t.Error("one event in clear puts the number into the list or the address")
	}
	in.clickText("[role=tab]", "Body as it came")
	in.waitText("#raw", person)
	eval[any](in, `window.told = []`)
	in.click("#reveal")
	in.waitText("#reveal", "Show")
	masked("masked again")
	in.click("#reveal")
	in.waitText("#reveal", "Mask")
	eval[any](in, `window.told = []`)
	in.show(2)
	masked("another event")
	in.show(1)
	masked("the same event later")
}

// A sink for synthetic data masks nothing, and the page does not offer to.
func TestPrivacy_Unmask(t *testing.T) {
	t.Parallel()
	in := setupWithConfig(t, testutil.SinkConfig{Auth: testutil.AuthOff, Unmask: true})
	in.take(event("1", "alternativesubject", js("%s", "/person/"+person)))
	in.openEvent(1)
	in.waitText("#detail .attributes", "/person/"+person)
	in.click("#export")
	in.wait(`document.getElementById("export-link").checkVisibility() && !document.getElementById("export-mask").checkVisibility()`)
}

// The policy stops what would get past the page's care, and the tests see it.
func TestPrivacy_PolicyStopsInlineScripts(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.expect("404 (Not Found)", "policy: script-src", "Executing inline", "Executing an inline", "Refused to", "violates the following Content Security Policy")
	in.open("")
	eval[any](in, `{
		const script = document.createElement("script");
		script.textContent = "window.pwned = 1";
		const image = document.createElement("div");
		image.innerHTML = "<img src=x onerror='window.pwned = 1'>";
		document.body.append(script, image);
	}`)
	in.wait(`document.querySelector("img[src=x]").complete`)
	if eval[bool](in, `window.pwned !== undefined`) {
		t.Error("an inline script has run")
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if !strings.Contains(strings.Join(in.problems, "\n"), "policy: script-src") {
		t.Error("the browser reports no violation, so no test would see one")
	}
}

// A page of another origin that the developer has open changes nothing, and reads
// nothing.
func TestPrivacy_OtherOrigin(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.expect("blocked by CORS policy", "403 (Forbidden)", "net::ERR_FAILED", "net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin")
	in.take(event("1"))
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>elsewhere</title>"))
	}))
	defer evil.Close()
	in.navigate(evil.URL)
	if got := eval[string](in, `(async () => {
		const sink = %s + "/_sink/";
		const results = [];
		for (const [method, path, mode] of [
			["POST", "samples", "no-cors"], ["POST", "faults", "no-cors"], ["POST", "import", "no-cors"], ["POST", "requests/1/forward", "no-cors"],
			["DELETE", "events", "cors"], ["PUT", "policy", "cors"], ["GET", "requests", "cors"], ["GET", "export?reveal=1", "cors"],
		]) {
			const body = method === "GET" ? undefined : new Blob(["{\"type\":\"app.instance.created\"}"], { type: "text/plain" });
			await fetch(sink + path, { method, mode, body }).then(async (r) => results.push(await r.text()), () => {});
		}
		await new Promise((done) => { const s = new EventSource(sink + "stream"); s.onmessage = (e) => { results.push(e.data); done(); }; s.onerror = done; });
		return results.join("");
	})()`, in.sink.URL()); got != "" {
		t.Errorf("the other page could read %q", got)
	}
	if n, faults := len(in.sink.Events()), len(in.sink.Faults()); n != 1 || faults != 0 {
		t.Errorf("there are %d events and %d faults, want the one event", n, faults)
	}
}

// Below a prefix the whole page works.
func TestPrivacy_MountedBelowAPrefix(t *testing.T) {
	t.Parallel()
	in := setup(t)
	mux := http.NewServeMux()
	mux.Handle("/tools/inspector/", http.StripPrefix("/tools/inspector", in.sink.Inspector()))
	server := httptest.NewServer(mux)
	defer server.Close()
	defer in.sink.Close() // ends the stream, for which the server would wait
	in.expect("ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_REFUSED")
	in.take(typed("1", "mounted"))
	in.navigate(server.URL + "/tools/inspector/")
	in.live()
	in.waitTypes("mounted")
	in.show(1)
	if path := eval[string](in, `location.pathname`); path != "/tools/inspector/" {
		t.Errorf("the address is %s", path)
	}
	in.take(typed("2", "live"))
	in.waitTypes("live", "mounted")
	in.clickText(".tabs a", "Faults")
	in.clickText("#fault-form button", "Switch on")
	in.waitText("#banner-text", "503")
	in.click("#lift-all")
	in.wait(`document.getElementById("banner").hidden`)
}
