package examples_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/labstack/echo/v4"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/middleware/webhook"
	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/telemetry"
	"github.com/altinn-go/events/testutil"
)

// The planted numbers: two persons' and an organisation's. None is anybody's: the first has
// the check digits of a test person's, the others are the seed documents'.
var planted = []string{"16035001577", "01017512345", "897069650"}

// outputs is everything that somebody other than the subscriber gets to see, by where.
type outputs struct {
	mu   sync.Mutex
	seen map[string]*bytes.Buffer
}

// at returns the writer of a place.
func (o *outputs) at(place string) writerFunc {
	return func(p []byte) (int, error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.seen[place] == nil {
			o.seen[place] = &bytes.Buffer{}
		}
		return o.seen[place].Write(p)
	}
}

// error notes every form of an error, and of ours that it wraps.
func (o *outputs) error(place string, err error) {
	if err == nil {
		return
	}
	all := []error{err}
	if invalid, ok := errors.AsType[*models.ValidationError](err); ok {
		all = append(all, invalid)
	}
	if answer, ok := errors.AsType[*altinn.ResponseError](err); ok {
		all = append(all, answer)
	}
	for _, err := range all {
		fmt.Fprintf(o.at(place), "%v\n%+v\n%#v\n%q\n", err, err, err, err)
	}
}

// await waits until a place has a text.
func (o *outputs) await(t *testing.T, place, text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; <-time.After(5 * time.Millisecond) {
		o.mu.Lock()
		found := o.seen[place] != nil && strings.Contains(o.seen[place].String(), text)
		o.mu.Unlock()
		if found {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s has nothing of %q", place, text)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

// leaks are the places that have a planted number, however it is written, with a line
// of each.
func (o *outputs) leaks() map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	found := map[string]string{}
	for place, text := range o.seen {
		for line := range strings.Lines(text.String()) {
			for _, number := range planted {
				if spelling(number).MatchString(line) {
					found[place] = line
				}
			}
		}
	}
	return found
}

// spelling finds a number with or without separators between its digits.
func spelling(number string) *regexp.Regexp {
	return regexp.MustCompile(strings.Join(strings.Split(number, ""), `(?:[ .\-_/]|%20|\\u0020|\\x[0-9a-f]{2}|\\[anrtv]|&#?\w+;|</?\w+>)?`))
}

// world is an app, its queue in a store, the Events API and a subscriber, all watched.
type world struct {
	out      *outputs
	app      *echo.Echo
	receiver http.Handler
	client   *altinn.Client
	sink     *testutil.Sink
	pub      *publisher.Publisher
	direct   *publisher.Publisher
	store    *store
	spans    *tracetest.SpanRecorder
	reader   *sdkmetric.ManualReader
	looks    atomic.Int64
	closeAll func()
}

func newWorld(t *testing.T, out *outputs, open openStore) *world {
	t.Helper()
	w := &world{out: out, spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader()}
	logger := slog.New(slog.NewJSONHandler(out.at("log"), &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))
	observer, err := telemetry.New(telemetry.Config{
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(w.spans)),
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(w.reader)),
		Stats:          w.stats,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.store = open(t, logger, observer)
	receiver := newSubscriber(t, logger, observer, w.store.inbox)
	w.receiver = receiver
	w.sink = testutil.NewSinkWithConfig(t, testutil.SinkConfig{WebhookTransport: inProcess{receiver}, RetryScale: 1e6})
	client, err := altinn.NewClient("https://platform.altinn.no", altinn.Config{Credentials: w.sink.Credentials(), Transport: w.sink.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	retry := publisher.RetryPolicy{Base: time.Millisecond, Max: 5 * time.Millisecond, MaxAttempts: 5}
	if w.pub, err = publisher.New(client, publisher.Config{Queue: w.store.queue, Logger: logger, Observer: observer, Retry: retry}); err != nil {
		t.Fatal(err)
	}
	if w.direct, err = publisher.New(client, publisher.Config{Logger: logger, Observer: observer, TryTimeout: 200 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	w.app, w.client = newLeakyApp(w.pub, out), client
	w.closeAll = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		out.error("close", errors.Join(w.direct.Close(ctx), w.pub.Close(ctx), w.store.close(ctx)))
		fmt.Fprintf(out.at("values"), "%v %+v %v %v\n", w.pub, w.pub, w.store.queue, w.direct) // nobody uses them any more
	}
	_, err = client.Ensure(t.Context(), altinn.EnsureConfig{}, altinn.Subscription{
		EndPoint: "https://subscriber.example.com/events?code=a+long+and+random+secret", ResourceFilter: models.AppResource("ttd", "apps-test"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// stats are those of the queue, at every second look.
func (w *world) stats(ctx context.Context) (outbox.Stats, error) {
	if w.looks.Add(1)%2 == 1 {
		return outbox.Stats{}, errors.New("no disk for " + planted[0])
	}
	return w.store.queue.Stats(ctx)
}

// newSubscriber fails in every way that a handler can, with the number in its words.
func newSubscriber(t *testing.T, logger *slog.Logger, observer *telemetry.Observer, inbox webhook.Inbox) http.Handler {
	t.Helper()
	receiver, err := webhook.New(webhook.Config{Secrets: []string{"a long and random secret"}, Logger: logger, Inbox: inbox})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	calls := 0
	receiver.On("*", func(ctx context.Context, r webhook.Received) error {
		return observer.Process(ctx, r.Event, func(context.Context) error {
			mu.Lock()
			calls++
			n := calls
			mu.Unlock()
			broken := fmt.Errorf("no archive of %s, who is %s", r.Event.Subject(), planted[0])
			switch n % 5 {
			case 0:
				return broken
			case 1:
				return webhook.Permanent(broken)
			case 2:
				return fmt.Errorf("%w: %w", webhook.ErrNotYet, broken)
			case 3:
				panic(broken)
			default:
				return nil
			}
		})
	})
	return receiver
}

// newLeakyApp is an app template whose handlers fail with the number in their words. The
// app's own errors are its own affair; what is seen here is the library's.
func newLeakyApp(pub *publisher.Publisher, out *outputs) *echo.Echo {
	app := models.App{Org: "ttd", Name: "apps-test"}
	e := echo.New()
	e.HTTPErrorHandler = func(_ error, c echo.Context) { _ = c.NoContent(http.StatusInternalServerError) }
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc { // as Recover, with nothing said
		return func(c echo.Context) (err error) {
			defer func() {
				if recover() != nil {
					err = errors.New("panic")
				}
			}()
			return next(c)
		}
	})
	e.Use(middleware.AppLifecycleWithConfig(middleware.AppLifecycleConfig{Publisher: pub, App: app, ErrorHandler: func(err error, _ echo.Context) error {
		out.error("ErrorHandler", err)
		return nil
	}}))
	const created = `{"id":"50019855/428a4575-2c04-4400-89a3-1aaadd2579cd","appId":"ttd/apps-test","instanceOwner":{"partyId":"50019855","personNumber":%q}}`
	e.POST("/ttd/apps-test/instances", func(c echo.Context) error {
		switch c.QueryParam("how") {
		case "malformed":
			return c.Blob(http.StatusCreated, "application/json", []byte(`{"id":7,"instanceOwner":{"personNumber":"`+planted[0]+`"`))
		case "wrong":
			return c.Blob(http.StatusCreated, "application/json", fmt.Appendf(nil, `{"id":"%s","instanceOwner":{"partyId":%q}}`, planted[0], planted[1]))
		case "error":
			return errors.New("no such person: " + planted[0])
		case "panic":
			panic(planted[0])
		case "emit":
			bad := event.New()
			bad.SetType("app.instance. " + planted[0])
			bad.SetSubject("/person/" + planted[1] + " ")
			bad.SetSource("https://ttd.apps.altinn.no/ttd/apps-test/instances/" + planted[0])
			out.error("Emit", middleware.Emit(c, bad))
		}
		return c.Blob(http.StatusCreated, "application/json", fmt.Appendf(nil, created, planted[1]))
	})
	return e
}

func (w *world) request(t *testing.T, how string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ttd/apps-test/instances?how="+how, strings.NewReader(`{}`))
	w.app.ServeHTTP(httptest.NewRecorder(), req)
}

// failures are what the endpoint does, with the number in its words where it has any.
func failures() []testutil.Reply {
	text := []byte(`{"title":"Bad ` + planted[0] + `","detail":"No access to /person/` + planted[1] + `","errors":{"subject":["16035 001577 is wrong, as is 897 069 650"]}}`)
	return []testutil.Reply{
		{Status: 400, Body: text},
		{Status: 401, Body: text},
		{Status: 403, Body: text},
		{Status: 409, Body: []byte("plain " + planted[0])},
		{Status: 422, Body: []byte("/organisation/" + planted[2] + " is unknown")},
		{Status: 401, Body: []byte(`"ttd/apps-test is not authorized to create events for https://x/` + planted[0] + `"`)},
		{Status: 302, Header: http.Header{"Location": {"https://elsewhere.example.com/person/" + planted[0] + "?id=" + planted[1]}}},
		{Status: 429, Body: text, RetryAfter: time.Second},
		{Status: 500, Body: text},
		{Status: 503, Body: []byte("<html>" + planted[0] + "</html>")},
		{Reset: true},
		{Truncate: true},
	}
}

// A national identity number is in the event and nowhere else: app, queue, endpoint,
// subscriber and operator go through success and every failure, and nothing that they
// say has it.
//
// It fails if one redaction is taken out: TestRedactionsAreNeeded does so with each.
func TestPersonalDataStaysInTheEvent(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { staysInTheEvent(t, openSQLite) })
	t.Run("PostgreSQL", func(t *testing.T) { staysInTheEvent(t, openPostgres) })
}

func staysInTheEvent(t *testing.T, open openStore) {
	t.Helper()
	out := &outputs{seen: map[string]*bytes.Buffer{}}
	binary := buildOutbox(t)
	w := newWorld(t, out, open)
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	t.Chdir(folder)
	out.arguments()
	for _, how := range []string{"", "malformed", "wrong", "error", "panic", "emit"} {
		w.request(t, how)
	}
	broker := models.Broker{PlatformURL: "https://platform.altinn.no"}
	transfer := models.FileTransfer{ID: "b1c2d3e4-0000-4000-8000-000000000001", ResourceID: "files", Sender: planted[0]}
	out.error("models", broker.Validate())
	for _, events := range [][]event.Event{
		broker.Events(models.TypeBrokerPublished, transfer), {personal("e1")}, {withType(personal(planted[0]), "malformed type "+planted[1])},
	} {
		out.error("Publish", w.direct.Publish(t.Context(), events...))
		fmt.Fprintln(out.at("models"), models.Validator{}.Validate(events[0]))
	}
	for n, failure := range failures() {
		left := 3
		lift := w.sink.Intercept(func(r testutil.Request) testutil.Reply {
			if left == 0 || r.Method != http.MethodPost || r.Endpoint == "/deliveries" {
				return testutil.Reply{}
			}
			left--
			return failure
		})
		w.request(t, "")
		out.error("Publish", w.direct.Publish(t.Context(), personal(fmt.Sprint("e", n))))
		out.error("Publish", w.direct.Publish(t.Context(), withType(personal(fmt.Sprint("t", n)), "test.about."+planted[0])))
		out.error("Publish", w.pub.Publish(t.Context(), withType(personal(fmt.Sprint("q", n, "-", planted[1])), "test.about."+planted[0])))
		out.error("Publish", w.direct.Publish(t.Context(), created(n)))
		out.error("Publish", w.direct.Publish(t.Context(), organisational(fmt.Sprint("o", n))))
		out.error("Publish", w.pub.Publish(t.Context(), organisational(fmt.Sprint("oq", n, "-", planted[2]))))
		lift()
		if err := w.direct.Publish(t.Context(), created(100+n)); err != nil {
			t.Errorf("after failure %d: %v", n, err)
		}
	}
	leakySender(t, out)
	leakyPublisher(t, out)
	breakSweep(t, out)
	w.oddEvents(t)
	printValues(out)
	w.transact(t)
	w.breakStore(t, binary)
	w.probe(t)
	drain, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out.error("Drain", w.store.queue.Drain(drain))
	w.collect(t)
	w.assertions(t)
	if n := crawl(t, out, w.sink.ServeInspector(t)); n < 50 {
		t.Errorf("the inspector had %d pages", n)
	}
	out.arguments()
	w.closeAll()
	w.operate(t, binary)
	out.files(t, filepath.Dir(folder))

	if leaks := out.leaks(); len(leaks) > 0 {
		for place, line := range leaks {
			t.Errorf("%s has a planted number: %.300s", place, line)
		}
	}
	// What was looked at is what there was to see.
	for _, place := range []string{"log", "Publish", "ErrorHandler", "Emit", "spans", "metrics", "outbox", "assertions", "models", "PublishTx", "inspector", "process arguments", "names of files", "health", "Requeue", "inbox"} {
		if out.seen[place] == nil || out.seen[place].Len() < 50 {
			t.Errorf("nothing was seen at %q", place)
		}
	}
	fmt.Fprintln(out.at("control"), "number 160350 01577 in words")
	if leaks := out.leaks(); leaks["control"] == "" {
		t.Error("a planted number is not found")
	}
	if n := len(w.sink.Events()); n < 5 || !strings.Contains(fmt.Sprint(w.sink.Events()), planted[1]) {
		t.Errorf("%d events have arrived, and none with the number", n)
	}
}

// probe asks for the queue's health, with a look that fails and one that does not.
func (w *world) probe(t *testing.T) {
	t.Helper()
	health := telemetry.Health(telemetry.HealthConfig{Stats: w.stats, Relaying: w.pub.Relaying})
	for range 2 {
		answer := httptest.NewRecorder()
		health.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/health", http.NoBody))
		fmt.Fprintln(w.out.at("health"), answer.Code, answer.Header(), answer.Body)
	}
}

// leakySender runs a publisher whose sender and queue have the number in every error,
// and whose sender panics with it.
func leakySender(t *testing.T, out *outputs) {
	t.Helper()
	logger := slog.New(slog.NewJSONHandler(out.at("log"), &slog.HandlerOptions{Level: slog.LevelDebug}))
	retry := publisher.RetryPolicy{Base: time.Millisecond, Max: time.Millisecond, MaxAttempts: 3}
	brief := retry
	brief.MaxAge = time.Nanosecond
	for _, tc := range []struct {
		queue *leakyQueue
		retry publisher.RetryPolicy
	}{
		{nil, retry},
		{&leakyQueue{Memory: outbox.NewMemory(outbox.Config{}), reasons: out.at("reasons of outcomes")}, retry},
		{&leakyQueue{Memory: outbox.NewMemory(outbox.Config{}), reasons: out.at("reasons of outcomes")}, brief},
	} {
		var q outbox.Queue
		if tc.queue != nil {
			q = tc.queue
		}
		var calls atomic.Int64
		sender := sendFunc(func(context.Context, outbox.Item) error {
			switch calls.Add(1) % 4 {
			case 0:
				panic("for " + planted[0])
			case 1:
				return fmt.Errorf("%w: no person %s", publisher.ErrUnavailable, planted[0])
			case 2:
				return fmt.Errorf("somebody's own words about %s", planted[1])
			default:
				return fmt.Errorf("%w: %s", publisher.ErrRejected, planted[0])
			}
		})
		pub, err := publisher.New(sender, publisher.Config{
			Queue: q, Logger: logger, Retry: tc.retry,
		})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 8 {
			out.error("Publish of a sender of one's own", pub.Publish(t.Context(), withType(personal(fmt.Sprint("s", n)), "test.about."+planted[0])))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		out.error("close", pub.Close(ctx))
		cancel()
		if q == nil {
			continue
		}
		discarded, err := tc.queue.Discarded(t.Context(), outbox.Page{})
		if err != nil || len(discarded) == 0 {
			t.Errorf("%d discarded, %v", len(discarded), err)
		}
		for i := range discarded {
			fmt.Fprintln(out.at("reasons of discarded events"), discarded[i].Reason)
		}
	}
}

// leakyPublisher mounts the lifecycle on a publisher that has the number in its errors.
func leakyPublisher(t *testing.T, out *outputs) {
	t.Helper()
	pub := failingPublisher{slog.New(slog.NewJSONHandler(out.at("log"), nil))}
	app := models.App{Org: "ttd", Name: "apps-test"}
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		out.error("Echo's error handler", err)
		_ = c.NoContent(http.StatusInternalServerError)
	}
	e.Use(middleware.AppLifecycleWithConfig(middleware.AppLifecycleConfig{Publisher: pub, App: app, FailClosed: true}))
	e.POST("/ttd/apps-test/approve", func(c echo.Context) error {
		if err := middleware.Emit(c, withType(personal("emitted"), "test.about."+planted[0])); err != nil {
			return err
		}
		return c.NoContent(http.StatusNoContent)
	})
	e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ttd/apps-test/approve", http.NoBody))
	if out.seen["Echo's error handler"] == nil {
		t.Error("fail closed told Echo nothing")
	}
}

type failingPublisher struct{ logger *slog.Logger }

func (failingPublisher) Publish(context.Context, ...event.Event) error {
	return fmt.Errorf("no person %s in %s", planted[0], planted[1])
}

func (p failingPublisher) Logger() *slog.Logger { return p.logger }

// oddEvents have the number where nobody looks for it: in ids, types and names of
// attributes.
func (w *world) oddEvents(t *testing.T) {
	t.Helper()
	named := personal("named")
	named.SetExtension("x"+planted[0], "y")
	unsupported := created(999)
	unsupported.SetExtension("x"+planted[0], "y")
	w.out.error("Publish", w.direct.Publish(t.Context(), named, unsupported))
	named.SetExtension("num", int32(897069650)) // planted[2]
	named.SetExtension(models.ExtTraceParent, planted[0])
	if err := w.pub.Publish(t.Context(), named); err != nil {
		t.Fatal(err)
	}
	odd := withType(personal("odd-"+planted[0]), "test.about."+planted[1])
	for range 2 { // the second is a duplicate
		if err := w.direct.Publish(t.Context(), odd); err != nil {
			t.Fatal(err)
		}
	}
	lift := w.sink.Intercept(func(testutil.Request) testutil.Reply { return failures()[0] })
	w.out.error("Send", w.client.Send(t.Context(), outbox.Item{Endpoint: publisher.EndpointEvents, Body: []byte(`{}`)}))
	_, err := w.client.Subscriptions(t.Context())
	w.out.error("Send", err)
	lift()
	for n := range 6 {
		body := fmt.Sprintf(`{"specversion":"1.0","id":"%s-%d","source":"/s","type":"test.about.%s"}`, planted[0], n, planted[1])
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/?code=a+long+and+random+secret", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		w.receiver.ServeHTTP(httptest.NewRecorder(), req)
	}
}

// printValues prints and logs what has a number in it, as somebody may who looks for an
// error.
func printValues(out *outputs) {
	instance := models.Instance{
		ID: "50019855/" + planted[0], AppID: "ttd/" + planted[1],
		InstanceOwner: models.InstanceOwner{PartyID: "50019855", PersonNumber: planted[0], ExternalIdentifier: "urn:altinn:person:identifier-no:" + planted[1]},
	}
	subscription := altinn.Subscription{
		EndPoint: "https://subscriber.example.com/?code=" + planted[0], SubjectFilter: "/person/" + planted[0], AlternativeSubjectFilter: "/person/" + planted[1],
	}
	transfer := models.FileTransfer{
		ID: planted[0], ResourceID: planted[1], Status: planted[0], Sender: planted[2],
		Recipients: []models.Recipient{{Recipient: planted[2], Status: planted[0]}},
	}
	item := outbox.Item{ID: planted[0], Source: planted[0], Type: planted[1], Key: planted[0], Endpoint: planted[1], Body: []byte(planted[0])}
	observation := webhook.Observation{ID: planted[0], Source: planted[0], Type: planted[1], Err: errors.New(planted[0])}
	for _, value := range []any{
		instance, instance.InstanceOwner, models.Person(planted[0]), subscription, transfer, transfer.Recipients[0],
		item,
		outbox.Record{Item: item},
		outbox.DiscardedItem{Item: item},
		observation,
		models.Reading{Resource: planted[0], ResourceInstance: planted[1], AlternativeSubject: "/person/" + planted[0]},
	} {
		for _, handler := range []slog.Handler{slog.NewJSONHandler(out.at("log"), nil), slog.NewTextHandler(out.at("log"), nil)} {
			slog.New(handler).Info("a value", slog.Any("value", value))
		}
		fmt.Fprintf(out.at("values"), "%v\n%+v\n%s\n", value, value, value)
	}
	badly := event.New()
	badly.SetID("badly")
	badly.SetSource("https://exa mple.com/%zz/" + planted[0] + "/" + planted[1][:6] + "\x00" + planted[1][6:])
	badly.SetDataSchema("://" + planted[1])
	badly.SetSubject("/person/" + planted[0])
	badly.SetExtension("number-"+planted[0], "y")
	badly.SetExtension("n"+planted[1], struct{}{})
	oddly := personal("oddly")
	oddly.Context.(*event.EventContextV1).Extensions = map[string]any{"n" + planted[0]: struct{}{}, "m" + planted[1]: "\x00"}
	for _, ev := range []event.Event{badly, oddly} {
		err := models.Validator{}.Validate(ev)
		out.error("values", err)
	}
}

type sendFunc func(context.Context, outbox.Item) error

func (f sendFunc) Send(ctx context.Context, item outbox.Item) error { return f(ctx, item) }

// leakyQueue breaks once, with the number in its words, and tells why what became of
// events did.
type leakyQueue struct {
	*outbox.Memory

	reasons io.Writer
	broken  atomic.Bool
}

func (q *leakyQueue) Run(ctx context.Context, deliver func(context.Context, outbox.Item) outbox.Outcome) error {
	if !q.broken.Swap(true) {
		return errors.New("the disk of " + planted[0] + " is full")
	}
	return q.Memory.Run(ctx, func(ctx context.Context, item outbox.Item) outbox.Outcome {
		outcome := deliver(ctx, item)
		fmt.Fprintln(q.reasons, outcome.Reason)
		return outcome
	})
}

// personal is an event about a person.
func personal(id string) event.Event {
	ev := event.New()
	ev.SetID(id)
	ev.SetType("test.person")
	ev.SetSource("https://example.com/persons")
	ev.SetSubject("urn:altinn:person:identifier-no:" + planted[0])
	ev.SetExtension(models.ExtResource, "urn:altinn:resource:persons")
	ev.SetExtension(models.ExtAlternativeSubject, "/person/"+planted[1])
	_ = ev.SetData(event.ApplicationJSON, map[string]string{"person": planted[0], "organisation": planted[2]})
	return ev
}

// organisational is an event about an organisation.
func organisational(id string) event.Event {
	ev := personal(id)
	ev.SetType("test.organisation." + planted[2])
	ev.SetSubject("urn:altinn:organization:identifier-no:" + planted[2])
	ev.SetExtension(models.ExtAlternativeSubject, "/organisation/"+planted[2])
	return ev
}

func withType(ev event.Event, eventType string) event.Event {
	ev.SetType(eventType)
	return ev
}

func created(n int) event.Event {
	return models.App{Org: "ttd", Name: "apps-test"}.Created(models.Instance{
		ID:            fmt.Sprintf("50019855/428a4575-2c04-4400-89a3-%012d", n),
		InstanceOwner: models.InstanceOwner{PartyID: "50019855", PersonNumber: planted[1]},
	})
}

// collect notes spans and metrics, and why metrics cannot be had.
func (w *world) collect(t *testing.T) {
	t.Helper()
	for _, s := range w.spans.Ended() {
		fmt.Fprintln(w.out.at("spans"), s.Name(), s.Attributes(), s.Events(), s.Status(), s.Resource())
	}
	var data metricdata.ResourceMetrics
	w.out.error("metrics", w.reader.Collect(t.Context(), &data))
	if err := w.reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			fmt.Fprintf(w.out.at("metrics"), "%s %+v\n", m.Name, m.Data)
		}
	}
}

// assertions notes what the sink's assertions say when they fail.
func (w *world) assertions(t *testing.T) {
	t.Helper()
	for _, assert := range []func(testing.TB){
		func(tb testing.TB) { tb.Helper(); w.sink.Require(tb, testutil.Want{Subject: "/person/" + planted[0]}) },
		func(tb testing.TB) {
			tb.Helper()
			w.sink.Require(tb, testutil.Want{AlternativeSubject: "/person/" + planted[1]})
		},
		func(tb testing.TB) {
			tb.Helper()
			w.sink.Require(tb, testutil.Want{Subject: "/organisation/" + planted[2], Type: "test.organisation." + planted[2] + "."})
		},
		func(tb testing.TB) { tb.Helper(); w.sink.RequireNone(tb, testutil.Want{}, 0) },
		func(tb testing.TB) {
			tb.Helper()
			w.sink.RequireDelivered(tb, "", testutil.Want{Subject: "/person/" + planted[0]})
		},
		func(tb testing.TB) { tb.Helper(); w.sink.RequireNoDuplicates(tb) },
		func(tb testing.TB) {
			tb.Helper()
			w.sink.Require(tb, testutil.Want{Match: func(event.Event) error {
				return fmt.Errorf("is not about %s at https://x/%s/y", planted[0], planted[1])
			}})
		},
		func(tb testing.TB) {
			tb.Helper()
			w.sink.RequireOrder(tb, "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd")
		},
		func(tb testing.TB) { tb.Helper(); w.sink.Golden(tb, "none") },
		func(tb testing.TB) { tb.Helper(); tb.Setenv("UPDATE_GOLDEN", "1"); w.sink.Golden(tb, "written") },
	} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			assert(&failingTB{TB: t, out: w.out})
		}()
		<-done
	}
}

// failingTB notes why a test fails, in place of failing.
type failingTB struct {
	testing.TB

	out *outputs
}

func (f *failingTB) Helper() {}

func (f *failingTB) Fatal(args ...any) {
	fmt.Fprintln(f.out.at("assertions"), args...)
	runtime.Goexit()
}

func (f *failingTB) Fatalf(format string, args ...any) { f.Fatal(fmt.Sprintf(format, args...)) }

// buildOutbox builds the operator's command.
func buildOutbox(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "outbox")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../publisher/outbox/cmd/outbox").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}
