package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware/webhook"
	"github.com/altinn-go/events/models"
)

const (
	secret = "0123456789abcdef"
	target = "/events?code=" + secret
	person = "01017512345"
)

func newReceiver(tb testing.TB, cfg webhook.Config) *webhook.Receiver {
	tb.Helper()
	if cfg.Secrets == nil {
		cfg.Secrets = []string{secret}
	}
	rc, err := webhook.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return rc
}

// pushed is an event of an instance as Altinn Events pushes it.
func pushed(id, instance string, at time.Time) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"https://ttd.apps.altinn.no/ttd/apps-test/instances/1337/%s",`+
		`"type":"app.instance.created","subject":"/party/1337","time":%q,"alternativesubject":"/person/`+person+`",`+
		`"resource":"urn:altinn:resource:app_ttd_apps-test","resourceinstance":"1337/%s"}`, id, instance, at.Format(time.RFC3339Nano), instance)
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const guid = "428a4575-2c04-4400-89a3-1aaadd2579cd"

// send posts a body and returns the answer's status.
func send(tb testing.TB, h http.Handler, url, body string, header ...string) int {
	tb.Helper()
	req := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, url, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	if w.Body.Len() > 0 {
		tb.Errorf("the answer has a body: %s", w.Body)
	}
	return w.Code
}

// What a handler returns becomes the status, and the event comes again or not.
func TestReceiver_Results(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken for " + person)
	for name, tt := range map[string]struct {
		result func() error
		status int
		kind   webhook.Kind
		again  bool // a repeat is handled
	}{
		"Done":           {func() error { return nil }, 200, webhook.Handled, false},
		"NotYet":         {func() error { return webhook.ErrNotYet }, 425, webhook.NotYet, true},
		"NotYetWrapped":  {func() error { return fmt.Errorf("no instance: %w", webhook.ErrNotYet) }, 425, webhook.NotYet, true},
		"Error":          {func() error { return broken }, 500, webhook.Failed, true},
		"Panic":          {func() error { panic(person) }, 500, webhook.Failed, true},
		"Permanent":      {func() error { return webhook.Permanent(broken) }, 200, webhook.DeadLettered, false},
		"PermanentOfNil": {func() error { return webhook.Permanent(nil) }, 200, webhook.Handled, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen []webhook.Observation
			var log bytes.Buffer
			calls := 0
			rc := newReceiver(t, webhook.Config{
				Observe: func(_ context.Context, o webhook.Observation) { seen = append(seen, o) },
				Logger:  slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			})
			rc.On("App.Instance.Created", func(_ context.Context, r webhook.Received) error {
				calls++
				if r.Instance.Org != "ttd" || r.Instance.App != "apps-test" || r.Instance.Party != "1337" || r.Instance.Instance != guid {
					t.Errorf("instance is %+v", r.Instance)
				}
				return tt.result()
			})
			for range 2 {
				if status := send(t, rc, target, pushed("e1", guid, noon)); status != tt.status && (tt.again || status != 200) {
					t.Errorf("status %d, want %d", status, tt.status)
				}
			}
			if seen[0].Kind != tt.kind || seen[0].Status != tt.status || seen[0].ID != "e1" || (seen[1].Kind == webhook.Duplicate) == tt.again {
				t.Errorf("observed %+v", seen)
			}
			if (calls == 2) != tt.again {
				t.Errorf("%d calls, want a repeat handled: %t", calls, tt.again)
			}
			if strings.Contains(log.String(), person) || strings.Contains(log.String(), secret) {
				t.Errorf("the log has a number or the secret:\n%s", log.String())
			}
			if !strings.Contains(log.String(), "event_id=e1") {
				t.Errorf("the log lacks the event:\n%s", log.String())
			}
		})
	}
}

func TestReceiver_DeadLetter(t *testing.T) {
	t.Parallel()
	broken, full := errors.New("broken"), errors.New("full")
	var letters []error
	rc := newReceiver(t, webhook.Config{DeadLetter: func(_ context.Context, r webhook.Received, err error) error {
		letters = append(letters, err)
		if len(letters) == 1 {
			return full
		}
		if r.Event.ID() != "e1" {
			t.Errorf("dead letter is %s", r.Event.ID())
		}
		return nil
	}})
	rc.On("*", func(context.Context, webhook.Received) error { return webhook.Permanent(broken) })
	for n, want := range []int{500, 200, 200} {
		if status := send(t, rc, target, pushed("e1", guid, noon)); status != want {
			t.Errorf("push %d: %d, want %d", n, status, want)
		}
	}
	if diff := cmp.Diff([]string{"broken", "broken"}, []string{letters[0].Error(), letters[1].Error()}); diff != "" || len(letters) != 2 {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}

// Whatever is no event of Altinn's is refused with a clear status, and not handled.
func TestReceiver_Refuses(t *testing.T) {
	t.Parallel()
	good := pushed("e1", guid, noon)
	deep := `{"specversion":"1.0","id":"1","source":"s","type":"t","data":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`
	for name, tt := range map[string]struct {
		url, body string
		header    []string
		status    int
	}{
		"NoSecret":       {"/events", good, nil, 401},
		"EmptySecret":    {"/events?code=", good, nil, 401},
		"WrongSecret":    {"/events?code=0123456789abcdeF", good, nil, 401},
		"PartOfSecret":   {"/events?code=0123456789abcde", good, nil, 401},
		"SecretInHeader": {"/events", good, []string{"Authorization", "Bearer " + secret}, 401},
		"MediaType":      {target, good, []string{"Content-Type", "text/plain"}, 415},
		"NoMediaType":    {target, good, []string{"Content-Type", ""}, 415},
		"Batch":          {target, "[" + good + "]", []string{"Content-Type", "application/cloudevents-batch+json"}, 415},
		"TooLong":        {target, strings.Repeat(" ", 10<<20), nil, 413},
		"Empty":          {target, "", nil, 400},
		"NoObject":       {target, "[]", nil, 400},
		"Null":           {target, "null", nil, 400},
		"Malformed":      {target, good[:len(good)-1], nil, 400},
		"More":           {target, good + "{}", nil, 400},
		"NotUTF8":        {target, strings.Replace(good, "e1", "e\xff", 1), nil, 400},
		"Deep":           {target, deep, nil, 400},
		"Twice":          {target, strings.Replace(good, `"id"`, `"id":"e0","id"`, 1), nil, 400},
		"NoType":         {target, strings.Replace(good, `"type":"app.instance.created",`, "", 1), nil, 400},
		"EmptyType":      {target, strings.Replace(good, "app.instance.created", " ", 1), nil, 400},
		"NoID":           {target, strings.Replace(good, `"id":"e1",`, "", 1), nil, 400},
		"NoSource":       {target, strings.Replace(good, `"source"`, `"sauce"`, 1), nil, 400},
		"OtherVersion":   {target, strings.Replace(good, `"1.0"`, `"7.0"`, 1), nil, 400},
		"NoVersion":      {target, strings.Replace(good, `"specversion":"1.0",`, "", 1), nil, 400},
		"BinaryNoType":   {target, "{}", []string{"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "/s"}, 400},
		"BinaryVersion":  {target, "{}", []string{"Ce-Specversion", "9", "Ce-Id", "1", "Ce-Source", "/s", "Ce-Type", "t"}, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen webhook.Observation
			rc := newReceiver(t, webhook.Config{Observe: func(_ context.Context, o webhook.Observation) { seen = o }})
			rc.On("*", func(context.Context, webhook.Received) error { t.Error("it was handled"); return nil })
			if status := send(t, rc, tt.url, tt.body, tt.header...); status != tt.status || seen.Kind != webhook.Refused || seen.Err == nil {
				t.Errorf("%d, %+v; want %d", status, seen, tt.status)
			}
			if seen.Err != nil && (strings.Contains(seen.Err.Error(), secret[:15]) || strings.Contains(seen.Err.Error(), person)) {
				t.Errorf("the error has the secret or a number: %v", seen.Err)
			}
		})
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
	w := httptest.NewRecorder()
	newReceiver(t, webhook.Config{}).ServeHTTP(w, req)
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d, %v", w.Code, w.Header())
	}
}

// The forms in which an event may come.
func TestReceiver_Forms(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body   string
		header []string
	}{
		"Pushed":     {pushed("e1", guid, noon), nil},
		"Structured": {pushed("e1", guid, noon), []string{"Content-Type", "application/cloudevents+json"}},
		"Binary": {`{"a":1}`, []string{
			"Content-Type", "application/json", "Ce-Specversion", "1.0", "Ce-Id", "e1", "Ce-Type", "app.instance.created",
			"Ce-Source", "https://ttd.apps.altinn.no/ttd/apps-test/instances/1337/" + guid, "Ce-Resource", "urn:altinn:resource:app_ttd_apps-test",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handled := false
			rc := newReceiver(t, webhook.Config{})
			rc.On(models.TypeInstanceCreated, func(_ context.Context, r webhook.Received) error {
				handled = r.Event.ID() == "e1" && r.Instance.Instance == guid
				return nil
			})
			if status := send(t, rc, target, tt.body, tt.header...); status != 200 || !handled {
				t.Errorf("%d, handled %t", status, handled)
			}
		})
	}
}

func TestReceiver_Validation(t *testing.T) {
	t.Parallel()
	var seen webhook.Observation
	rc := newReceiver(t, webhook.Config{RejectUnknown: true, Observe: func(_ context.Context, o webhook.Observation) { seen = o }})
	body := `{"specversion":"1.0","id":"1","source":"https://platform.altinn.no/events/api/v1/subscriptions/7","type":"platform.events.validatesubscription"}`
	if status := send(t, rc, target, body); status != 200 || seen.Kind != webhook.Validated {
		t.Errorf("%d, %+v", status, seen)
	}
	if status := send(t, rc, "/events?code=x", body); status != 401 {
		t.Errorf("without the secret: %d, want 401", status)
	}
}

func TestReceiver_Types(t *testing.T) {
	t.Parallel()
	for _, reject := range []bool{false, true} {
		var got []string
		rc := newReceiver(t, webhook.Config{RejectUnknown: reject})
		for _, name := range []string{"a.b", "a.b*", "a.*", "A.B.C.*"} {
			rc.On(name, func(context.Context, webhook.Received) error { got = append(got, name); return nil })
		}
		for n, eventType := range []string{"a.b", "A.B", "a.bc", "a.x", "a.b.c.d", "b"} {
			status := send(t, rc, target, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/s","type":%q}`, n, eventType))
			if want := map[bool]int{true: 400}[reject && eventType == "b"]; status != max(want, 200) {
				t.Errorf("%s: %d", eventType, status)
			}
		}
		if diff := cmp.Diff([]string{"a.b", "a.b", "a.b*", "a.*", "A.B.C.*"}, got); diff != "" {
			t.Errorf("handlers (-want +got):\n%s", diff)
		}
	}
	rc := newReceiver(t, webhook.Config{})
	none := func(context.Context, webhook.Received) error { return nil }
	rc.On("a", none)
	rc.On("b*", none)
	for _, name := range []string{"", "a*b", "A", "B*", "**"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("On(%q) did not panic", name)
				}
			}()
			rc.On(name, none)
		}()
	}
}

func TestHandle_Data(t *testing.T) {
	t.Parallel()
	type role struct{ Role string }
	var got role
	var letter error
	rc := newReceiver(t, webhook.Config{DeadLetter: func(_ context.Context, _ webhook.Received, err error) error { letter = err; return nil }})
	webhook.Handle(rc, models.TypeBrokerPublished, func(_ context.Context, r webhook.Received, data role) error {
		got = data
		if r.FileTransferID != "transfer" {
			t.Errorf("file transfer is %q", r.FileTransferID)
		}
		return nil
	})
	body := func(id, data string) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"https://platform.altinn.no/broker/api/v1/filetransfer","type":"no.altinn.broker.Published",`+
			`"resource":"urn:altinn:resource:r","resourceinstance":"transfer"%s}`, id, data)
	}
	if status := send(t, rc, target, body("1", `,"data":{"Role":"Sender"}`)); status != 200 || got.Role != "Sender" {
		t.Errorf("%d, data are %+v", status, got)
	}
	if status := send(t, rc, target, body("2", "")); status != 200 || got.Role != "" {
		t.Errorf("%d, without data they are %+v", status, got)
	}
	if status := send(t, rc, target, body("3", `,"data":{"Role":7}`)); status != 200 || letter == nil || strings.Contains(letter.Error(), "7") {
		t.Errorf("%d, bad data: %v, want a dead letter that does not quote them", status, letter)
	}
}

// Two secrets serve while one replaces the other.
func TestReceiver_RotatesSecrets(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, webhook.Config{Secrets: []string{secret, "fedcba9876543210"}, SecretParameter: "key"})
	for key, want := range map[string]int{secret: 200, "fedcba9876543210": 200, "fedcba9876543211": 401} {
		if status := send(t, rc, "/?key="+key, pushed("e1", guid, noon)); status != want {
			t.Errorf("%s: %d, want %d", key, status, want)
		}
	}
}

func TestReceiver_Sources(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, webhook.Config{
		AllowedSources: []netip.Prefix{webhook.EgressProduction(), webhook.EgressTT02()},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
	})
	for _, tt := range []struct {
		remote, forwarded string
		status            int
	}{
		{"20.100.46.139:1", "", 200},
		{"20.100.24.41:1", "", 200},
		{"[::ffff:20.100.24.41]:1", "", 200},
		{"20.100.46.140:1", "", 403},
		{"192.0.2.1:1", "20.100.46.139", 403}, // is no proxy of ours
		{"10.1.2.3:1", "20.100.46.139", 200},
		{"10.1.2.3:1", "20.100.46.139, 10.9.9.9", 200},
		{"[fd00::1]:1", "20.100.46.139,10.9.9.9", 200},
		{"10.1.2.3:1", "20.100.46.139, 192.0.2.1", 403}, // the nearest that is not ours counts
		{"10.1.2.3:1", "192.0.2.1, 20.100.46.139", 200},
		{"10.1.2.3:1", "", 403},
		{"10.1.2.3:1", "nonsense", 403},
		{"@", "", 403},
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(pushed("e1", guid, noon)))
		req.Header.Set("Content-Type", "application/json")
		req.RemoteAddr = tt.remote
		if tt.forwarded != "" {
			req.Header.Set("X-Forwarded-For", tt.forwarded)
		}
		w := httptest.NewRecorder()
		rc.ServeHTTP(w, req)
		if w.Code != tt.status {
			t.Errorf("%s for %q: %d, want %d", tt.remote, tt.forwarded, w.Code, tt.status)
		}
	}
}

func TestNew_Refuses(t *testing.T) {
	t.Parallel()
	_, err := webhook.New(webhook.Config{Concurrency: -1, Timeout: -1, HoldBack: time.Minute})
	for _, want := range []string{"Secrets is empty", "Concurrency is -1", "Timeout is -1ns", "HoldBack is 1m0s"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if _, err := webhook.New(webhook.Config{Secrets: []string{"short"}}); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("a short secret: %v", err)
	}
}

// Events of one instance are handled one at a time, those of others beside them.
func TestReceiver_Order(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		running := map[string]int{}
		var most int
		var order []string
		rc := newReceiver(t, webhook.Config{})
		rc.On("*", func(_ context.Context, r webhook.Received) error {
			mu.Lock()
			running[r.Instance.Instance]++
			if running[r.Instance.Instance] > 1 {
				t.Error("two events of an instance at once")
			}
			most = max(most, len(running))
			if r.Instance.Instance == guid {
				order = append(order, r.Event.ID())
			}
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			delete(running, r.Instance.Instance)
			mu.Unlock()
			return nil
		})
		var want []string
		for n := range 5 {
			for instance := range 10 {
				id := fmt.Sprintf("%s%d", guid[:len(guid)-1], instance)
				if instance == 0 {
					id = guid
					want = append(want, fmt.Sprint(n, "-", instance))
				}
				go send(t, rc, target, pushed(fmt.Sprint(n, "-", instance), id, noon))
			}
			synctest.Wait() // as they arrive
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if diff := cmp.Diff(want, order); diff != "" || most != 10 {
			t.Errorf("%d at once, want 10; order (-want +got):\n%s", most, diff)
		}
	})
}

// Stragglers are waited for, and told of when they come too late.
func TestReceiver_HoldBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var order []string
		var late []string
		var mu sync.Mutex
		rc := newReceiver(t, webhook.Config{HoldBack: 2 * time.Second, Observe: func(_ context.Context, o webhook.Observation) {
			mu.Lock()
			defer mu.Unlock()
			if o.OutOfOrder {
				late = append(late, o.ID)
			}
		}})
		rc.On("*", func(_ context.Context, r webhook.Received) error { order = append(order, r.Event.ID()); return nil })
		for _, e := range []struct {
			id    string
			time  int // of the event
			after time.Duration
		}{{"third", 3, 0}, {"first", 1, time.Second}, {"second", 2, 0}, {"fourth", 4, 500 * time.Millisecond}, {"zeroth", 0, 10 * time.Second}} {
			time.Sleep(e.after)
			go send(t, rc, target, pushed(e.id, guid, noon.Add(time.Duration(e.time)*time.Second)))
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"first", "second", "third", "fourth", "zeroth"}, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"zeroth"}, late); diff != "" {
			t.Errorf("out of order (-want +got):\n%s", diff)
		}
	})
}

// Waiting counts: nothing outlasts the timeout.
func TestReceiver_Timeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rc := newReceiver(t, webhook.Config{Timeout: 10 * time.Second, Concurrency: 1})
		rc.On("*", func(ctx context.Context, _ webhook.Received) error {
			<-ctx.Done()
			return ctx.Err()
		})
		statuses := make(chan string, 3)
		for n, instance := range []string{guid, guid, strings.Replace(guid, "4", "5", 1)} {
			go func() {
				began := time.Now()
				status := send(t, rc, target, pushed(fmt.Sprint("e", n), instance, noon))
				statuses <- fmt.Sprint(status, " after ", time.Since(began))
			}()
			synctest.Wait()
		}
		got := map[string]int{}
		for range 3 {
			got[<-statuses]++
		}
		if got["500 after 10s"] < 1 || got["500 after 10s"]+got["503 after 10s"] != 3 {
			t.Errorf("answers are %v, want all within 10 s", got)
		}
	})
}

func TestReceiver_Close(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rc := newReceiver(t, webhook.Config{})
		rc.On("*", func(context.Context, webhook.Received) error { time.Sleep(5 * time.Second); return nil })
		under := make(chan int, 1)
		go func() { under <- send(t, rc, target, pushed("e1", guid, noon)) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := rc.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close within a second = %v, want the deadline", err)
		}
		if status := send(t, rc, target, pushed("e2", guid, noon)); status != 503 {
			t.Errorf("after Close: %d, want 503", status)
		}
		if err := rc.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if status := <-under; status != 200 {
			t.Errorf("the event under way: %d, want 200", status)
		}
	})
}

func TestReceiver_Echo(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, webhook.Config{})
	e := echo.New()
	e.POST("/events", rc.Echo())
	server := httptest.NewServer(e)
	defer server.Close()
	resp, err := http.Post(server.URL+target, "application/json", strings.NewReader(pushed("e1", guid, noon)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s", resp.Status)
	}
}

// A body that trickles in ends with the server's patience and is not handled.
func TestReceiver_BrokenBody(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, webhook.Config{})
	rc.On("*", func(context.Context, webhook.Received) error { t.Error("it was handled"); return nil })
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, io.MultiReader(strings.NewReader(pushed("e1", guid, noon)[:50]), broken{}))
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	rc.ServeHTTP(w, req)
	if w.Code != 400 {
		t.Errorf("%d, want 400", w.Code)
	}
}

// A body that trickles in ends with the timeout, however slow its sender is.
func TestReceiver_SlowBody(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, webhook.Config{Timeout: 100 * time.Millisecond})
	rc.On("*", func(context.Context, webhook.Received) error { t.Error("it was handled"); return nil })
	answered := make(chan int, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorded := &statusWriter{ResponseWriter: w}
		rc.ServeHTTP(recorded, r)
		answered <- recorded.status
	}))
	defer server.Close()
	reader, writer := io.Pipe()
	defer writer.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+target, reader)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	go func() {
		_, _ = writer.Write([]byte("{")) // and then nothing
	}()
	go func() {
		if resp, err := transport.RoundTrip(req); err == nil {
			resp.Body.Close()
		}
	}()
	select {
	case status := <-answered:
		if status != http.StatusBadRequest {
			t.Errorf("%d, want 400", status)
		}
	case <-ctx.Done():
		t.Error("never answered")
	}
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter

	status int
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// 10,000 pushes at 64 in flight, a tenth of the handlings failing and every tenth push
// repeated: each event has its effect once.
func TestReceiver_Storm(t *testing.T) {
	t.Parallel()
	const pushes, flights = 10_000, 64
	var mu sync.Mutex
	effects := map[string]int{}
	var calls atomic.Int64
	rc := newReceiver(t, webhook.Config{Concurrency: 32})
	rc.On("*", func(_ context.Context, r webhook.Received) error {
		if calls.Add(1)%10 == 0 {
			return errors.New("one in ten")
		}
		mu.Lock()
		defer mu.Unlock()
		effects[r.Event.ID()]++
		return nil
	})
	work := make(chan int)
	var running sync.WaitGroup
	for range flights {
		running.Go(func() {
			for n := range work {
				body := pushed(fmt.Sprint("e", n), fmt.Sprintf("%s%02d", guid[:len(guid)-2], n%50), noon)
				for send(t, rc, target, body) != http.StatusOK {
					continue // as Altinn Events does, after a while
				}
			}
		})
	}
	for n := range pushes {
		work <- n
		if n%10 == 0 {
			work <- n
		}
	}
	close(work)
	running.Wait()
	for id, times := range effects {
		if times != 1 {
			t.Errorf("%s had %d effects", id, times)
		}
	}
	if len(effects) != pushes {
		t.Errorf("%d events had an effect, want %d", len(effects), pushes)
	}
}

func TestMemoryInbox_ForgetsTheOldest(t *testing.T) {
	t.Parallel()
	inbox := webhook.NewMemoryInbox(2)
	done := func(id string) (again bool) {
		if err := inbox.Once(t.Context(), id, "s", func(context.Context) error { again = true; return nil }); err != nil {
			t.Fatal(err)
		}
		return again
	}
	var got []bool
	for _, id := range []string{"a", "b", "a", "c", "b", "a", "a"} {
		got = append(got, done(id))
	}
	if diff := cmp.Diff([]bool{true, true, false, true, false, true, false}, got); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	if err := inbox.Once(t.Context(), "a", "other", func(context.Context) error { return io.EOF }); !errors.Is(err, io.EOF) {
		t.Errorf("another source = %v, want it handled", err)
	}
}

// FuzzReceiver gives the decoder hostile requests: each is answered, and what is
// handled is an event.
func FuzzReceiver(f *testing.F) {
	f.Add("application/json", pushed("e1", guid, noon), "")
	f.Add("application/cloudevents+json", `{"specversion":"1.0","id":"1","source":"/","type":"t","data_base64":"AA==","x":1}`, "")
	f.Add("application/json", `{"a":1}`, "1.0")
	f.Add("application/json", `{"specversion":"1.0","id":"1","source":"::","type":"t","time":"x","datacontenttype":"\u0000"}`, "")
	f.Fuzz(func(t *testing.T, contentType, body, version string) {
		rc := newReceiver(t, webhook.Config{})
		rc.On("*", func(_ context.Context, r webhook.Received) error {
			if r.Event.ID() == "" || r.Event.Source() == "" || r.Event.Type() == "" {
				t.Errorf("handled %v", r.Event)
			}
			return nil
		})
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(body))
		req.Header = http.Header{"Content-Type": {contentType}}
		if version != "" {
			req.Header["Ce-Specversion"] = []string{version}
			req.Header["Ce-Id"], req.Header["Ce-Type"], req.Header["Ce-Source"], req.Header["Ce-Time"] = []string{contentType}, []string{"t"}, []string{body}, []string{version}
		}
		w := httptest.NewRecorder()
		rc.ServeHTTP(w, req)
		switch w.Code {
		case 200, 400, 413, 415:
		default:
			t.Errorf("answered %d", w.Code)
		}
	})
}

// Anybody can send what is refused, as often as he likes.
func TestReceiver_SamplesLinesAboutStrangers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		rc := newReceiver(t, webhook.Config{Logger: slog.New(slog.NewTextHandler(&lines, nil))})
		for range 1000 {
			send(t, rc, "/events?code=wrong", "{}")
		}
		if got := strings.Count(lines.String(), "\n"); got != 10 {
			t.Errorf("%d lines of 1000 refusals, want 10", got)
		}
		time.Sleep(time.Second)
		send(t, rc, "/events?code=wrong", "{}")
		if got := lines.String(); !strings.Contains(got, "suppressed=990") {
			t.Errorf("no line says how many were not written:\n%s", got)
		}
	})
}

func TestObservation_PrintsMasked(t *testing.T) {
	t.Parallel()
	o := webhook.Observation{Kind: webhook.Failed, Status: 500, ID: person, Source: person, Type: person, Err: errors.New("no " + person)}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", slog.Any("o", o))
	for _, text := range []string{logged.String(), fmt.Sprint(o), fmt.Sprintf("%+v", o), fmt.Sprintf("%#v", o)} {
		if strings.Contains(text, person) || !strings.Contains(text, "failed") {
			t.Errorf("printed as %s", text)
		}
	}
}
