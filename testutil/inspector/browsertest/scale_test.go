package browsertest_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"
)

var (
	storm = flag.Duration("storm", 3*time.Second, "how long 1,000 events a second arrive in TestScale_Storm")
	cpu   = flag.Bool("cpu", false, "log which tasks took most CPU time in TestScale, which makes them longer")
)

const (
	maxRows  = 80       // of the list in the document, however many there are
	maxGrown = 24 << 20 // bytes of the heap, by scrolling through 10,000 rows
)

// observe notes when the first row came, and what kept the page from answering.
const observe = `
	window.longTasks = [];
	new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((e) => Math.round(e.duration))))
		.observe({ type: "longtask", buffered: true });
	new MutationObserver((_, observer) => {
		if (!document.querySelector("#list .row[data-number]")) return;
		window.firstRow = performance.now();
		observer.disconnect();
	}).observe(document, { childList: true, subtree: true });`

// fillUp imports n events.
func (in *inspected) fillUp(n int) {
	in.Helper()
	var lines strings.Builder
	for i := range n {
		lines.WriteString(event(fmt.Sprint("old", i), "subject", js("%s", fmt.Sprint("/party/", i)), "data", `{"text":"some data, as there is"}`) + "\n")
	}
	if taken, err := in.sink.Replay(strings.NewReader(lines.String())); err != nil || taken != n {
		in.Fatalf("%d events were taken: %v", taken, err)
	}
}

// traced runs a part of a test and returns the five tasks that took the page's thread
// longest, in milliseconds of CPU time, with what they were for the most part. Long
// tasks as the page sees them are of wall time, in which a busy machine has a part.
func (in *inspected) traced(part func()) []string {
	in.Helper()
	if !*cpu {
		part()
		return nil
	}
	type traceEvent struct {
		Name string  `json:"name"`
		PID  int     `json:"pid"`
		TID  int     `json:"tid"`
		TS   float64 `json:"ts"`
		Dur  float64 `json:"dur"`
		TDur float64 `json:"tdur"`
		Args struct {
			Name string `json:"name"`
		} `json:"args"`
	}
	var mu sync.Mutex
	var events []traceEvent
	done := make(chan struct{}, 1)
	listen(in, func(ev *tracing.EventDataCollected) {
		mu.Lock()
		defer mu.Unlock()
		for _, value := range ev.Value {
			var e traceEvent
			if json.Unmarshal(value, &e) == nil {
				events = append(events, e)
			}
		}
	})
	listen(in, func(*tracing.EventTracingComplete) { done <- struct{}{} })
	call(in, tracing.Start, tracing.StartParams{
		TransferMode: tracing.StartTransferModeReportEvents,
		TraceConfig: &tracing.TraceConfig{
			ExcludedCategories: []string{"*"},
			IncludedCategories: []string{"disabled-by-default-devtools.timeline", "devtools.timeline", "__metadata"},
		},
	})
	part()
	call(in, tracing.End, cdp.Empty{})
	<-done
	mu.Lock()
	defer mu.Unlock()
	page := map[[2]int]bool{}
	for _, e := range events {
		page[[2]int{e.PID, e.TID}] = page[[2]int{e.PID, e.TID}] || e.Name == "thread_name" && e.Args.Name == "CrRendererMain"
	}
	events = slices.DeleteFunc(events, func(e traceEvent) bool { return !page[[2]int{e.PID, e.TID}] || e.TDur == 0 })
	slices.SortFunc(events, func(a, b traceEvent) int { return cmp.Compare(b.TDur, a.TDur) })
	var longest []string
	for _, task := range events {
		if task.Name != "RunTask" || len(longest) == 5 {
			continue
		}
		var of []string
		for _, e := range events {
			if e.PID == task.PID && e.TID == task.TID && e.TS >= task.TS && e.TS+e.Dur <= task.TS+task.Dur && e.TDur > task.TDur/4 && e.Name != "RunTask" {
				of = append(of, fmt.Sprintf("%s %.0f", e.Name, e.TDur/1000))
			}
		}
		longest = append(longest, fmt.Sprintf("%.0f (%s)", task.TDur/1000, strings.Join(of, ", ")))
	}
	return longest
}

// heap is how much memory the page's objects take, without garbage.
func (in *inspected) heap() int {
	in.Helper()
	call(in, heapprofiler.CollectGarbage, cdp.Empty{})
	return eval[int](in, `performance.memory.usedJSHeapSize`)
}

// loaded says how the page came up.
func (in *inspected) loaded() string {
	in.Helper()
	return fmt.Sprintf("first paint after %.0f ms, first row after %.0f ms, long tasks %v", in.firstPaint(), eval[float64](in, `window.firstRow`), eval[[]int](in, `window.longTasks`))
}

func (in *inspected) firstPaint() float64 {
	in.Helper()
	in.wait(`performance.getEntriesByName("first-contentful-paint").length > 0`)
	return eval[float64](in, `performance.getEntriesByName("first-contentful-paint")[0].startTime`)
}

// blank logs when a page of one word is painted, by a process as new as the one that
// paints the inspector: what no page can do without.
func (in *inspected) blank() {
	in.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<!doctype html><title>one word</title>word")
	}))
	defer server.Close()
	tab := newTab(browser, in.T, in.sink, chromedp.WithNewBrowserContext())
	for range 2 {
		tab.do(chromedp.Navigate(server.URL))
		in.Logf("a page of one word: first paint after %.0f ms", tab.firstPaint())
	}
	if err := chromedp.Cancel(tab.ctx); err != nil {
		in.Error(err)
	}
}

// 10,000 events are a list like any other: only rows in view are in the document.
//
//nolint:paralleltest // what runs at the same time would be in its figures
func TestScale_TenThousand(t *testing.T) {
	in := setup(t)
	in.fillUp(10_000)
	in.blank()
	in.beforeScripts(observe)
	loading := in.traced(func() {
		in.open("")
		in.waitText("#list-summary", "10,000 requests")
		in.wait(`window.firstRow`)
	})
	t.Logf("in a new process: %s; CPU time %v", in.loaded(), loading)
	for range 4 {
		in.open("")
		in.waitText("#list-summary", "10,000 requests")
		in.wait(`window.firstRow`)
		t.Logf("again: %s", in.loaded())
	}

	before := in.heap()
	eval[any](in, `window.longTasks = []`)
	var scrolled struct{ Frames, Most int }
	cpu := in.traced(func() {
		scrolled = eval[struct{ Frames, Most int }](in, `(async () => {
		const list = document.getElementById("list");
		let frames = 0, most = 0;
		while (list.scrollTop + list.clientHeight < list.scrollHeight - 1) {
			list.scrollTop += 1500;
			await new Promise(requestAnimationFrame);
			frames++;
			most = Math.max(most, document.querySelectorAll("#list .row").length);
		}
		return { Frames: frames, Most: most };
	})()`)
		in.wait(`document.querySelector("#row-1")`)
	})
	tasks := eval[[]int](in, `window.longTasks`)
	after := in.heap()
	t.Logf("scrolled through in %d frames with %d rows at most; long tasks %v, of CPU time %v; heap %.1f MB before, %.1f MB after",
		scrolled.Frames, scrolled.Most, tasks, cpu, float64(before)/1e6, float64(after)/1e6)
	if scrolled.Most > maxRows {
		t.Errorf("%d rows were in the document, want at most %d", scrolled.Most, maxRows)
	}
	if after-before > maxGrown {
		t.Errorf("the heap grew by %d bytes, want at most %d", after-before, maxGrown)
	}
	eval[any](in, `document.getElementById("list").scrollTop = 5000 * 56`)
	in.wait(`document.querySelector("#row-5000")`)
	in.fits()
}

// While 1,000 events a second come, rows can be chosen, and afterwards every event is
// there once.
//
//nolint:paralleltest // what runs at the same time would be in its figures
func TestScale_Storm(t *testing.T) {
	in := setup(t)
	in.fillUp(1000)
	in.beforeScripts(observe)
	in.open("")
	in.waitText("#list-summary", "1,000 requests")
	eval[any](in, `window.longTasks = []`)

	const each = 10 * time.Millisecond
	total := int(storm.Seconds() * 1000)
	var posting sync.WaitGroup
	took := make(chan time.Duration, 1)
	began := time.Now()
	posting.Go(func() {
		ticker := time.NewTicker(each)
		defer ticker.Stop()
		for sent := 0; sent < total; {
			<-ticker.C
			for due := min(int(time.Since(began).Milliseconds()), total); sent < due; sent++ {
				in.post("/events", event(fmt.Sprint("new", sent)))
			}
		}
		took <- time.Since(began)
	})
	var waits []int
	most := 0
	cpu := in.traced(func() {
		for len(took) == 0 {
			answer := eval[struct{ Waited, Rows int }](in, `(async () => {
			const rows = [...document.querySelectorAll("#list .row[data-number]")].filter((e) => e.getAttribute("aria-selected") !== "true");
			const row = rows[Math.floor(rows.length / 2)];
			const wanted = "#" + row.dataset.number + " · ";
			const began = performance.now();
			row.click();
			while (!document.getElementById("detail").textContent.includes(wanted)) await new Promise(requestAnimationFrame);
			return { Waited: Math.round(performance.now() - began), Rows: document.querySelectorAll("#list .row").length };
		})()`)
			waits = append(waits, answer.Waited)
			most = max(most, answer.Rows)
		}
	})
	posting.Wait()
	t.Logf("%d events in %v; an event that is chosen is there after (ms) %v; %d rows at most; long tasks %v, of CPU time %v",
		total, (<-took).Round(time.Millisecond), waits, most, eval[[]int](in, `window.longTasks`), cpu)
	if most > maxRows {
		t.Errorf("%d rows were in the document, want at most %d", most, maxRows)
	}
	in.waitText("#count-events", fmt.Sprintf("%d,%03d", (1000+total)/1000, (1000+total)%1000))
	in.waitText("#list-summary", fmt.Sprintf("%d,%03d requests", (1000+total)/1000, (1000+total)%1000))
	in.wait(`(([first, ...rest]) => first.number === %s && rest.every((row, i) => row.number === first.number - i - 1))(`+rowsJS+`)`, 1000+total)
}
