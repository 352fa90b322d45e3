package browsertest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/testutil"
	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

func TestActions_Samples(t *testing.T) {
	t.Parallel()
	in := setupWithConfig(t, testutil.SinkConfig{}) // with tokens, as a real one
	in.open("")
	in.click("#sample")
	in.wait(`document.querySelectorAll("#samples button").length > 0`)
	types := eval[[]string](in, `[...document.querySelectorAll("#samples button")].map((e) => e.textContent)`)
	for _, known := range append([]string{
		models.TypeInstanceCreated, models.TypeProcessCompleted, models.TypeSubstatusChanged, models.TypeEFormidlingReminder,
		models.TypeProcessMovedTo("Task_1"),
	}, models.BrokerTypes(models.BrokerSender)...) {
		if !strings.Contains(strings.Join(types, "\n"), known) {
			t.Errorf("there is no sample of %s", known)
		}
	}
	for _, eventType := range types {
		in.clickText("#samples button", eventType)
		in.waitText("#toast", eventType)
		in.wait(`[...document.querySelectorAll("#list .row .type")].some((e) => e.textContent === %s)`, eventType)
	}
	in.clickText("#dialog-sample menu button", "Close")
	in.wait(`!document.getElementById("dialog-sample").open`)
	for _, ev := range in.sink.Events() {
		if err := (models.Validator{}).Validate(ev); err != nil {
			t.Errorf("the sample of %s: %v", ev.Type(), err)
		}
	}
	if eval[bool](in, `[...document.querySelectorAll("#list .row .badge.err")].length > 0`) {
		t.Error("the page finds fault with its own samples")
	}
}

// What is told while a dialog is open stands in it, where it is seen and read out.
func TestActions_ToastInDialog(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.open("")
	in.click("#sample")
	in.clickText("#samples button", "app.instance.created")
	in.waitText("#dialog-sample #toast", "Sent 1 event")
	in.wait(`document.getElementById("toast").contains(document.elementFromPoint(...(({ x, y, width, height }) => [x + width / 2, y + height / 2])(document.getElementById("toast").getBoundingClientRect())))`)
	in.clickText("#dialog-sample menu button", "Close")
	in.wait(`document.getElementById("toast").parentElement === document.body`)
}

func TestActions_ClearAsksBefore(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.expect("/_sink/requests/") // as in DeleteOne
	in.take(typed("1", "first"), typed("2", "second"))
	in.open("")
	in.waitTypes("second", "first")
	in.show(1)
	in.click("#clear")
	in.clickText("#dialog-clear button", "Keep")
	in.wait(`!document.getElementById("dialog-clear").open`)
	if n := len(in.sink.Events()); n != 2 {
		t.Fatalf("%d events are left, though they were to be kept", n)
	}
	in.click("#clear")
	in.clickText("#dialog-clear button", "Clear")
	in.waitText("#empty", "Nothing has come yet")
	in.waitTypes()
	in.waitText("#detail", "Choose a request")
	if n := len(in.sink.Events()); n != 0 {
		t.Errorf("%d events are left", n)
	}
	in.take(typed("3", "third"))
	in.waitTypes("third")
	in.sink.Reset() // as a test does
	in.waitTypes()
}

func TestActions_DeleteOne(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.expect("/_sink/requests/") // the page may hear of it, and ask for what it shows, before its own answer
	in.take(typed("1", "first"), typed("2", "second"), typed("1", "first"))
	in.open("")
	in.waitTypes("first", "second", "first")
	in.show(2)
	in.click("#delete")
	in.waitTypes("first", "first")
	in.waitText("#detail", "Choose a request")
	// Of an event that came twice both go, and the page asks before.
	in.show(1)
	dialog := make(chan string, 1)
	listen(in, func(ev *page.EventJavascriptDialogOpening) { dialog <- ev.Message })
	go func() {
		<-dialog
		_, _ = chromedp.Call(in.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
	}()
	in.click("#delete")
	in.waitTypes()
	if n := len(in.sink.Events()); n != 0 {
		t.Errorf("%d events are left", n)
	}
}

// What is exported in clear and imported elsewhere is the same again.
func TestActions_ExportAndImport(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.take(event("1", "type", `"one"`, "data", `{"n":12345678901234567890,"t":"<b>`+person+`</b>"}`),
		event("2", "type", `"two"`, "alternativesubject", `"/person/`+person+`"`))
	in.post("/app", appEvent("app.instance.created"))
	in.open("")
	in.waitText("#list-summary", "3 requests")

	folder := t.TempDir()
	done := make(chan struct{}, 1)
	err := chromedp.ListenBrowser(in.ctx, func(ev any) {
		if ev, ok := ev.(*cdpbrowser.EventDownloadProgress); ok && ev.State == cdpbrowser.DownloadProgressStateCompleted {
			done <- struct{}{}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	events := true
	callBrowser(in, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: chromedp.FromContext(in.ctx).BrowserContextID,
		DownloadPath: folder, EventsEnabled: &events,
	})
	download := func(reveal bool) string {
		t.Helper()
		in.click("#export")
		if reveal {
			in.click("#export-reveal")
		}
		in.click("#export-link")
		select {
		case <-done:
		case <-t.Context().Done():
			t.Fatal("no file came")
		}
		path := filepath.Join(folder, "events.ndjson")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	masked := download(false)
	if n := strings.Count(masked, "\n"); n != 3 || strings.Contains(masked, person) || strings.Contains(masked, "12345678901234567890") {
		t.Errorf("the masked export has %d lines, or a number in clear", n)
	}
	for line := range strings.Lines(masked) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
	inClear := download(true)
	if !strings.Contains(inClear, `{"n":12345678901234567890,"t":"<b>`+person+`</b>"}`) {
		t.Error("the export in clear is not byte for byte what came")
	}

	file := filepath.Join(t.TempDir(), "clear.ndjson")
	if err := os.WriteFile(file, []byte(inClear), 0o600); err != nil {
		t.Fatal(err)
	}
	other := setup(t)
	other.open("")
	other.click("#import")
	other.do(chromedp.SetUploadFiles(chromedp.CSS("#import-file"), []string{file}))
	other.click("#import-ok")
	other.waitText("#toast", "Imported 3 events")
	other.waitText("#list-summary", "3 requests")
	if before, after := recorded(t, in.sink), recorded(t, other.sink); before != after {
		t.Error("what was imported differs from what was exported")
	}
	// An export keeps to the filter.
	in.choose("[name=status]", "accepted")
	in.fill("[name=type]", "two")
	in.waitTypes("two")
	if filtered := download(false); strings.Count(filtered, "\n") != 1 || !strings.Contains(filtered, `"two"`) {
		t.Error("the export does not keep to the filter")
	}
}

// recorded returns the events of a sink and where they came, without when.
func recorded(tb testing.TB, sink *testutil.Sink) string {
	tb.Helper()
	var lines bytes.Buffer
	if err := sink.Record(&lines); err != nil {
		tb.Fatal(err)
	}
	return regexp.MustCompile(`"receivedAt":"[^"]*"`).ReplaceAllString(lines.String(), "")
}

func TestActions_ImportSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.expect("400 (Bad Request)", "exception: Uncaught (in promise)")
	file := filepath.Join(t.TempDir(), "bad.ndjson")
	if err := os.WriteFile(file, []byte(typed("1", "good")+"\n{\"no\":1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in.open("")
	in.click("#import")
	in.do(chromedp.SetUploadFiles(chromedp.CSS("#import-file"), []string{file}))
	in.click("#import-ok")
	in.waitText("#toast", "line 2")
}

func TestActions_Forward(t *testing.T) {
	t.Parallel()
	in := setup(t)
	got := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.Header.Get("Content-Type") + " " + string(body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer receiver.Close()
	in.take(event("1", "alternativesubject", `"/person/`+person+`"`))
	in.openEvent(1)
	in.fill("#forward input", receiver.URL+"/hook?code=secret")
	in.clickText("#forward button", "Forward")
	in.wait(`document.querySelector("[aria-label=Forward]").textContent.includes("Answered 202")`)
	if body := <-got; !strings.HasPrefix(body, "application/json; charset=utf-8 {") || !strings.Contains(body, person) {
		t.Errorf("the receiver got %d bytes, want the event in clear", len(body))
	}
	if stored := eval[string](in, `JSON.stringify(localStorage)`); strings.Contains(stored, "secret") {
		t.Error("the browser keeps the secret of the receiver")
	}
	receiver.Close()
	in.clickText("#forward button", "Forward")
	in.wait(`document.querySelector("[aria-label=Forward]").textContent.includes("refused")`)
}
