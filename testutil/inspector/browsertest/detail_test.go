package browsertest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/altinn-go/events/testutil"
	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// clipboard is the browser's, which all tests share.
var clipboard sync.Mutex

// appEvent returns the body of an event for POST /app.
func appEvent(eventType string) string {
	return js(`{"specversion":"1.0","type":%s,"source":%s,"subject":"/party/50019855","alternativesubject":%s}`,
		eventType, source, "/person/"+person)
}

func TestDetail_Attributes(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.post("/app", appEvent("app.instance.created"))
	in.openEvent(1)
	attributes := eval[map[string][]string](in, `Object.fromEntries([...document.querySelectorAll("#detail .attributes > div")].map((e) =>
		[e.querySelector("dt").textContent, [e.querySelector(".value").textContent, e.querySelector(".meaning").textContent]]))`)
	for name, want := range map[string]string{
		"specversion": "1.0", "type": "app.instance.created", "source": source, "subject": "/party/50019855",
		"alternativesubject": "/person/***********", "resource": "urn:altinn:resource:app_ttd_apps-test",
		"resourceinstance": "50019855/" + instance,
	} {
		got := attributes[name]
		if len(got) != 2 || got[0] != want || got[1] == "" {
			t.Errorf("%s is %q, want %q with its meaning", name, got, want)
		}
	}
	for _, name := range []string{"id", "time"} { // the service's own
		if len(attributes[name]) != 2 || attributes[name][0] == "" {
			t.Errorf("%s is %q", name, attributes[name])
		}
	}
}

func TestDetail_PrettyAndRaw(t *testing.T) {
	t.Parallel()
	in := setup(t)
	body := "{ \"specversion\":\"1.0\",\n\t\"type\":\"x.y\", \"id\":\"1\", \"source\":\"https://a.example/\",\"resource\":" + js("%s", resource) +
		`, "data": {"b":[1.50,2e3],"a":null,"nested":{"x":true}} }`
	in.take(body)
	in.openEvent(1)
	pretty := in.text("#pretty")
	if !strings.Contains(pretty, "\n  \"data\": {\n    \"b\": [\n      1.50,\n      2e3\n    ],\n    \"a\": null,") {
		t.Errorf("pretty is %s", pretty)
	}
	in.clickText("[role=tab]", "Body as it came")
	if raw := in.text("#raw"); raw != body {
		t.Errorf("raw is %q, want %q", raw, body)
	}
	in.keys(kb.ArrowLeft) // to the tab before
	in.wait(`document.activeElement.textContent === "Event" && document.querySelector("#pretty")`)
}

// Tokens are taken apart, and stand nowhere whole.
func TestDetail_Tokens(t *testing.T) {
	t.Parallel()
	in := setupWithConfig(t, testutil.SinkConfig{})
	user, err := in.sink.Token(testutil.TokenSpec{Kind: testutil.TokenUser})
	if err != nil {
		t.Fatal(err)
	}
	platform, err := in.sink.Token(testutil.TokenSpec{Kind: testutil.TokenPlatform})
	if err != nil {
		t.Fatal(err)
	}
	const key = "subscription-key-4711"
	if status := in.post("/app", appEvent("app.instance.created"), "Authorization", "Bearer "+user, "PlatformAccessToken", platform,
		"Ocp-Apim-Subscription-Key", key, "X-Other", "shown", "X-Forwarded-Token", user); status != http.StatusCreated {
		t.Fatalf("the sink answered %d", status)
	}
	in.openEvent(1)
	in.clickText("[role=tab]", "Headers")
	headers := in.text("#headers")
	for _, want := range []string{"X-Other", "shown", "Token, expires", `"alg"`, `"iss"`, `"exp"`} {
		if !strings.Contains(headers, want) {
			t.Errorf("the headers show no %q", want)
		}
	}
	secrets := []string{key}
	for _, token := range []string{user, platform} {
		parts := strings.Split(token, ".")
		secrets = append(secrets, token, parts[0]+"."+parts[1], parts[2])
	}
	check := func(where, text string) {
		t.Helper()
		for i, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds secret %d", where, i)
			}
		}
	}
	for _, tab := range []string{"Event", "Body as it came", "Headers", "curl"} {
		in.clickText("[role=tab]", tab)
		check(tab, eval[string](in, `document.documentElement.outerHTML`))
	}
	for _, path := range []string{"requests", "requests/1", "requests/1?reveal=1", "export?reveal=1", "subscriptions", "faults"} {
		check(path, in.get("/_sink/"+path))
	}
}

// grantClipboard lets the page write to the clipboard and the test read it.
func (in *inspected) grantClipboard() {
	in.Helper()
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		callBrowser(in, cdpbrowser.SetPermission, cdpbrowser.SetPermissionParams{
			Permission: &cdpbrowser.PermissionDescriptor{Name: name}, Setting: cdpbrowser.PermissionSettingGranted,
			BrowserContextID: chromedp.FromContext(in.ctx).BrowserContextID,
		})
	}
}

func TestDetail_CopyJSON(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.take(event("1", "data", `{"n":12345678901234567890,"text":"<b>\"x\"</b>"}`, "alternativesubject", `"/person/`+person+`"`))
	in.openEvent(1)
	clipboard.Lock()
	defer clipboard.Unlock()
	in.grantClipboard()
	in.click("#copy-json")
	in.waitText("#toast", "masked")
	masked := eval[string](in, `navigator.clipboard.readText()`)
	if strings.Contains(masked, person) || !strings.Contains(masked, "/person/***********") {
		t.Error("what was copied is not masked")
	}
	in.click("#reveal")
	in.waitText("#detail .attributes", person)
	in.click("#copy-json")
	in.waitText("#toast", "JSON copied")
	var copied map[string]json.RawMessage
	if err := json.Unmarshal([]byte(eval[string](in, `navigator.clipboard.readText()`)), &copied); err != nil {
		t.Fatal(err)
	}
	if string(copied["alternativesubject"]) != `"/person/`+person+`"` || !strings.Contains(string(copied["data"]), "12345678901234567890") ||
		!strings.Contains(string(copied["data"]), `<b>\"x\"</b>`) {
		t.Error("what was copied is not the event")
	}
}

// The command is run by a shell and sends the same event again.
func TestDetail_CopyCurl(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		need(t, false, "there is no curl on PATH")
	}
	in := setupWithConfig(t, testutil.SinkConfig{})
	user, err := in.sink.Token(testutil.TokenSpec{Kind: testutil.TokenUser})
	if err != nil {
		t.Fatal(err)
	}
	platform, err := in.sink.Token(testutil.TokenSpec{Kind: testutil.TokenPlatform})
	if err != nil {
		t.Fatal(err)
	}
	bodies := []string{
		event("1", "data", js("%s", "it's $HOME `id` \\ \"quoted\"\n\u202e æøå; rm -rf ~ \x01")),
		event("2", "data", `{"person":"`+person+`"}`),
		strings.Replace(event("3", "data", `"\u0000"`), `"3"`, "\"3\xff\"", 1),
	}
	for _, body := range bodies {
		in.post("/events", body, "Authorization", "Bearer "+user, "X-It's", "a 'header'")
	}
	if status := in.post("/app", appEvent("app.instance.created"), "Authorization", "Bearer "+user, "PlatformAccessToken", platform); status != http.StatusCreated {
		t.Fatalf("the sink answered %d", status)
	}
	clipboard.Lock()
	defer clipboard.Unlock()
	in.open("")
	in.grantClipboard()
	var rows struct {
		Rows []struct {
			Number int `json:"number"`
			Status int `json:"status"`
		} `json:"rows"`
	}
	if err := json.Unmarshal([]byte(in.get("/_sink/requests")), &rows); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(rows.Rows)
	for _, row := range rows.Rows {
		in.show(row.Number)
		if eval[bool](in, `!!document.querySelector("#reveal")`) {
			in.click("#reveal")
			in.waitText("#reveal", "Mask")
		}
		in.click("#copy-curl")
		in.waitText("#toast", "curl copied")
		in.wait(`(document.getElementById("toast").hidden = true)`)
		command := eval[string](in, `navigator.clipboard.readText()`)
		before := in.sink.Events()
		shell := exec.CommandContext(t.Context(), "sh", "-c", command+" -s -o /dev/null -w '%{http_code}'")
		shell.Env = []string{"TOKEN=" + user, "PLATFORM_ACCESS_TOKEN=" + platform, "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent"}
		answer, err := shell.CombinedOutput()
		if err != nil || string(answer) != strconv.Itoa(row.Status) {
			t.Errorf("request %d sent again: %s, %v; want %d", row.Number, answer, err, row.Status)
		}
		if row.Status >= 300 {
			continue
		}
		latest := rows
		latest.Rows = nil
		if err := json.Unmarshal([]byte(in.get("/_sink/requests?limit=1")), &latest); err != nil || len(latest.Rows) != 1 {
			t.Fatal(err)
		}
		raw := func(number int) string {
			var detail struct {
				Raw any `json:"raw"`
			}
			if err := json.Unmarshal([]byte(in.get(fmt.Sprintf("/_sink/requests/%d?reveal=1", number))), &detail); err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(detail.Raw)
		}
		if latest.Rows[0].Number == row.Number || raw(latest.Rows[0].Number) != raw(row.Number) {
			t.Errorf("what came of request %d is not what was sent first (%d events before, %d after)", row.Number, len(before), len(in.sink.Events()))
		}
	}
}

// Each rule that an event may break is shown with it.
func TestDetail_Findings(t *testing.T) {
	t.Parallel()
	in := setup(t)
	subscribe(in, `{"endPoint":"http://127.0.0.1:1/a","resourceFilter":"`+resource+`","typeFilter":"wanted.type"}`)
	subscribe(in, `{"endPoint":"http://127.0.0.1:1/b","resourceFilter":"urn:altinn:resource:other","typeFilter":""}`)
	for i, tt := range []struct{ name, body, want string }{
		{"WrongPrefix", event("a", "subject", `"person/`+person+`"`), "does not begin with a slash"},
		{"LegacyOrg", event("b", "subject", `"/org/`+organisation+`"`), "legacy form"},
		{"TypeOfNoSubscription", typed("c", "unwanted"), "No subscription matches this type"},
		{"CheckDigits", event("d", "alternativesubject", `"/person/`+person+`"`), "made up, or mistyped"},
		{"MixedCaseType", typed("e", "No.Altinn.Broker.Published"), "lower case"},
		{"DiffersInCaseOnly", typed("f", "wanted.Type"), "lower case"},
		{"EmptyFilter", event("g", "resource", `"urn:altinn:resource:other"`), "An empty type filter matches nothing"},
		{"Fine", event("h", "type", `"wanted.type"`), "fine"},
	} {
		in.take(tt.body)
		if i == 0 {
			in.open("")
		}
		in.wait(`document.getElementById("row-" + %s)`, i+1)
		in.show(i + 1)
		in.wait(`document.querySelector("[aria-label=Findings]").textContent.includes(%s)`, tt.want)
	}
	if text := in.blockText("Findings"); !strings.Contains(text, "fine") {
		t.Errorf("an event that is fine has findings: %s", text)
	}
	in.post("/events", `{"specversion":"1.0","type":"refused"`)
	in.wait(`document.getElementById("row-9")`)
	in.show(9)
	if text := in.blockText("Findings"); !strings.Contains(text, "error") {
		t.Errorf("a refused request: %s", text)
	}
}

// What came more than once is one event with its arrivals, and what happened to an
// instance stands in order.
func TestDetail_DuplicatesAndInstance(t *testing.T) {
	t.Parallel()
	in := setup(t)
	of := func(id, eventType, instance string) string {
		return event(id, "type", js("%s", eventType), "resourceinstance", js("%s", instance))
	}
	in.take(of("1", "created", "x"), of("2", "other", "y"), of("3", "moved", "x"), of("3", "moved", "x"), of("4", "done", "x"))
	in.openEvent(3)
	if arrivals := eval[[]string](in, `[...document.querySelectorAll("[aria-label^=Came] li")].map((e) => e.textContent)`); len(arrivals) != 2 ||
		!strings.Contains(in.text("[aria-label^=Came] h3"), "Came 2 times") {
		t.Errorf("the arrivals are %q", arrivals)
	}
	order := `[...document.querySelectorAll("[aria-label^='Its instance'] li")].map((e) => e.firstChild.textContent)`
	if types := eval[[]string](in, order); !slices.Equal(types, []string{"created", "moved", "done"}) {
		t.Errorf("the instance is %q", types)
	}
	if here := in.text("[aria-label^='Its instance'] [aria-current=true] strong"); here != "moved" {
		t.Errorf("the one that is shown is %q", here)
	}
	in.clickText("[aria-label^='Its instance'] button", "created")
	in.waitText("#detail h2", "created")
	in.waitText("#list .row[aria-selected=true]", "created")
}

// Nothing is wider than its pane, and small windows keep room for what they show.
func TestDetail_Fits(t *testing.T) {
	t.Parallel()
	in := setup(t)
	furnish(in)
	subscribe(in, js(`{"endPoint":%s,"resourceFilter":%s}`, "https://remote.example/"+strings.Repeat("x", 200), resource))
	for _, size := range [][2]int64{{1440, 900}, {844, 390}, {768, 1024}, {390, 844}, {320, 640}} {
		in.emulate(size[0], size[1], "light")
		in.open("")
		in.wait(`document.querySelector("#row-7")`)
		if height := eval[float64](in, `document.getElementById("list").clientHeight`); height < 200 {
			t.Errorf("%v: the list is %v pixels high", size, height)
		}
		if out := eval[[]string](in, `[...document.querySelectorAll(".actions button")].filter((e) => {
			const { left, right, bottom } = e.getBoundingClientRect();
			const actions = e.parentElement;
			return left < 0 || right > innerWidth || bottom > innerHeight || actions.scrollWidth > actions.clientWidth;
		}).map((e) => e.textContent)`); len(out) > 0 {
			t.Errorf("%v: out of sight are %q", size, out)
		}
		in.openEvent(4)
		in.clickText("[role=tab]", "Headers")
		if widths := eval[[]int](in, `((e) => [e.scrollWidth, e.clientWidth])(document.getElementById("detail"))`); widths[0] > widths[1] {
			t.Errorf("%v: the event is %d pixels wide in a pane of %d", size, widths[0], widths[1])
		}
		if broken := eval[[]string](in, `[...document.querySelectorAll("#headers tbody td:first-child")].filter((e) => e.clientHeight > 60 && !e.nextSibling.querySelector("details") && e.nextSibling.clientHeight < e.clientHeight)
			.map((e) => e.textContent)`); len(broken) > 0 {
			t.Errorf("%v: broken in the middle are %q", size, broken)
		}
		in.fits()
	}
}

// A request without a body has none to look at or copy, and one whose body was cut
// says so.
func TestDetail_NoBodyAndTooMuch(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.post("/events", "")
	in.post("/events", event("1", "data", js("%s", strings.Repeat("y", 1<<20))))
	in.openEvent(1)
	in.waitText("#pretty", "No body")
	if eval[bool](in, `!!document.getElementById("copy-json")`) {
		t.Error("the page offers to copy JSON where there is none")
	}
	in.openEvent(2)
	in.waitText("#detail .badge.warn", "cut")
}

// An event that is open is live: what came of it since, and that it is gone.
func TestDetail_IsLive(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.expect("404 (Not Found)")
	of := func(id, eventType string) string {
		return event(id, "type", js("%s", eventType), "resourceinstance", `"x"`)
	}
	in.take(of("1", "created"))
	in.openEvent(1)
	in.take(of("2", "moved"))
	in.waitText("[aria-label^='Its instance']", "moved")
	in.take(of("1", "created"))
	in.waitText("[aria-label^=Came] h3", "Came 2 times")
	in.wait(`document.querySelectorAll("#list .row .badge.warn").length === 0`)
	subscribe(in, `{"endPoint":"https://remote.example/","resourceFilter":"`+resource+`","typeFilter":"Moved"}`)
	in.waitText("#row-2", "warning")
	in.waitText(".block[aria-label=Subscriptions]", "does not match")
	in.sink.Reset()
	in.waitText("#detail", "Choose a request")
	in.wait(`!location.search.includes("event=")`)
}

// What is typed, focused and opened stays while an event is refreshed.
func TestDetail_RefreshLeavesTheReaderAlone(t *testing.T) {
	t.Parallel()
	in := setup(t)
	hook := newHook(t)
	subscribe(in, js(`{"endPoint":%s,"resourceFilter":%s}`, hook.URL+"/hook", resource))
	hook.waitValidated(in)
	in.take(event("1"))
	in.openEvent(1)
	in.clickText(".explained summary", "Subscription 1") // closes it: the only one stands open
	in.fill("#forward-url", "http://a.example/b")
	in.keys(kb.ArrowLeft)
	again := func() {
		t.Helper()
		came := eval[int](in, `document.querySelectorAll("[aria-label^=Came] li").length`)
		in.take(event("1"))
		in.wait(`document.querySelectorAll("[aria-label^=Came] li").length === Math.max(2, %s + 1)`, came)
	}
	again()
	in.keys("/c")
	if typed := eval[string](in, `document.getElementById("forward-url").value`); typed != "http://a.example//cb" {
		t.Errorf("the field holds %q", typed)
	}
	if eval[bool](in, `document.querySelector(".explained").open`) {
		t.Error("what was closed is open again")
	}
	eval[any](in, `%s.focus()`, element("[aria-label=Deliveries] button", "Redeliver"))
	again()
	if focused := eval[string](in, `document.activeElement.textContent`); focused != "Redeliver" {
		t.Errorf("the focus is on %.50q", focused)
	}
}

// A browser that stores nothing shows events all the same.
func TestDetail_WithoutStorage(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.take(event("1"))
	in.beforeScripts(`Object.defineProperty(window, "localStorage", { get() { throw new DOMException("blocked", "SecurityError"); } })`)
	in.openEvent(1)
	in.fill("#forward-url", "http://127.0.0.1:1/")
	in.clickText("#forward button", "Forward")
	in.waitText("[aria-label=Forward]", "refused")
}

// The attempts of a delivery that fails and then succeeds stand on a timeline.
func TestDetail_Deliveries(t *testing.T) {
	t.Parallel()
	in := setupWithConfig(t, testutil.SinkConfig{Auth: testutil.AuthOff, RetryScale: 10_000})
	hook := newHook(t)
	subscribe(in, js(`{"endPoint":%s,"resourceFilter":%s}`, hook.URL+"/hook?code=secret", resource))
	hook.waitValidated(in)
	hook.answer(503, 429, 200)
	in.open("")
	in.take(event("1"))
	in.wait(`document.getElementById("row-1")`)
	in.show(1)
	// The page learns of each attempt by itself.
	in.wait(`document.querySelectorAll("[aria-label=Deliveries] .timeline li").length === 3`)
	for i, want := range []string{"answered 503", "answered 429", "answered 200"} {
		text := eval[string](in, `document.querySelectorAll("[aria-label=Deliveries] .timeline li")[%s].textContent`, i)
		if !strings.Contains(text, want) || !strings.Contains(text, fmt.Sprintf("attempt %d", i+1)) || !strings.Contains(text, "took") ||
			strings.Contains(text, "next") != (i < 2) {
			t.Errorf("attempt %d: %s", i+1, text)
		}
	}
	if text := in.blockText("Deliveries"); strings.Contains(text, "secret") {
		t.Error("the secret of the webhook is shown")
	}
	in.clickText("[aria-label=Deliveries] button", "Redeliver")
	in.wait(`document.querySelectorAll("[aria-label=Deliveries] .timeline li").length === 4`)
}
