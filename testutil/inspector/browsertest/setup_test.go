package browsertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/altinn-go/events/testutil"
	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long a test waits for what should come at once.
const patience = time.Minute

// The numbers of the seeds' examples, which nobody has.
const (
	person       = "01017512345"
	organisation = "897069650"
)

const (
	instance = "428a4575-2c04-4400-89a3-1aaadd2579cd"
	source   = "https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/" + instance
	resource = "urn:altinn:resource:altinn-broker-test-resource-1"
)

// fault503 is a fault to look at.
var fault503 = testutil.Fault{Endpoint: "/events", Status: 503, RetryAfter: 7 * time.Second}

// browser is shared by all tests; each has tabs and storage of its own in it.
var browser context.Context

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	path := browserPath()
	if path == "" {
		return m.Run() // setup says that there is none
	}
	folder, err := os.MkdirTemp("", "browsertest")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.UserDataDir(folder), chromedp.WindowSize(1440, 900),
		chromedp.Flag("headless", "new"), chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("no-sandbox", os.Geteuid() == 0),
		chromedp.Flag("enable-precise-memory-info", true), chromedp.Flag("lang", "en-GB"),
	)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	ctx, cancel := chromedp.NewContext(allocator)
	defer cancel()
	if err := chromedp.Do(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "start %s: %v\n", path, err)
		return 1
	}
	browser = ctx //nolint:fatcontext // set once, for all tests
	return m.Run()
}

func browserPath() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// need skips the test, or fails it where everything has to be there.
func need(tb testing.TB, there bool, what string) {
	tb.Helper()
	switch {
	case there:
	case os.Getenv("CI") == "true":
		tb.Fatal(what)
	default:
		tb.Skip(what)
	}
}

// inspected is a sink and a tab that looks at it.
type inspected struct {
	*testing.T

	sink *testutil.Sink
	ctx  context.Context //nolint:containedctx // the tab's

	mu       sync.Mutex
	problems []string
	expected []string
}

// setup returns a sink that asks for no tokens, and an empty tab.
func setup(t *testing.T) *inspected {
	t.Helper()
	return setupWithConfig(t, testutil.SinkConfig{Auth: testutil.AuthOff})
}

func setupWithConfig(t *testing.T, cfg testutil.SinkConfig) *inspected {
	t.Helper()
	need(t, browser != nil, "there is no Chromium and no Google Chrome on PATH")
	sink := testutil.NewSinkWithConfig(t, cfg)
	sink.URL()
	return newTab(browser, t, sink, chromedp.WithNewBrowserContext())
}

// tab opens a further tab with the same storage.
func (in *inspected) tab() *inspected { return newTab(in.ctx, in.T, in.sink) }

func newTab(parent context.Context, t *testing.T, sink *testutil.Sink, options ...chromedp.ContextOption) *inspected {
	t.Helper()
	in := &inspected{T: t, sink: sink}
	ctx, cancel := chromedp.NewContext(parent, options...)
	in.ctx = ctx
	t.Cleanup(func() {
		cancel()
		in.mu.Lock()
		defer in.mu.Unlock()
		for _, problem := range in.problems {
			if !slices.ContainsFunc(in.expected, func(part string) bool { return strings.Contains(problem, part) }) {
				t.Errorf("the browser says: %s", problem)
			}
		}
	})
	if err := chromedp.Listen(ctx, in.note); err != nil {
		t.Fatal(err)
	}
	call(in, audits.Enable, cdp.Empty{})
	// Several tabs are open at once, and each is to behave as the one that is looked
	// at.
	call(in, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	in.do(chromedp.EmulateViewport(1440, 900))
	return in
}

// note keeps what a developer would see in red.
func (in *inspected) note(ev any) {
	var problem string
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		problem = "exception: " + ev.ExceptionDetails.Text
		if ev.ExceptionDetails.Exception != nil {
			problem += " " + ev.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if ev.Type != runtime.ConsoleAPICalledTypeError && ev.Type != runtime.ConsoleAPICalledTypeAssert {
			return
		}
		words := []string{"console:", ev.Type.String()}
		for _, arg := range ev.Args {
			words = append(words, string(arg.Value)+arg.Description)
		}
		problem = strings.Join(words, " ")
	case *cdplog.EventEntryAdded:
		if ev.Entry.Level != cdplog.EntryLevelError {
			return
		}
		problem = fmt.Sprintf("%s: %s %s", ev.Entry.Source, ev.Entry.Text, ev.Entry.URL)
	case *audits.EventIssueAdded:
		csp := ev.Issue.Details.ContentSecurityPolicyIssueDetails
		if csp == nil {
			return
		}
		problem = "policy: " + csp.ViolatedDirective + " " + csp.BlockedURL
	default:
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.problems = append(in.problems, problem)
}

// expect says that problems with a text in them are meant.
func (in *inspected) expect(parts ...string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.expected = append(in.expected, parts...)
}

// patience is the tab's context for one thing that should come at once.
func (in *inspected) patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(in.ctx, patience)
}

func (in *inspected) do(steps ...chromedp.Action[chromedp.Void]) {
	in.Helper()
	ctx, cancel := in.patience()
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		in.Fatal(err)
	}
}

// eval returns the value of an expression, which may be a promise.
func eval[T any](in *inspected, format string, args ...any) T {
	in.Helper()
	ctx, cancel := context.WithTimeout(in.ctx, patience+5*time.Second)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](js(format, args...), chromedp.EvalAwaitPromise))
	if err != nil {
		in.Fatalf("%s: %v", js(format, args...), err)
	}
	return value
}

// code is an expression, where other arguments of js become literals.
type code string

// js puts arguments into an expression.
func js(format string, args ...any) string {
	literals := make([]any, len(args))
	for i, arg := range args {
		if expression, ok := arg.(code); ok {
			literals[i] = string(expression)
			continue
		}
		text, err := json.Marshal(arg)
		if err != nil {
			panic(err)
		}
		literals[i] = string(text)
	}
	return fmt.Sprintf(format, literals...)
}

// wait waits until an expression is true. The page's policy forbids to compile
// text, so the loop stands in the expression itself.
func (in *inspected) wait(format string, args ...any) {
	in.Helper()
	condition := js(format, args...)
	if !eval[bool](in, "%s", code(`(async () => {
		const until = performance.now() + `+strconv.FormatInt(patience.Milliseconds(), 10)+`;
		for (;;) {
			if (`+condition+`) return true;
			if (performance.now() > until) return false;
			await new Promise((next) => setTimeout(next, 10));
		}
	})()`)) {
		in.Fatalf("waited %v in vain for: %s", patience, condition)
	}
}

// open shows the page with a query and waits until it is live.
func (in *inspected) open(query string) {
	in.Helper()
	in.navigate(in.sink.URL() + "/" + query)
	in.live()
}

func (in *inspected) navigate(url string) {
	in.Helper()
	in.do(chromedp.Navigate(url))
}

func (in *inspected) live() {
	in.Helper()
	in.wait(`document.getElementById("connection")?.textContent === "Live"`)
}

// element is the first element of a selector whose text has a part, as an expression.
func element(selector, text string) code {
	return code(js(`[...document.querySelectorAll(%s)].find((e) => e.checkVisibility() && e.textContent.includes(%s))`, selector, text))
}

// click clicks the middle of the first element of a selector, once it is there and
// nothing covers it.
func (in *inspected) click(selector string) {
	in.Helper()
	in.clickText(selector, "")
}

// clickText clicks the first one whose text has a part.
func (in *inspected) clickText(selector, text string) {
	in.Helper()
	in.wait(`((e) => {
		if (!e) return false;
		e.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
		const { x, y, width, height } = e.getBoundingClientRect();
		window.clickAt = [x + width / 2, y + height / 2];
		const at = document.elementFromPoint(...window.clickAt);
		return e.contains(at) || e.labels?.[0]?.contains(at);
	})(%s)`, element(selector, text))
	at := eval[[]float64](in, `window.clickAt`)
	in.do(chromedp.MouseClickXY(at[0], at[1]))
}

// keys types on the keyboard. A key whose press the page keeps for itself types
// nothing, as on a real one; chromedp.KeyEvent would type it all the same.
func (in *inspected) keys(keys string) {
	in.Helper()
	for _, key := range keys {
		strokes := kb.Encode(key)
		if len(strokes) == 3 {
			strokes[0].Text = strokes[1].Text
			strokes = []*input.DispatchKeyEventParams{strokes[0], strokes[2]}
		}
		for _, stroke := range strokes {
			call(in, input.DispatchKeyEvent, *stroke)
		}
	}
}

// fill types a text into a field in place of what is there.
func (in *inspected) fill(selector, text string) {
	in.Helper()
	in.click(selector)
	eval[any](in, `document.querySelector(%s).select?.()`, selector)
	in.keys(text)
}

// choose selects an option of a menu.
func (in *inspected) choose(selector, value string) {
	in.Helper()
	eval[any](in, `((e) => { e.value = %s; for (const name of ["input", "change"]) e.dispatchEvent(new Event(name, { bubbles: true })); })(document.querySelector(%s))`,
		value, selector)
	in.wait(`document.querySelector(%s).value === %s`, selector, value)
}

// text returns the text of an element, once it is there.
func (in *inspected) text(selector string) string {
	in.Helper()
	in.wait(`document.querySelector(%s)`, selector)
	return eval[string](in, `document.querySelector(%s).textContent`, selector)
}

// waitText waits until an element's text has a part.
func (in *inspected) waitText(selector, part string) {
	in.Helper()
	in.wait(`document.querySelector(%s)?.textContent.includes(%s)`, selector, part)
}

// rowsJS are the rows, from the top of the list.
const rowsJS = `[...document.querySelectorAll("#list .row[data-number]")]
	.sort((a, b) => parseFloat(a.style.top) - parseFloat(b.style.top))
	.map((e) => ({ number: Number(e.dataset.number), type: e.querySelector(".type").textContent }))`

// waitTypes waits until the list shows events of these types from the top, and no
// other.
func (in *inspected) waitTypes(types ...string) {
	in.Helper()
	if types == nil {
		types = []string{}
	}
	in.wait(`JSON.stringify(`+rowsJS+`.map((row) => row.type)) === JSON.stringify(%s)`, types)
}

// show opens an event from the list and waits until it is there.
func (in *inspected) show(number int) {
	in.Helper()
	shown := fmt.Sprintf(`!!document.querySelector("#detail")?.textContent.includes("#%d · ")`, number)
	for range 10 {
		in.click(fmt.Sprintf("#row-%d", number))
		for range 40 {
			if eval[bool](in, shown) {
				return
			}
			<-time.After(50 * time.Millisecond)
		}
		// A request that came moved the list under the pointer: as a user would, click again.
	}
	in.Fatalf("request %d was clicked, and is not shown", number)
}

// openEvent opens the page with an event.
func (in *inspected) openEvent(number int) {
	in.Helper()
	in.open(fmt.Sprintf("?view=events&event=%d", number))
	in.waitText("#detail", fmt.Sprintf("#%d · ", number))
}

// blockText returns the text of a section of what is shown.
func (in *inspected) blockText(label string) string {
	in.Helper()
	return in.text(fmt.Sprintf("[aria-label=%q]", label))
}

// event returns the body of an event; each pair of edits sets a member, to JSON.
func event(id string, edits ...string) string {
	members := map[string]json.RawMessage{
		"specversion": json.RawMessage(`"1.0"`), "id": json.RawMessage(js("%s", id)),
		"type": json.RawMessage(`"no.altinn.broker.published"`), "subject": json.RawMessage(`"/party/50015641"`),
		"source":   json.RawMessage(`"https://platform.tt02.altinn.no/broker/api/v1/filetransfer"`),
		"resource": json.RawMessage(js("%s", resource)),
	}
	for i := 0; i < len(edits); i += 2 {
		members[edits[i]] = json.RawMessage(edits[i+1])
	}
	var body strings.Builder
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // which would change them
	if err := enc.Encode(members); err != nil {
		panic(err)
	}
	return strings.TrimSpace(body.String())
}

// typed returns the body of an event of a type.
func typed(id, eventType string) string { return event(id, "type", js("%s", eventType)) }

// post posts a body in process and returns the status.
func (in *inspected) post(endpoint, body string, header ...string) int {
	in.Helper()
	req, err := http.NewRequestWithContext(in.Context(), http.MethodPost, "http://localhost/events/api/v1"+endpoint, strings.NewReader(body))
	if err != nil {
		in.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if endpoint == "/events" {
		req.Header.Set("Content-Type", "application/cloudevents+json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := in.sink.Client().Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// take posts events that the sink has to take.
func (in *inspected) take(bodies ...string) {
	in.Helper()
	for _, body := range bodies {
		if status := in.post("/events", body); status != http.StatusOK {
			in.Fatalf("the sink answered %d", status)
		}
	}
}

// get returns an answer of the sink over its socket.
func (in *inspected) get(path string) string {
	in.Helper()
	req, err := http.NewRequestWithContext(in.Context(), http.MethodGet, in.sink.URL()+path, http.NoBody)
	if err != nil {
		in.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		in.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, context.Canceled) {
		in.Fatal(err)
	}
	return string(body)
}

// fits fails the test if the page is wider than its window.
func (in *inspected) fits() {
	in.Helper()
	if widths := eval[[]int](in, `[document.documentElement.scrollWidth, document.documentElement.clientWidth]`); widths[0] > widths[1] {
		in.Errorf("the page is %d pixels wide in a window of %d", widths[0], widths[1])
	}
}

// emulate sets the window's size and colours.
func (in *inspected) emulate(width, height int64, scheme string) {
	in.Helper()
	call(in, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600,
	})
	call(in, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	})
}

// beforeScripts runs a script in each document before any of its own.
func (in *inspected) beforeScripts(script string) {
	in.Helper()
	call(in, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
}

// call sends a command to the tab.
func call[P, R any](in *inspected, c cdp.Command[P, R], params P) R {
	in.Helper()
	ctx, cancel := in.patience()
	defer cancel()
	answer, err := chromedp.Call(ctx, c, params)
	if err != nil {
		in.Fatal(err)
	}
	return answer
}

// callBrowser sends a command to the browser.
func callBrowser[P, R any](in *inspected, c cdp.Command[P, R], params P) R {
	in.Helper()
	ctx, cancel := in.patience()
	defer cancel()
	answer, err := chromedp.CallBrowser(ctx, c, params)
	if err != nil {
		in.Fatal(err)
	}
	return answer
}

// listen calls f for each event of a type of the tab.
func listen[E any](in *inspected, f func(E)) {
	in.Helper()
	err := chromedp.Listen(in.ctx, func(ev any) {
		if ev, ok := ev.(E); ok {
			f(ev)
		}
	})
	if err != nil {
		in.Fatal(err)
	}
}
