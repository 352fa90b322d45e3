package browsertest_test

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/altinn-go/events/testutil"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp/kb"
)

func TestList_LiveNewestFirst(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.open("")
	in.waitText("#empty", "Nothing has come yet")
	in.take(typed("1", "first"), typed("2", "second"))
	in.waitTypes("second", "first")
	in.take(typed("3", "third"))
	in.waitTypes("third", "second", "first")
	in.waitText("#count-events", "3")
	in.waitText("#list-summary", "3 requests")
	if eval[bool](in, `document.getElementById("empty").checkVisibility()`) {
		t.Error("the list has rows and says that nothing has come")
	}
	in.post("/events", `{"specversion":"0.3"}`)
	in.waitText("#list .row .badge", "400")
	in.fits()
}

func TestList_Pause(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.take(typed("1", "before"))
	in.open("")
	in.waitTypes("before")
	in.click("#pause")
	in.waitText("#connection", "Paused")
	in.take(typed("2", "meanwhile"), typed("3", "meanwhile.too"))
	in.waitText("#new-rows", "2 new requests")
	in.waitTypes("before")
	in.click("#pause")
	in.waitTypes("meanwhile.too", "meanwhile", "before")
	in.live()
	in.wait(`document.getElementById("new-rows").hidden`)
	in.keys("p")
	in.waitText("#connection", "Paused")
	in.take(typed("4", "last"))
	in.waitText("#new-rows", "1 new request")
	in.click("#new-rows") // a look at what came is no end of the pause
	in.waitTypes("last", "meanwhile.too", "meanwhile", "before")
	in.waitText("#connection", "Paused")
}

// While rows further down are read, nothing moves under the reader.
func TestList_StaysWhereItIsRead(t *testing.T) {
	t.Parallel()
	in := setup(t)
	for i := range 100 {
		in.take(typed(strconv.Itoa(i), fmt.Sprintf("type.%d", i)))
	}
	in.open("")
	in.wait(`document.querySelector("#row-100")`)
	eval[any](in, `document.getElementById("list").scrollTop = 40 * 56`)
	in.wait(`document.querySelector("#row-60")`)
	top := eval[float64](in, `document.querySelector("#row-60").getBoundingClientRect().top`)
	in.take(typed("new", "new"))
	in.waitText("#new-rows", "1 new request")
	if now := eval[float64](in, `document.querySelector("#row-60").getBoundingClientRect().top`); now != top {
		t.Errorf("a row moved from %v to %v", top, now)
	}
	in.click("#new-rows")
	in.wait(`document.getElementById("list").scrollTop === 0 && %s`, element("#list .row", "new"))
	in.waitText("#list-summary", "101 requests")
}

// The page says that the sink is gone, and shows what the next one has and nothing
// else.
func TestList_ServerGone(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.expect("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
	in.take(typed("1", "of.the.first"))
	in.open("")
	in.waitTypes("of.the.first")
	address, err := url.Parse(in.sink.URL())
	if err != nil {
		t.Fatal(err)
	}
	in.sink.Close()
	in.waitText("#connection", "lost")
	in.waitTypes("of.the.first") // what was seen stays

	in.sink = testutil.NewSinkWithConfig(t, testutil.SinkConfig{Auth: testutil.AuthOff, Addr: address.Host})
	in.take(typed("1", "of.the.second"), typed("2", "of.the.second.too"))
	in.sink.URL()
	in.live()
	in.waitTypes("of.the.second.too", "of.the.second")
	in.take(typed("3", "after"))
	in.waitTypes("after", "of.the.second.too", "of.the.second")
	in.waitText("#count-events", "3")
}

// Pages that were left hold no connection, of which a browser has six; the one that
// Back goes to is live again.
func TestList_Left(t *testing.T) {
	t.Parallel()
	in := setup(t)
	for i := range 8 {
		in.open("?view=events&q=" + strconv.Itoa(i))
		in.wait(`performance.now() < 30_000`) // and not when the first was given up
	}
	in.take(event("7", "data", `"7"`))
	in.waitText("#list-summary", "1 request")
	gone := make(chan struct{}, 1)
	listen(in, func(*page.EventFrameNavigated) { gone <- struct{}{} })
	eval[any](in, `setTimeout(() => history.back())`)
	<-gone
	in.live()
	in.take(typed("8", "6"))
	in.waitText("#list", "6")
}

// Nor do pages in tabs that nobody looks at: the eighth tab is as live as the first.
func TestList_HiddenTabs(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.open("")
	last := in
	for range 7 {
		last.hide(true)
		last = in.tab()
		last.open("")
	}
	in.take(typed("1", "meanwhile"))
	last.waitTypes("meanwhile")
	last.hide(true)
	in.hide(false)
	in.waitTypes("meanwhile")
	in.take(typed("2", "live"))
	in.waitTypes("live", "meanwhile")
}

// hide makes the page one that nobody looks at, or shows it again: in a browser without
// windows each tab is in sight.
func (in *inspected) hide(hidden bool) {
	in.Helper()
	eval[any](in, `Object.defineProperty(document, "hidden", { value: %s, configurable: true }), document.dispatchEvent(new Event("visibilitychange"))`, hidden)
}

// A pause holds when the page connects anew, whatever makes it do so.
func TestList_PauseOutlastsTheConnection(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.open("")
	in.click("#pause")
	in.take(typed("1", "before"))
	in.waitText("#new-rows", "1 new request")
	in.hide(true)
	in.hide(false)
	in.take(typed("2", "before.too"))
	in.waitText("#new-rows", "2 new requests")
	in.waitTypes()
	in.click("#new-rows")
	in.waitTypes("before.too", "before")
	in.take(typed("3", "meanwhile"))
	in.waitText("#new-rows", "1 new request")
	in.fill("[name=type]", "before")
	in.waitText("#list-summary", "2 requests match")
	in.waitTypes("before.too", "before")
	in.wait(`document.getElementById("new-rows").hidden`)
	in.click("#reset-filters")
	in.waitText("#new-rows", "1 new request")
	in.waitTypes("before.too", "before")
	in.hide(true)
	in.take(typed("4", "while.hidden"))
	in.hide(false)
	in.waitText("#new-rows", "2 new requests")
	in.waitTypes("before.too", "before")
	in.waitText("#connection", "Paused")
	in.keys("p")
	in.waitTypes("while.hidden", "meanwhile", "before.too", "before")
}

// Rows that are read stay where they are when the page is shown again.
func TestList_StaysWhenShownAgain(t *testing.T) {
	t.Parallel()
	in := setup(t)
	for i := range 100 {
		in.take(typed(strconv.Itoa(i), fmt.Sprintf("type.%d", i)))
	}
	in.open("")
	in.wait(`document.querySelector("#row-100")`)
	eval[any](in, `document.getElementById("list").scrollTop = 40 * 56`)
	in.wait(`document.querySelector("#row-60")`)
	top := eval[float64](in, `document.querySelector("#row-60").getBoundingClientRect().top`)
	in.hide(true)
	in.take(typed("new", "new"))
	in.hide(false)
	in.waitText("#new-rows", "1 new request")
	if now := eval[float64](in, `document.querySelector("#row-60").getBoundingClientRect().top`); now != top {
		t.Errorf("a row moved from %v to %v", top, now)
	}
}

// What is read out is said once, not with each event.
func TestList_SaysOnceThatItIsLive(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.open("")
	eval[any](in, `window.said = 0, new MutationObserver(() => window.said++).observe(document.getElementById("connection"), { childList: true, subtree: true, characterData: true })`)
	in.take(typed("1", "one"))
	in.waitTypes("one")
	in.take(typed("2", "two"))
	in.waitTypes("two", "one")
	if said := eval[int](in, `window.said`); said != 0 {
		t.Errorf("it was said %d times that nothing has changed", said)
	}
}

func TestList_Keyboard(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.take(typed("1", "first"), typed("2", "second"), typed("3", "third"))
	in.open("")
	in.waitTypes("third", "second", "first")
	selected := func(eventType string) {
		t.Helper()
		in.waitText("#list .row[aria-selected=true] .type", eventType)
		in.waitText("#detail h2", eventType)
	}
	in.keys("j")
	selected("third")
	in.keys("j")
	selected("second")
	in.keys("jj")
	selected("first")
	in.keys("k")
	selected("second")
	in.wait(`location.search.includes("event=2")`)
	in.keys("/")
	in.wait(`document.activeElement.id === "filter-q"`)
	in.keys("jk") // text now
	in.wait(`document.activeElement.value === "jk"`)
	in.waitText("#empty", "Nothing matches")
	in.keys(kb.Escape)
	in.wait(`document.activeElement.id !== "filter-q"`)
	in.waitText("#detail h2", "second") // leaving the search closes nothing else
	in.keys(kb.Escape)
	in.waitText("#detail", "Choose a request")
	in.wait(`!location.search.includes("event=")`)
	in.keys("?")
	in.wait(`document.getElementById("dialog-help").open`)
	in.keys("j") // of no effect below a dialog
	in.keys(kb.Escape)
	in.wait(`!document.getElementById("dialog-help").open`)
	in.waitText("#detail", "Choose a request")
}

// The list itself has the keys of a list box.
func TestList_KeysOfAListBox(t *testing.T) {
	t.Parallel()
	in := setup(t)
	for i := range 40 {
		in.take(typed(strconv.Itoa(i), fmt.Sprintf("type.%d", i)))
	}
	in.open("")
	in.wait(`document.querySelector("#row-40")`)
	eval[any](in, `document.getElementById("list").focus()`)
	for _, press := range []struct {
		key string
		row int
	}{
		{kb.ArrowDown, 40}, {kb.ArrowDown, 39}, {kb.ArrowUp, 40}, {kb.End, 1}, {kb.Home, 40},
	} {
		in.keys(press.key)
		id := fmt.Sprintf("row-%d", press.row)
		in.wait(`document.getElementById("list").getAttribute("aria-activedescendant") === %s && document.getElementById(%s).checkVisibility()`, id, id)
	}
}

// The last row is chosen however many there are, and j goes on where it is.
func TestList_EndOfALongList(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.fillUp(350)
	in.open("")
	in.wait(`document.querySelector("#row-350")`)
	eval[any](in, `document.getElementById("list").focus()`)
	in.keys(kb.End)
	in.wait(`document.querySelector("#row-1")?.getAttribute("aria-selected") === "true"`)
	in.waitText("#detail", "#1 · ")
	in.keys("k")
	in.waitText("#detail", "#2 · ")
	in.keys(kb.Home)
	in.waitText("#detail", "#350 · ")
}

// The list's keys are the list's: in another view they open nothing.
func TestList_KeysOfOtherViews(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.take(typed("1", "first"), typed("2", "second"))
	in.open("")
	in.waitTypes("second", "first")
	in.clickText(".tabs a", "Subscriptions")
	in.waitText("#subscriptions", "Nobody subscribes")
	in.keys("jk/")
	in.wait(`document.activeElement.id === "filter-q" && location.search.includes("view=events")`)
	in.waitText("#detail", "Choose a request")
	eval[any](in, `history.back()`)
	in.wait(`document.getElementById("view-subscriptions").checkVisibility() && location.search.includes("view=subscriptions")`)
}

// Back closes an event, as the page's own button does, and the filter stays.
func TestList_BackClosesTheEvent(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.take(typed("1", "first"), typed("2", "second"))
	subscribe(in, `{"endPoint":"https://remote.example/","resourceFilter":"`+resource+`"}`)
	in.emulate(390, 844, "light")
	in.open("")
	in.waitTypes("second", "first")
	length := eval[int](in, `history.length`)
	in.show(2)
	in.wait(`!document.getElementById("list").checkVisibility()`)
	eval[any](in, `history.back()`)
	in.wait(`document.getElementById("list").checkVisibility() && !location.search.includes("event=")`)
	in.show(1)
	in.keys("k")
	in.waitText("#detail h2", "second")
	in.click("#detail .back")
	in.wait(`document.getElementById("list").checkVisibility() && !location.search.includes("event=") && !history.state?.opened`)
	in.show(1)
	in.emulate(1440, 900, "light")
	in.fill("[name=type]", "first")
	in.waitTypes("first")
	eval[any](in, `document.activeElement.blur()`)
	in.keys(kb.Escape)
	in.waitText("#detail", "Choose a request")
	in.wait(`location.search.includes("type=first") && !location.search.includes("event=") && document.querySelector("[name=type]").value === "first"`)
	in.clickText(".tabs a", "Subscriptions")
	in.click("#subscriptions button")
	in.waitText("#subscription h2", "Subscription 1")
	eval[any](in, `history.back()`)
	in.waitText("#subscription", "Choose a subscription")
	in.clickText(".tabs a", "Events")
	if grown := eval[int](in, `history.length`) - length; grown > 3 {
		t.Errorf("the history has grown by %d steps", grown)
	}
}

// An address may ask for the code of an answer, which the menu does not offer.
func TestList_FilterByCode(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.take(typed("1", "fine"))
	in.post("/events", event("2", "type", `"refused"`, "resource", `"none"`))
	in.open("?status=400")
	in.waitTypes("refused")
	in.wait(`document.querySelector("#filters [name=status]").value === "400" && location.search.includes("status=400")`)
	in.click("#reset-filters")
	in.waitTypes("refused", "fine")
}

func TestList_Filters(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, field, value string
		want               []string
	}{
		{"Type", "[name=type]", "ONE", []string{"type.one"}},
		{"Source", "[name=source]", "elsewhere.example", []string{"type.two"}},
		{"Subject", "[name=subject]", "/party/777", []string{"type.three"}},
		{"Text", "[name=q]", "needle in data", []string{"type.four"}},
		{"Status", "[name=status]", "refused", []string{"type.refused"}},
		{"Duplicate", "[name=status]", "duplicate", []string{"type.one"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := setup(t)
			in.take(typed("1", "type.one"), event("2", "type", `"type.two"`, "source", `"https://elsewhere.example/x"`),
				event("3", "type", `"type.three"`, "subject", `"/party/777"`), event("4", "type", `"type.four"`, "data", `{"a":"Needle in data"}`),
				typed("1", "type.one"))
			in.post("/events", event("5", "type", `"type.refused"`, "resource", `"none"`))
			in.open("")
			in.waitText("#list-summary", "6 requests")
			if strings.Contains(tt.field, "status") {
				in.choose(tt.field, tt.value)
			} else {
				in.fill(tt.field, tt.value)
			}
			if tt.name == "Type" { // the duplicate is of the type too
				tt.want = append(tt.want, tt.want...)
			}
			in.waitTypes(tt.want...)
			in.take(typed("6", "of.no.filter"))
			in.waitText("#count-events", "7")
			in.waitTypes(tt.want...)

			// The address is the view: another tab shows the same.
			address := eval[string](in, `location.href`)
			other := in.tab()
			other.navigate(address)
			other.live()
			other.waitTypes(tt.want...)
			other.wait(`document.querySelector(%s).value === %s`, tt.field, tt.value)

			in.click("#reset-filters")
			in.waitText("#list-summary", "7 requests")
			in.wait(`!location.search.includes(%s)`, strings.Split(tt.value, " ")[0])
		})
	}
}

// A view with an event is shared by its address too, and Back goes back.
func TestList_AddressNamesEventAndView(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.take(typed("1", "first"), typed("2", "second"))
	in.open("")
	in.waitTypes("second", "first")
	in.show(1)
	address := eval[string](in, `location.href`)
	other := in.tab()
	other.navigate(address)
	other.live()
	other.waitText("#detail h2", "first")
	other.waitText("#list .row[aria-selected=true]", "first")
	other.clickText(".tabs a", "Faults")
	other.wait(`document.getElementById("view-faults").checkVisibility() && !document.getElementById("view-events").checkVisibility()`)
	eval[any](other, `history.back()`)
	other.waitText("#detail h2", "first")
	other.wait(`document.getElementById("view-events").checkVisibility()`)
}

func TestList_NumbersStayOutOfTheAddress(t *testing.T) {
	t.Parallel()
	in := setup(t)
	numbers := []string{person, "010175 12345", "010175-12345", organisation, "0192:" + organisation, "٠١٠١٧٥١٢٣٤٥"}
	for i, number := range numbers {
		in.take(event(strconv.Itoa(i), "type", `"hers"`, "data", js("%s", number)), typed("other", "other"))
	}
	in.open("?view=events&type=hers")
	for _, number := range numbers {
		in.fill("[name=q]", number)
		in.waitText("#list-summary", "not put into the address")
		in.wait(`document.querySelectorAll("#list .row[data-number]").length > 0`)
		if address := eval[string](in, `decodeURIComponent(location.href)`); strings.Contains(address, "q=") {
			t.Errorf("the address holds number %d that was searched for", slices.Index(numbers, number))
		}
		in.wait(`location.search.includes("type=hers")`)
	}
	// One that came with an address does not stay in it.
	in.open("?type=hers&q=" + person)
	in.wait(`!decodeURIComponent(location.href).includes(%s) && document.getElementById("filter-q").value === %s`, person, person)
	in.waitText("#list-summary", "not put into the address")
	// What is no number of a person is shared.
	in.fill("[name=q]", instance)
	in.wait(`location.search.includes(%s)`, "q="+instance)
}
