package browsertest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/altinn-go/events/testutil"
)

// hook is a webhook that answers what it is told.
type hook struct {
	*httptest.Server

	mu      sync.Mutex
	answers []int
	got     []string
}

func newHook(tb testing.TB) *hook {
	tb.Helper()
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got = append(h.got, r.URL.Path)
		if len(h.answers) > 0 {
			w.WriteHeader(h.answers[0])
			h.answers = h.answers[1:]
		}
	}))
	tb.Cleanup(h.Close)
	return h
}

// answer says what the next requests are answered; those after them get 200.
func (h *hook) answer(statuses ...int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers = statuses
}

// waitValidated waits until the newest subscription is validated.
func (h *hook) waitValidated(in *inspected) {
	in.Helper()
	ctx := in.Context()
	for ctx.Err() == nil {
		if all := in.sink.Subscriptions(); all[len(all)-1].Validated {
			return
		}
	}
	in.Fatal("the webhook was not validated")
}

func subscribe(in *inspected, body string) {
	in.Helper()
	if status := in.post("/subscriptions", body); status != http.StatusCreated {
		in.Fatalf("the sink answered %d", status)
	}
}

func TestSubscriptions_List(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.open("?view=subscriptions")
	in.waitText("#subscriptions", "Nobody subscribes")
	hook := newHook(t)
	subscribe(in, js(`{"endPoint":%s,"resourceFilter":%s,"typeFilter":"wanted"}`, hook.URL+"/a?code=secret", resource))
	hook.waitValidated(in)
	subscribe(in, js(`{"endPoint":"https://remote.example/","resourceFilter":%s,"subjectFilter":%s}`, resource, "/person/"+person))
	in.waitText("#subscriptions-summary", "2 subscriptions")
	in.wait(`document.querySelectorAll("#subscriptions .badge")[1]?.textContent === "validated"`)
	text := in.text("#subscriptions")
	for _, want := range []string{hook.URL + "/a", "wanted", "not validated", "remote.example", resource} {
		if !strings.Contains(text, want) {
			t.Errorf("the list does not say %q", want)
		}
	}
	if strings.Contains(text, "secret") || strings.Contains(text, person) {
		t.Error("the list holds a secret or a number")
	}
	in.waitText("#count-subscriptions", "2")
	in.take(typed("1", "wanted"))
	in.waitText("#subscriptions", "1 event delivered")
}

// Why an event matches, or not, is told by filter, with what was compared.
func TestSubscriptions_Why(t *testing.T) {
	t.Parallel()
	in := setup(t)
	hook := newHook(t)
	subscribe(in, js(`{"endPoint":%s,"resourceFilter":%s,"typeFilter":"wanted","subjectFilter":"/party/50015641"}`, hook.URL, resource))
	hook.waitValidated(in)
	in.take(typed("1", "wanted"), typed("2", "Wanted"), event("3", "type", `"wanted"`, "subject", `"/party/2"`),
		event("4", "type", `"wanted"`, "resource", `"urn:altinn:resource:other"`))
	in.open("?view=subscriptions&subscription=1")
	in.wait(`document.querySelectorAll("[aria-label='Events that match'] details").length === 1`)
	in.wait(`document.querySelectorAll("[aria-label='Events that do not match'] details").length === 3`)
	for _, tt := range []struct {
		number          int
		name, want, got string
	}{
		{2, "typeFilter", "wanted", "Wanted"},
		{3, "subjectFilter", "/party/50015641", "/party/2"},
		{4, "resourceFilter", resource, "urn:altinn:resource:other"},
	} {
		in.clickText("[aria-label='Events that do not match'] summary", fmt.Sprintf("#%d", tt.number))
		cells := eval[[]string](in, `[...[...document.querySelectorAll("[aria-label='Events that do not match'] details")]
			.find((e) => e.querySelector("summary").textContent.includes("#" + %s)).querySelectorAll("tr")]
			.map((row) => [...row.querySelectorAll("td")].slice(0, 4).map((e) => e.firstChild?.textContent ?? ""))
			.find((row) => row[1] === %s)`, tt.number, tt.name)
		if len(cells) != 4 || cells[0] != "no" || cells[2] != tt.want || cells[3] != tt.got {
			t.Errorf("event %d: %q, want %s %q against %q", tt.number, cells, tt.name, tt.want, tt.got)
		}
	}
	// The same stands with the event.
	in.clickText("[aria-label='Events that do not match'] a", "Show the event")
	in.wait(`document.getElementById("view-events").checkVisibility() && document.querySelector("[aria-label=Subscriptions].block")`)
	if text := in.text(".block[aria-label=Subscriptions]"); !strings.Contains(text, "does not match") || !strings.Contains(text, "Filter") {
		t.Errorf("the event says of its subscriptions: %s", text)
	}
}

// Pushes of different events are told apart though their ids are the same, and lists
// that end at a bound say how much there is.
func TestSubscriptions_PushesAndTotals(t *testing.T) {
	t.Parallel()
	in := setup(t)
	hook := newHook(t)
	subscribe(in, js(`{"endPoint":%s,"resourceFilter":%s}`, hook.URL, resource))
	hook.waitValidated(in)
	in.take(event("1", "source", `"https://one.example/"`), event("1", "source", `"https://two.example/"`))
	in.open("?view=subscriptions&subscription=1")
	cards := `[...document.querySelectorAll("#subscription [aria-label=Deliveries] .card")].filter((e) => e.querySelector("a"))`
	in.wait(cards + `.length === 2 && ` + cards + `.every((e) => e.querySelectorAll("li").length === 1)`)
	in.clickText("#subscription [aria-label=Deliveries] a", "#1")
	in.waitText("#detail .attributes", "https://one.example/")
	for i := range 300 {
		in.take(event(fmt.Sprint("more", i), "resourceinstance", `"x"`))
	}
	in.open("?view=subscriptions&subscription=1")
	in.waitText("[aria-label='Events that match'] h3", "302, the newest 50")
	in.waitText("#subscription [aria-label=Deliveries] h3", "in all, the newest 200")
	in.openEvent(302)
	in.waitText("[aria-label^='Its instance'] h3", "300 in all, the newest 200")
}

func TestSubscriptions_DeliveriesAndAgain(t *testing.T) {
	t.Parallel()
	in := setupWithConfig(t, testutil.SinkConfig{Auth: testutil.AuthOff, RetryScale: 10_000})
	hook := newHook(t)
	subscribe(in, js(`{"endPoint":%s,"resourceFilter":%s,"typeFilter":"wanted"}`, hook.URL, resource))
	hook.waitValidated(in)
	hook.answer(500)
	in.take(typed("1", "wanted"), typed("2", "unwanted"))
	in.open("?view=subscriptions&subscription=1")
	deliveries := `[...document.querySelectorAll("#subscription [aria-label=Deliveries] li")].map((e) => e.textContent)`
	in.wait(deliveries + `.filter((text) => text.includes("answered 500") || text.includes("answered 200")).length === 3`) // with the validation
	in.click("#validate")
	in.waitText("#toast", "validation event was sent")
	in.wait(deliveries + `.length === 4`)
	in.clickText("[aria-label='Events that match'] summary", "wanted")
	in.clickText("[aria-label='Events that match'] button", "Redeliver")
	in.wait(deliveries + `.length === 5`)
	in.clickText("[aria-label='Events that do not match'] summary", "unwanted")
	in.clickText("[aria-label='Events that do not match'] button", "Deliver all the same")
	in.wait(deliveries + `.length === 6`)
	hook.mu.Lock()
	defer hook.mu.Unlock()
	if len(hook.got) != 6 {
		t.Errorf("the webhook got %d requests, want 6", len(hook.got))
	}
}
