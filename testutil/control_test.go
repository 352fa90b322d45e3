package testutil_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/altinn-go/events/testutil"
)

// call sends a control request and returns the status and the body of the answer.
func call(tb testing.TB, sink *testutil.Sink, method, path, body string, header ...string) (status int, answer string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, "http://sink/_sink/"+path, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := sink.Client().Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestControl_Events(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSink(t)
	if status, body := call(t, sink, "GET", "events", ""); status != 200 || body != `{"events":[]}` {
		t.Errorf("no events: %d %s", status, body)
	}
	req := newPost(t.Context(), t, appBody)
	req.Header.Set("Authorization", mint(t, sink, testutil.TokenUser))
	req.Header.Set("PlatformAccessToken", mint(t, sink, testutil.TokenPlatform))
	resp, err := sink.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	_, body := call(t, sink, "GET", "events", "")
	var got struct {
		Events []struct {
			Event struct {
				Type     string `json:"type"`
				Resource string `json:"resource"`
			} `json:"event"`
			ReceivedAt time.Time `json:"receivedAt"`
			Endpoint   string    `json:"endpoint"`
			Request    struct {
				Headers map[string]string `json:"headers"`
				Body    string            `json:"body"`
			} `json:"request"`
		} `json:"events"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || len(got.Events) != 1 {
		t.Fatalf("%v in %s", err, body)
	}
	e := got.Events[0]
	if e.Event.Resource != "urn:altinn:resource:app_ttd_apps-test" || e.Endpoint != "/app" || e.Request.Body != appBody ||
		e.Request.Headers["Content-Type"] != "application/json" || time.Since(e.ReceivedAt) > time.Minute {
		t.Errorf("event is %+v", e)
	}
	for _, name := range []string{"Authorization", "Platformaccesstoken"} {
		if !strings.HasSuffix(e.Request.Headers[name], ".REDACTED") {
			t.Errorf("%s is %q, want it without its signature", name, e.Request.Headers[name])
		}
	}
	if status, _ := call(t, sink, "DELETE", "events", ""); status != 204 || len(sink.Events()) != 0 {
		t.Errorf("delete: %d, %d events left", status, len(sink.Events()))
	}
}

func TestControl_Wait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := openSink(t)
		began := time.Now()
		if status, body := call(t, sink, "GET", "wait?type=x", ""); status != 408 || time.Since(began) != 10*time.Second || !strings.Contains(body, "within 10s") {
			t.Errorf("nothing came: %d after %v: %s", status, time.Since(began), body)
		}
		done := make(chan string)
		go func() {
			_, body := call(t, sink, "GET", "wait?type=no.altinn.broker.published&subject=/party/7&timeout=1h", "")
			done <- body
		}()
		time.Sleep(time.Minute)
		postEvent(t, sink, "e1")
		postEvent(t, sink, "e2", "50015641", "7")
		if body := <-done; !strings.Contains(body, `"id":"e2"`) || !strings.Contains(body, `"endpoint":"/events"`) {
			t.Errorf("waited for e2: %s", body)
		}
		if _, body := call(t, sink, "GET", "wait?timeout=0s", ""); !strings.Contains(body, `"id":"e1"`) {
			t.Errorf("a kept event: %s", body)
		}
		go func() {
			time.Sleep(time.Second)
			sink.Close()
		}()
		began = time.Now()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://sink/_sink/wait?type=x&timeout=1h", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := sink.Client().Do(req); err == nil {
			resp.Body.Close()
		}
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("waited %v for an event, though the sink was closed", waited)
		}
	})
}

func TestControl_Faults(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	status, body := call(t, sink, "POST", "faults",
		`{"endpoint":"/events","method":"POST","status":503,"retryAfter":"1500ms","times":2}`)
	if status != 204 || body != "" {
		t.Fatalf("fault: %d %s", status, body)
	}
	if set := sink.Faults(); len(set) != 1 || set[0].Times != 2 {
		t.Errorf("faults are %+v", set)
	}
	for n, want := range []int{503, 503, 200} {
		resp, _, err := post(t.Context(), sink.Client(), "http://sink", "/events", brokerBody)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != want || want == 503 && resp.Header.Get("Retry-After") != "2" {
			t.Errorf("request %d: %s, %v", n, resp.Status, resp.Header)
		}
	}
	if set := sink.Faults(); len(set) != 0 {
		t.Errorf("a fault that is used up is still there: %+v", set)
	}
	call(t, sink, "POST", "faults", `{"endpoint":"/","reset":true}`)
	if _, _, err := post(t.Context(), sink.Client(), "http://sink", "/events", brokerBody); err == nil {
		t.Error("no connection was reset")
	}
	if status, _ := call(t, sink, "DELETE", "faults", ""); status != 204 {
		t.Errorf("delete: %d", status)
	}
	mustPost(t, sink, "/events", brokerBody)
}

func TestControl_Deliveries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := sinkWithHook(t, func(*http.Request) (int, error) { return http.StatusTooEarly, nil })
		subscribe(t, sink, webhookURL)
		synctest.Wait()
		_, body := call(t, sink, "GET", "deliveries", "")
		var got struct {
			Deliveries []map[string]any `json:"deliveries"`
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || len(got.Deliveries) != 1 {
			t.Fatalf("%v in %s", err, body)
		}
		d := got.Deliveries[0]
		for member, want := range map[string]any{
			"subscription": 1.0, "endpoint": webhookURL, "attempt": 1.0, "status": 425.0, "error": "", "heldBack": false,
			"at": "2000-01-01T00:00:00Z", "nextAttempt": "2000-01-01T00:00:01Z",
		} {
			if d[member] != want {
				t.Errorf("%s is %v, want %v", member, d[member], want)
			}
		}
	})
}

func TestControl_Tables(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	if status, body := call(t, sink, "PUT", "policy", `[{"consumer":"/org/ttd","action":"publish","decision":"deny"}]`); status != 204 {
		t.Fatalf("policy: %d %s", status, body)
	}
	if resp, _, err := post(t.Context(), sink.Client(), "http://sink", "/events", brokerBody); err != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("publishing: %v, %v; want 403", resp, err)
	}
	call(t, sink, "PUT", "policy", `[]`)
	mustPost(t, sink, "/events", brokerBody)
	if status, body := call(t, sink, "PUT", "parties", `[{"partyId":1337,"personNumber":"01038712345"}]`); status != 204 {
		t.Fatalf("parties: %d %s", status, body)
	}
	mustPost(t, sink, "/subscriptions",
		`{"endPoint":"https://hooks.example.com/","sourceFilter":"https://ttd.apps.altinn.no/ttd/a","alternativeSubjectFilter":"/person/01038712345"}`)
}

// Bad input is refused by name, without the values in it.
func TestControl_BadInput(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ method, path, body, want string }{
		{"POST", "faults", ``, "the JSON ends too early"},
		{"POST", "faults", `{"endpoint":"/app","stauts":503}`, `there is no member \"stauts\"`},
		{"POST", "faults", `{"status":503}`, "endpoint: want"},
		{"POST", "faults", `{"endpoint":"app","status":503}`, "endpoint: want"},
		{"POST", "faults", `{"endpoint":"/app"}`, "does nothing"},
		{"POST", "faults", `{"endpoint":"/app","status":199}`, "status: want"},
		{"POST", "faults", `{"endpoint":"/app","status":600}`, "status: want"},
		{"POST", "faults", `{"endpoint":"/app","status":"503"}`, "status is a JSON string, want a whole number"},
		{"POST", "faults", `{"endpoint":"/app","reset":true,"times":-1}`, "times: want"},
		{"POST", "faults", `{"endpoint":"/app","reset":true,"rate":1.5}`, "rate: want"},
		{"POST", "faults", `{"endpoint":"/app","delay":5}`, "a duration is a string"},
		{"POST", "faults", `{"endpoint":"/app","delay":"5"}`, "has a unit"},
		{"POST", "faults", `{"endpoint":"/app","delay":"-5s"}`, "not negative"},
		{"POST", "faults", `{"endpoint":"/app","reset":true} {}`, "more after the JSON value"},
		{"POST", "faults", "{\n  \"endpoint\": /app}", "line 2, column"},
		{"POST", "tokens", `{"kind":"admin"}`, `kind \"admin\", want`},
		{"POST", "tokens", `[]`, "is a JSON array, want an object"},
		{"PUT", "policy", `{}`, "is a JSON object, want an array"},
		{"PUT", "policy", `[{"decision":"maybe"}]`, "rule 0: decision"},
		{"PUT", "policy", `[{"action":"read"}]`, "rule 0: decision"},
		{"PUT", "parties", `[{"partyId":1}]`, "party 0: want organisationNumber or personNumber"},
		{"PUT", "parties", `[{"partyId":1,"organisationNumber":"1","personNumber":"01038712345"}]`, "not both"},
		{"PUT", "parties", `[{"personNumber":"01038712345"}]`, "partyId is missing"},
		{"PUT", "parties", `[{"partyId":1,"personNumber":"0103871234"}]`, "is not 11 digits"},
		{"PUT", "parties", `[{"partyId":1,"organisationNumber":"987654321","mainUnit":2}]`, "partyId of no party"},
		{"PUT", "parties", `[{"partyId":"01038712345"}]`, "partyId is a JSON string"},
		{"GET", "wait?timeout=5", "", "timeout: want"},
		{"GET", "wait?source=x", "", "There is no parameter"},
	} {
		sink := openSink(t)
		status, body := call(t, sink, tt.method, tt.path, tt.body)
		if status != 400 || !strings.Contains(body, tt.want) {
			t.Errorf("%s %s %s: %d %s, want 400 with %s", tt.method, tt.path, tt.body, status, body, tt.want)
		}
		if strings.Contains(body, "0103871234") {
			t.Errorf("%s %s: the answer holds a number: %s", tt.method, tt.path, body)
		}
	}
}

func TestControl_RefusesOtherOrigins(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	for _, tt := range []struct {
		header []string
		status int
	}{
		{[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{[]string{"Sec-Fetch-Site", "same-site"}, 403},
		{[]string{"Origin", "https://evil.example"}, 403},
		{[]string{"Sec-Fetch-Site", "same-origin"}, 204},
		{nil, 204},
	} {
		if status, _ := call(t, sink, "DELETE", "events", "", tt.header...); status != tt.status {
			t.Errorf("%v: %d, want %d", tt.header, status, tt.status)
		}
	}
	if status, _ := call(t, sink, "PUT", "policy", strings.Repeat(" ", 1<<20+1)); status != 413 {
		t.Errorf("a body that is too long: %d, want 413", status)
	}
}

// Names that are made to resolve to this machine are not answered.
func TestSink_RefusesOtherHosts(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	client := socketClient(t)
	for host, want := range map[string]int{
		"": 200, "localhost": 200, "localhost:5080": 200, "127.0.0.1": 200, "127.8.8.8:1": 200, "[::1]:5080": 200, "[::1]": 200,
		"evil.example": 421, "localhost.evil.example": 421, "192.168.1.7:5080": 421, "0.0.0.0": 421,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sink.URL()+"/health", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("Host %q: %s, want %d", host, resp.Status, want)
		}
	}
}

// A wait that outlasts the time for reading a request goes on.
func TestSink_LongPollOutlastsReading(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	sink.SetReadTimeout(20 * time.Millisecond)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sink.URL()+"/_sink/wait?timeout=200ms", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := socketClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("%s, want 408 at the end of the wait", resp.Status)
	}
}

// Tokens are unfit for use elsewhere wherever they stand in a header.
func TestControl_TokensWithoutSignatures(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	token := strings.TrimPrefix(mint(t, sink, testutil.TokenUser), "Bearer ")
	req := newPost(t.Context(), t, appBody)
	req.Header.Set("X-List", `"`+token+`",`+token+","+token)
	resp, err := sink.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	_, events := call(t, sink, "GET", "events", "")
	if signature := token[strings.LastIndexByte(token, '.')+1:]; strings.Contains(events, signature) || strings.Count(events, ".REDACTED") != 3 {
		t.Errorf("events are %s", events)
	}
}
