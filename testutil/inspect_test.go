package testutil_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/testutil"
)

// inspect asks a handler of the inspector.
func inspect(tb testing.TB, h http.Handler, method, path string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), method, path, body)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// rows is the answer of GET requests.
type rows struct {
	Until, Total int
	Rows         []struct {
		Number                                  int
		Status                                  int
		Outcome, Reason, Type, Subject, Source  string
		Level, Method, Endpoint, Instance, Time string
	}
}

func getRows(tb testing.TB, sink *testutil.Sink, query string) (got rows, numbers []int) {
	tb.Helper()
	status, body := call(tb, sink, "GET", "requests?"+query, "")
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 { //nolint:musttag // its members match without case
		tb.Fatalf("%s: %d %s", query, status, body)
	}
	numbers = []int{}
	for i := range got.Rows {
		numbers = append(numbers, got.Rows[i].Number)
	}
	return got, numbers
}

func TestInspector_Paging(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	for i := range 250 {
		postEvent(t, sink, strconv.Itoa(i))
	}
	for _, tt := range []struct {
		query                     string
		until, total, first, last int // numbers of rows; 0 and 0 for none
	}{
		{"", 250, 250, 250, 51},
		{"limit=3", 250, 250, 250, 248},
		{"limit=1000", 250, 250, 250, 51},
		{"limit=3&offset=10", 250, 250, 240, 238},
		{"until=100&limit=3", 100, 100, 100, 98},
		{"until=100&limit=3&offset=98", 100, 100, 2, 1},
		{"offset=250", 250, 250, 0, 0},
		{"offset=9223372036854775807", 250, 250, 0, 0},
		{"offset=9223372036854775807&limit=9223372036854775807", 250, 250, 0, 0},
		{"until=100000&limit=1", 100000, 250, 250, 250},
		{"limit=0", 250, 250, 0, 0},
		{"other=x&limit=1", 250, 250, 250, 250},
	} {
		got, numbers := getRows(t, sink, tt.query)
		first, last := 0, 0
		if len(numbers) > 0 {
			first, last = numbers[0], numbers[len(numbers)-1]
		}
		if got.Until != tt.until || got.Total != tt.total || first != tt.first || last != tt.last {
			t.Errorf("%q: until %d, total %d, rows %d to %d; want %+v", tt.query, got.Until, got.Total, first, last, tt)
		}
	}
}

func TestInspector_Filters(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	mustPost(t, sink, "/app", appBody)                                                                                         // 1
	postEvent(t, sink, "e2")                                                                                                   // 2
	postEvent(t, sink, "e2")                                                                                                   // 3
	postEvent(t, sink, "РОССИЯ", `"subject"`, `"data":{"a":"\u00d8ystein \ud83d\ude00 \\u00c5"},"subject"`)                    // 4
	postEvent(t, sink, "five", "no.altinn.broker.published", "x.y", "50015641", "7", "platform.tt02.altinn.no", "ÆRE.example") // 5
	refuse := func(endpoint, body string) {
		t.Helper()
		if resp, _, err := post(t.Context(), sink.Client(), "http://sink", endpoint, body); err != nil || resp.StatusCode < 300 {
			t.Fatalf("%v, %v", resp, err)
		}
	}
	refuse("/app", `{"type":"refused.type","subject":"/party/8"}`) // 6
	lift := sink.Inject(testutil.Fault{Status: 503})
	refuse("/app", appBody) // 7
	lift()
	for _, tt := range []struct {
		query string
		want  []int
	}{
		{"", []int{7, 6, 5, 4, 3, 2, 1}},
		{"type=BROKER", []int{4, 3, 2}},
		{"type=app.instance", []int{7, 1}},
		{"type=%20x.y%20", []int{5}},
		{"source=instances/50019855", []int{7, 1}},
		{"subject=/party/7", []int{5}},
		{"subject=/person/0101", []int{7, 1}}, // the alternative subject too
		{"status=accepted", []int{5, 4, 2, 1}},
		{"status=duplicate", []int{3}},
		{"status=refused", []int{6}},
		{"status=failed", []int{7}},
		{"status=503", []int{7}},
		{"status=201", []int{1}},
		{"status=200&type=x.y", []int{5}},
		{"status=200&type=app", []int{}},
		{"q=FIVE", []int{5}},
		{"q=%C3%86re", []int{5}},
		{"q=%D1%80%D0%BE%D1%81%D1%81%D0%B8%D1%8F", []int{4}}, // россия
		{"q=%D0%A0%D0%9E%D0%A1", []int{4}},
		{"q=%C3%98YSTEIN", []int{4}},
		{"q=ystein%20%F0%9F%98%80", []int{4}},
		{"q=%C3%85", []int{}},
		{"q=%5Cu00d8", []int{4}},
		{"q=428A4575", []int{7, 1}},
		{"q=/app", []int{7, 6, 1}},
		{"q=no-such-thing", []int{}},
	} {
		if _, numbers := getRows(t, sink, tt.query); !slices.Equal(numbers, tt.want) {
			t.Errorf("%q: %v, want %v", tt.query, numbers, tt.want)
		}
	}
	got, _ := getRows(t, sink, "status=refused")
	if row := got.Rows[0]; row.Status != 400 || row.Reason == "" || row.Type != "refused.type" || row.Level != "error" {
		t.Errorf("what was refused is %+v", row)
	}
}

// Bad input and what is not there are refused with problem details.
func TestInspector_BadInput(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	page := sink.Inspector()
	subscribe(t, sink, "http://127.0.0.1:1/")
	postEvent(t, sink, "e1")
	if resp, _, err := post(t.Context(), sink.Client(), "http://sink", "/events", `{`); err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Fatalf("%v, %v", resp, err)
	}
	for _, tt := range []struct {
		request, body string
		status        int
		want          string
	}{
		{"GET requests?limit=x", "", 400, "limit: want"},
		{"GET requests?offset=-1", "", 400, "offset: want"},
		{"GET requests?until=1.5", "", 400, "until: want"},
		{"GET requests?until=9223372036854775808", "", 400, "until: want"},
		{"GET requests?status=maybe", "", 400, "status: want accepted"},
		{"GET export?status=maybe", "", 400, "status: want accepted"},
		{"GET stream?status=maybe", "", 400, "status: want accepted"},
		{"GET requests/99", "", 404, "no such request"},
		{"GET requests/x", "", 404, "has a number"},
		{"DELETE requests/99", "", 404, "no such request"},
		{"POST requests/99/forward", `{"url":"http://127.0.0.1:1/"}`, 404, "no such request"},
		{"POST requests/1/forward", `{"url":"ftp://127.0.0.1/"}`, 400, "url: want"},
		{"POST requests/1/forward", `{"url":"/relative"}`, 400, "url: want"},
		{"POST requests/1/forward", `{"url":"http://127.0.0.1:1/","more":1}`, 400, `no member \"more\"`},
		{"POST requests/1/forward", ``, 400, "ends too early"},
		{"POST requests/2/forward", `{"url":"http://127.0.0.1:1/"}`, 409, "refused"},
		{"GET subscriptions/99", "", 404, "no such subscription"},
		{"GET subscriptions/x", "", 404, "no such subscription"},
		{"POST subscriptions/99/validate", "", 404, "no such subscription"},
		{"POST subscriptions/99/redeliver", `{"number":1}`, 404, "no such subscription"},
		{"POST subscriptions/1/redeliver", `{"number":2}`, 404, "no such event"},
		{"POST subscriptions/1/redeliver", `{"number":99}`, 404, "no such event"},
		{"POST subscriptions/1/redeliver", `{"number":"1"}`, 400, "number is a JSON string"},
		{"DELETE faults/99", "", 404, "no such fault"},
		{"DELETE faults/x", "", 404, "no such fault"},
		{"POST samples", `{"type":"no.such"}`, 400, "type: want"},
		{"POST samples", `[]`, 400, "is a JSON array"},
		{"POST import", `{"no":1}`, 400, "line 1"},
		{"POST import", "\n\nnonsense", 400, "line 3"},
		{"POST import", "{", 400, "Path: $. Events taken before: 0."},
	} {
		method, path, _ := strings.Cut(tt.request, " ")
		w := inspect(t, page, method, "/_sink/"+path, strings.NewReader(tt.body))
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) ||
			!strings.HasPrefix(w.Header().Get("Content-Type"), "application/problem+json") {
			t.Errorf("%s %s: %d %s %s, want %d with %s", tt.request, tt.body, w.Code, w.Header().Get("Content-Type"), w.Body, tt.status, tt.want)
		}
	}
}

func TestInspector_Forget(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	postEvent(t, sink, "e1")
	postEvent(t, sink, "e2")
	postEvent(t, sink, "e1")
	if resp, _, err := post(t.Context(), sink.Client(), "http://sink", "/events", `{`); err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Fatalf("%v, %v", resp, err)
	}
	for _, tt := range []struct {
		number int
		left   []int
	}{{4, []int{3, 2, 1}}, {3, []int{2}}, {2, []int{}}} {
		if status, body := call(t, sink, "DELETE", fmt.Sprintf("requests/%d", tt.number), ""); status != 204 || body != "" {
			t.Errorf("%d: %d %s", tt.number, status, body)
		}
		if _, left := getRows(t, sink, ""); !slices.Equal(left, tt.left) {
			t.Errorf("after %d there are %v, want %v", tt.number, left, tt.left)
		}
	}
	if n := len(sink.Events()); n != 0 {
		t.Errorf("%d events are left", n)
	}
	// What was forgotten is no duplicate when it comes again.
	postEvent(t, sink, "e1")
	if got, _ := getRows(t, sink, ""); got.Rows[0].Outcome != "accepted" {
		t.Errorf("it is %s", got.Rows[0].Outcome)
	}
	resp, answer, err := get(t, sink, "/events?resource=urn:altinn:resource:altinn-broker-test-resource-1&after=0")
	if err != nil || resp.StatusCode != http.StatusOK || strings.Count(answer, `"id":"e1"`) != 1 {
		t.Errorf("queries see %s, %v", answer, err)
	}
}

func get(tb testing.TB, sink *testutil.Sink, path string) (*http.Response, string, error) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, "http://sink/events/api/v1"+path, http.NoBody)
	if err != nil {
		return nil, "", err
	}
	resp, err := sink.Client().Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

// Every answer masks what a person is known by, until it is asked for in open.
func TestInspector_Masks(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	const person, other = "01017512345", "1017512345"
	mustPost(t, sink, "/subscriptions", `{"endPoint":"http://user:secret@127.0.0.1:1/`+person+`?code=secret#secret","resourceFilter":"urn:altinn:resource:x","subjectFilter":"/person/`+person+`"}`)
	mustPost(t, sink, "/events", `{"specversion":"1.0","id":"`+person+`","type":"t.`+person+`","source":"https://a.example/`+person+`",`+
		`"subject":"/person/`+person+`","alternativesubject":"/person/`+person+`","resource":"urn:altinn:resource:x","resourceinstance":"`+person+`",`+
		`"x`+person+`":"`+person+`","data":{"`+person+`":`+other+`}}`)
	page := sink.Inspector()
	for _, path := range []string{"requests", "requests/1", "export", "subscriptions", "subscriptions/1", "faults"} {
		w := inspect(t, page, "GET", "/_sink/"+path, http.NoBody)
		if w.Code != 200 || strings.Contains(w.Body.String(), other) {
			t.Errorf("%s: %d, or the number is in it", path, w.Code)
		}
		for line := range strings.Lines(w.Body.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: no JSON: %s", path, line)
			}
		}
		for _, path := range []string{path, path + "?reveal=1"} {
			if w := inspect(t, page, "GET", "/_sink/"+path, http.NoBody); strings.Contains(w.Body.String(), "secret") {
				t.Errorf("%s holds the secret of a webhook", path)
			}
		}
	}
	for _, path := range []string{"requests?reveal=1", "requests/1?reveal=1", "export?reveal=1", "subscriptions?reveal=1", "subscriptions/1?reveal=1"} {
		if w := inspect(t, page, "GET", "/_sink/"+path, http.NoBody); !strings.Contains(w.Body.String(), person) {
			t.Errorf("%s is masked", path)
		}
	}
}

// writes are all requests that change something.
var writes = []string{
	"DELETE events", "POST faults", "DELETE faults", "DELETE faults/1", "POST tokens", "PUT policy", "PUT parties", "DELETE requests/1",
	"POST requests/1/forward", "POST subscriptions/1/validate", "POST subscriptions/1/redeliver", "POST samples", "POST import",
}

// A page of another origin can neither write nor read.
func TestInspector_RefusesOtherOrigins(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	postEvent(t, sink, "e1")
	page := sink.Inspector()
	for _, request := range writes {
		method, path, _ := strings.Cut(request, " ")
		for _, header := range [][]string{
			{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
		} {
			w := inspect(t, page, method, "/_sink/"+path, strings.NewReader(`{}`), header...)
			if w.Code != 403 || !strings.Contains(w.Body.String(), "another origin") {
				t.Errorf("%s of %v: %d %s, want 403", request, header, w.Code, w.Body)
			}
		}
		if w := inspect(t, page, method, "/_sink/"+path, strings.NewReader(`{}`), "Sec-Fetch-Site", "same-origin"); w.Code == 403 {
			t.Errorf("%s of the page itself: %s", request, w.Body)
		}
	}
	for _, request := range append([]string{"GET events", "GET requests", "GET subscriptions", "GET samples", "GET export", "GET ../", "GET ../assets/app.js"}, writes...) {
		method, path, _ := strings.Cut(request, " ")
		for _, method := range []string{method, "OPTIONS"} {
			w := inspect(t, page, method, cleaned("/_sink/"+path), http.NoBody, "Origin", "https://evil.example", "Access-Control-Request-Method", method)
			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s answers with %s", method, path, name)
				}
			}
		}
	}
}

func cleaned(path string) string { return strings.ReplaceAll(path, "/_sink/../", "/") }

// Mounted below a prefix the page and all that it asks are there, and nothing else.
func TestInspector_Mounted(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	postEvent(t, sink, "e1")
	mux := http.NewServeMux()
	mux.Handle("/tools/inspector/", http.StripPrefix("/tools/inspector", sink.Inspector()))
	server := httptest.NewServer(mux)
	defer server.Close()
	for _, tt := range []struct {
		method, path, host string
		status             int
	}{
		{"GET", "/", "", 200},
		{"HEAD", "/", "", 200},
		{"POST", "/", "", 405},
		{"GET", "/assets/app.js", "", 200},
		{"GET", "/assets/inspector.css", "", 200},
		{"GET", "/assets/page.html", "", 404},
		{"GET", "/assets/", "", 404},
		{"GET", "/_sink/requests", "", 200},
		{"GET", "/_sink/export", "", 200},
		{"POST", "/_sink/export", "", 405},
		{"DELETE", "/_sink/stream", "", 405},
		{"GET", "/_sink/import", "", 405},
		{"GET", "/_sink/nothing", "", 404},
		{"PATCH", "/_sink/requests/1", "", 405},
		{"GET", "/events/api/v1/events", "", 404},
		{"GET", "/health", "", 404},
		{"GET", "/", "evil.example", 421},
		{"GET", "/_sink/requests", "evil.example", 421},
		{"GET", "/_sink/stream", "evil.example:80", 421},
		{"GET", "/", "localhost:1", 200},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, server.URL+"/tools/inspector"+tt.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = tt.host
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.status {
			t.Errorf("%s %s of host %q: %s, want %d", tt.method, tt.path, tt.host, resp.Status, tt.status)
		}
	}
}

// Mounted by a program, the page and the control API refuse other machines' names,
// and the Events API does not: its clients may know it by any.
func TestSink_HandlerRefusesOtherHosts(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	server := httptest.NewServer(sink.Handler())
	defer server.Close()
	for path, want := range map[string]int{
		"/": 421, "/assets/app.js": 421, "/_sink/stream": 421, "/_sink/events": 421, "/_sink/requests": 421, "/_sink/nothing": 421,
		"/events/api/v1/subscriptions/1": 404, "/health": 200,
	} {
		for host, want := range map[string]int{"evil.example": want, "": 0} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = host
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if want != 0 && resp.StatusCode != want || want == 0 && resp.StatusCode == http.StatusMisdirectedRequest {
				t.Errorf("%s of host %q: %s, want %d", path, host, resp.Status, want)
			}
		}
	}
}

// Answers stay out of caches and of other pages.
func TestInspector_KeepsAnswersPrivate(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	postEvent(t, sink, "e1")
	for _, request := range []string{
		"GET events", "GET requests", "GET requests/1", "GET requests/9", "GET export", "GET export?status=maybe", "POST import", "POST tokens",
	} {
		method, path, _ := strings.Cut(request, " ")
		header := inspect(t, sink.Handler(), method, "/_sink/"+path, strings.NewReader(`{}`)).Header()
		if header.Get("Cache-Control") != "no-store" || header.Get("X-Content-Type-Options") != "nosniff" ||
			header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s: %v", request, header)
		}
	}
}

// The sink's own address serves the page too, under the strictest policy.
func TestInspector_Page(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sink.ServeInspector(t), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := socketClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	policy := resp.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy has no %s: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers are %v", resp.Header)
	}
}

func TestInspector_ExportAndImport(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	const data = `{"n":12345678901234567890,"text":"<b>&amp;</b>  "}`
	mustPost(t, sink, "/events", strings.TrimSuffix(brokerBody, "}")+`,"data":`+data+`}`)
	postEvent(t, sink, "e2")
	page := sink.Inspector()
	open := inspect(t, page, "GET", "/_sink/export?reveal=1", http.NoBody)
	if !strings.Contains(open.Body.String(), `"data":`+data) || strings.Count(open.Body.String(), "\n") != 2 {
		t.Errorf("the export is %s", open.Body)
	}
	if disposition := open.Header().Get("Content-Disposition"); !strings.HasPrefix(disposition, "attachment") {
		t.Errorf("disposition is %q", disposition)
	}
	if one := inspect(t, page, "GET", "/_sink/export?q=%22e2%22", http.NoBody); strings.Count(one.Body.String(), "\n") != 1 {
		t.Errorf("of one event: %s", one.Body)
	}
	other := openSink(t)
	if w := inspect(t, other.Inspector(), "POST", "/_sink/import", open.Body); w.Code != 200 || w.Body.String() != `{"taken":2}` {
		t.Errorf("import: %d %s", w.Code, w.Body)
	}
	if diff := cmp.Diff(ids(sink.Events()), ids(other.Events())); diff != "" {
		t.Errorf("ids (-exported +imported):\n%s", diff)
	}
	if got := string(other.Events()[0].Data()); got != data {
		t.Errorf("data is %s, want %s", got, data)
	}
}

// Events whose ids are alike once they are masked stay several when the export is
// imported, and one that came twice stays one.
func TestInspector_MaskedExport(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	for _, id := range []string{"order-01017512345", "order-01017512346", "order-01017512345", "e1", "order-01017512347"} {
		postEvent(t, sink, id)
	}
	postEvent(t, sink, "e2", "platform.tt02.altinn.no", "a.example/01017512345")
	postEvent(t, sink, "e2", "platform.tt02.altinn.no", "a.example/01017512346")
	masked := inspect(t, sink.Inspector(), "GET", "/_sink/export", http.NoBody).Body
	if strings.Contains(masked.String(), "0101751234") {
		t.Errorf("the export is %s", masked)
	}
	other := openSink(t)
	inspect(t, other.Inspector(), "POST", "/_sink/import", masked)
	want := []string{"order-***********", "order-***********~2", "e1", "order-***********~3", "e2", "e2~2"}
	if diff := cmp.Diff(want, ids(other.Events())); diff != "" || len(other.Received()) != 7 {
		t.Errorf("%d requests with the ids (-want +got):\n%s", len(other.Received()), diff)
	}
}

// Browsers ask for more than they are told to.
func TestInspector_LeavesOutBrowsersRequests(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	for _, request := range []string{
		"GET /favicon.ico", "GET /.well-known/appspecific/com.chrome.devtools.json", "POST /events/v1/app", "GET /events/api/v1/nothing",
	} {
		method, path, _ := strings.Cut(request, " ")
		inspect(t, sink.Handler(), method, path, http.NoBody)
	}
	if got, numbers := getRows(t, sink, ""); len(numbers) != 2 || got.Rows[1].Endpoint != "/events/v1/app" || got.Rows[0].Endpoint != "/nothing" {
		t.Errorf("rows are %+v", got.Rows)
	}
}

var blankLine = strings.Repeat(" ", 1<<20-1) + "\n"

// blankLines is a body without end, of which nothing is kept.
type blankLines struct{ at int }

func (b *blankLines) Read(p []byte) (int, error) {
	n := copy(p, blankLine[b.at:])
	b.at = (b.at + n) % len(blankLine)
	return n, nil
}

func TestInspector_ImportBounds(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	page := sink.Inspector()
	if w := inspect(t, page, "POST", "/_sink/import", io.LimitReader(&blankLines{}, 256<<20+1)); w.Code != 413 {
		t.Errorf("a body above 256 MiB: %d %s, want 413", w.Code, w.Body)
	}
	long := brokerBody + "\n" + `{"specversion":"1.0","id":"` + strings.Repeat("x", 4<<20) + `"}`
	if w := inspect(t, page, "POST", "/_sink/import", strings.NewReader(long)); w.Code != 400 || !strings.Contains(w.Body.String(), "line 2") ||
		!strings.Contains(w.Body.String(), "taken before: 1") {
		t.Errorf("a line above 4 MiB: %d %.200s", w.Code, w.Body)
	}
}

// streamRecorder is a recorder to look into while it is written.
type streamRecorder struct {
	*httptest.ResponseRecorder

	mu sync.Mutex
}

func (r *streamRecorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ResponseRecorder.Write(b)
}

func (r *streamRecorder) Flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ResponseRecorder.Flush()
}

func (r *streamRecorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Body.String()
}

// watch opens a stream in a bubble and returns what it says so far, and a function
// that ends it.
func watch(t *testing.T, h http.Handler, query string) (said func() []streamed, end func() (ended bool), status func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &streamRecorder{ResponseRecorder: httptest.NewRecorder()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/_sink/stream?"+query, http.NoBody))
	}()
	said = func() []streamed {
		t.Helper()
		synctest.Wait()
		var messages []streamed
		for block := range strings.SplitSeq(w.text(), "\n\n") {
			text, ok := strings.CutPrefix(block, "data: ")
			if !ok {
				continue
			}
			var m streamed
			if err := json.Unmarshal([]byte(text), &m); err != nil { //nolint:musttag // its members match without case
				t.Fatalf("%v in %s", err, text)
			}
			messages = append(messages, m)
		}
		return messages
	}
	end = func() bool {
		synctest.Wait()
		select {
		case <-done:
			return true
		default:
			cancel()
			<-done
			return false
		}
	}
	status = func() int { synctest.Wait(); return w.Code }
	return said, end, status
}

type streamed struct {
	Newest, Added, Requests, Dropped, Cleared, Deliveries, Subscriptions int
	Rows                                                                 []struct {
		Number int
		Type   string
	}
	Faults []struct{ Status, Times int }
}

func TestInspector_Stream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := sinkWithHook(t, func(*http.Request) (int, error) { return http.StatusOK, nil })
		postEvent(t, sink, "e1")
		postEvent(t, sink, "e2")
		said, end, _ := watch(t, sink.Inspector(), "after=1")
		defer end()
		first := said()
		if len(first) != 1 || first[0].Newest != 2 || first[0].Added != 1 || first[0].Requests != 2 || len(first[0].Rows) != 1 {
			t.Fatalf("the first message is %+v", first)
		}
		// However much comes, it is one message for each interval, with the newest rows.
		for i := range 500 {
			postEvent(t, sink, fmt.Sprint("many", i))
		}
		time.Sleep(time.Second)
		burst := said()[1:]
		if len(burst) > 2 {
			t.Errorf("500 events made %d messages", len(burst))
		}
		added := 0
		for _, m := range burst {
			added += m.Added
			for i, row := range m.Rows {
				if row.Number != m.Newest-i {
					t.Errorf("row %d is number %d of up to %d", i, row.Number, m.Newest)
				}
			}
			if len(m.Rows) > 50 {
				t.Errorf("a message has %d rows", len(m.Rows))
			}
		}
		if last := burst[len(burst)-1]; added != 500 || last.Newest != 502 || last.Requests != 502 {
			t.Errorf("%d were added, the last message is %+v", added, last)
		}
		// Quiet, it says nothing new.
		before := len(said())
		time.Sleep(time.Hour)
		if n := len(said()); n != before {
			t.Errorf("%d messages of nothing", n-before)
		}
		// Faults, subscriptions and deliveries are told of too.
		sink.Inject(testutil.Fault{Endpoint: "/app", Status: 503, Times: 3})
		subscribe(t, sink, webhookURL)
		time.Sleep(2 * time.Second)
		all := said()
		if m := all[len(all)-1]; m.Subscriptions != 1 || m.Deliveries != 1 || len(m.Faults) != 1 || m.Faults[0].Times != 3 {
			t.Errorf("the message is %+v", m)
		}
		cleared := all[len(all)-1].Cleared
		sink.Reset()
		time.Sleep(time.Second)
		all = said()
		if m := all[len(all)-1]; m.Requests != 0 || m.Cleared == cleared {
			t.Errorf("after a reset: %+v", m)
		}
	})
}

func TestInspector_StreamFilters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := openSink(t)
		said, end, _ := watch(t, sink.Inspector(), "type=wanted")
		defer end()
		said()
		postEvent(t, sink, "e1")
		postEvent(t, sink, "e2", "no.altinn.broker.published", "wanted")
		time.Sleep(time.Second)
		all := said()
		if m := all[len(all)-1]; m.Added != 1 || m.Newest != 2 || m.Requests != 2 || m.Rows[0].Type != "wanted" {
			t.Errorf("the message is %+v", m)
		}
	})
}

func TestInspector_StreamEnds(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*testutil.Sink){
		"Close":    (*testutil.Sink).Close,
		"Shutdown": func(s *testutil.Sink) { _ = s.Shutdown(context.Background()) }, //nolint:usetesting // a test's end
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sink := openSink(t)
				said, end, _ := watch(t, sink.Inspector(), "")
				said()
				began := time.Now()
				stop(sink)
				if !end() || time.Since(began) > time.Second {
					t.Errorf("the stream goes on, %v later", time.Since(began))
				}
			})
		})
	}
}

// Shutdown waits for no page that looks, on a socket either.
func TestInspector_ShutdownWithAPageThatLooks(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sink.URL()+"/_sink/stream", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := socketClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := sink.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Errorf("the stream ended with %v, want its end", err)
	}
}

// Nor for a connection that a browser has opened ahead.
func TestShutdown_WithAnUnusedConnection(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(sink.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A connection that is used after the other was accepted says that it was.
	resp, err := socketClient(t).Get(sink.URL() + "/health")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // a http.Server waits five
	defer cancel()
	if err := sink.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func TestInspector_BoundsStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := openSink(t)
		page := sink.Inspector()
		var ends []func() bool
		for range 64 {
			said, end, _ := watch(t, page, "")
			if n := len(said()); n != 1 {
				t.Fatalf("stream %d said %d messages", len(ends)+1, n)
			}
			ends = append(ends, end)
		}
		_, end, status := watch(t, page, "")
		if code := status(); code != 503 || !end() {
			t.Errorf("the 65th: %d, want 503", code)
		}
		ends[0]()
		said, end, _ := watch(t, page, "")
		if len(said()) != 1 {
			t.Error("there is no room after one has ended")
		}
		end()
		for _, end := range ends[1:] {
			end()
		}
	})
}

func TestSink_ServeInspector(t *testing.T) {
	t.Parallel()
	var page string
	tb := record(t, func(tb *recordingTB) { page = openSink(tb).ServeInspector(tb) })
	if !strings.HasPrefix(page, "http://127.0.0.1:") || !strings.HasSuffix(page, "/") || tb.logged != "inspector: "+page+"\n" {
		t.Errorf("page %q, logged %q", page, tb.logged)
	}
	tb = record(t, func(tb *recordingTB) {
		sink := openSink(tb)
		sink.Close()
		sink.ServeInspector(tb)
	})
	if want := "sink: closed before its socket was opened"; tb.failure != want {
		t.Errorf("failure is %q, want %q", tb.failure, want)
	}
}
