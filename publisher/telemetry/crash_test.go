package telemetry_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/middleware/webhook"
	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
	"github.com/altinn-go/events/publisher/telemetry"
	"github.com/altinn-go/events/testutil"
)

// childEnv is the file to which the test's binary publishes, in place of testing.
const childEnv = "TELEMETRY_TEST_CHILD"

// recorded is a span as one process tells another.
type recorded struct {
	Name      string `json:"name"`
	EventType string `json:"eventType"`
	Trace     string `json:"trace"`
	Span      string `json:"span"`
	Parent    string `json:"parent"`
	Link      string `json:"link"`
}

func record(s sdktrace.ReadOnlySpan) recorded {
	r := recorded{
		Name: s.Name(), Trace: s.SpanContext().TraceID().String(),
		Span: s.SpanContext().SpanID().String(), Parent: s.Parent().SpanID().String(),
	}
	for _, a := range s.Attributes() {
		if a.Key == "cloudevents.event_type" {
			r.EventType = a.Value.AsString()
		}
	}
	for _, l := range s.Links() {
		r.Link += l.SpanContext.SpanID().String()
	}
	return r
}

// child serves a request to create an instance, whose handler emits an event of its own,
// tells its spans and waits to be killed, before anything was delivered.
func child(path string) error {
	r := newRecorder()
	observer, err := telemetry.New(telemetry.Config{TracerProvider: r.traces})
	if err != nil {
		return err
	}
	db, err := sqlite.OpenDB(path)
	if err != nil {
		return err
	}
	queue, err := sqlite.New(db, sqlite.Config{})
	if err != nil {
		return err
	}
	unreachable := sendFunc(func(context.Context, outbox.Item) error { return publisher.ErrUnavailable })
	pub, err := publisher.New(unreachable, publisher.Config{Queue: queue, Observer: observer})
	if err != nil {
		return err
	}
	e := echo.New()
	e.Use(middleware.AppLifecycle(pub, models.App{Org: "ttd", Name: "apps-test"}))
	e.POST("/:org/:app/instances", func(c echo.Context) error {
		if err := middleware.Emit(c, brokerEvent("e1")); err != nil {
			return err
		}
		return c.JSON(http.StatusCreated, models.Instance{
			ID: "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd", InstanceOwner: models.InstanceOwner{PartyID: "50019855"},
		})
	})
	ctx, request := r.traces.Tracer("test").Start(context.Background(), "request")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/ttd/apps-test/instances", http.NoBody))
	request.End()
	if w.Code != http.StatusCreated {
		return fmt.Errorf("the request ended in %d", w.Code)
	}
	var spans []recorded
	for _, s := range r.spans.Ended() {
		if !strings.HasPrefix(s.Name(), "deliver") { // fails, now or later
			spans = append(spans, record(s))
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(spans); err != nil {
		return err
	}
	select {} // until the kill
}

type sendFunc func(context.Context, outbox.Item) error

func (f sendFunc) Send(ctx context.Context, item outbox.Item) error { return f(ctx, item) }

// One trace goes from a request over the queue, the death of its process and another
// process's delivery to the subscriber's handler: each span is the child of the one
// before.
func TestObserver_TraceOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	spans := killedAfterPublishing(t, path)

	r := newRecorder()
	observer := r.observer(t, nil)
	handled := make(chan string, 2)
	sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{Auth: testutil.AuthOff, WebhookTransport: subscriber(t, r, observer, handled)})
	for _, resource := range []string{"urn:altinn:resource:files", "urn:altinn:resource:app_ttd_apps-test"} {
		subscribe(t, sink, resource)
	}
	db, err := sqlite.OpenDB(path)
	if err != nil {
		t.Fatal(err)
	}
	queue, err := sqlite.New(db, sqlite.Config{Observer: observer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(queue.Close(context.WithoutCancel(t.Context())), db.Close()); err != nil {
			t.Error(err)
		}
	})
	sink.PublisherWithConfig(t, publisher.Config{Queue: queue, Observer: observer})
	for range 2 {
		select {
		case <-handled:
		case <-time.After(60 * time.Second):
			t.Fatal("an event was not handled that the second process delivered")
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if err := queue.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	sink.Close() // waits for the answers to its pushes
	for _, s := range r.spans.Ended() {
		spans = append(spans, record(s))
	}
	// POST /app keeps no trace parent, so what handles its event knows the push alone.
	if diff := cmp.Diff([]string{
		"deliver /app app.instance.created of publish app.instance.created",
		"deliver /events no.altinn.broker.published of publish no.altinn.broker.published",
		"process app.instance.created of push",
		"process no.altinn.broker.published of publish no.altinn.broker.published, linked to push",
		"publish app.instance.created of request",
		"publish no.altinn.broker.published of request",
		"request",
	}, genealogy(t, spans)); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

// genealogy tells whose child each span is, but for pushes, which have no parents.
func genealogy(t *testing.T, spans []recorded) []string {
	t.Helper()
	byID := map[string]recorded{}
	for _, s := range spans {
		byID[s.Span] = s
	}
	name := func(s recorded) string { return strings.TrimSpace(s.Name + " " + s.EventType) }
	var all []string
	for _, s := range spans {
		parent, ok := byID[s.Parent]
		if ok && parent.Trace != s.Trace {
			t.Errorf("%s is of another trace than its parent", name(s))
		}
		text := name(s)
		if ok {
			text += " of " + name(parent)
		}
		if s.Link != "" {
			text += ", linked to " + name(byID[s.Link])
		}
		if s.Name != "push" {
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return all
}

// subscriber is a webhook whose requests have spans, as with an instrumented server, and
// whose handlers are in Process.
func subscriber(t *testing.T, r *recorder, observer *telemetry.Observer, handled chan<- string) http.RoundTripper {
	t.Helper()
	receiver, err := webhook.New(webhook.Config{Secrets: []string{subscriberSecret}})
	if err != nil {
		t.Fatal(err)
	}
	for _, eventType := range []string{models.TypeBrokerPublished, models.TypeInstanceCreated} {
		receiver.On(eventType, func(ctx context.Context, got webhook.Received) error {
			defer func() { handled <- eventType }()
			return observer.Process(ctx, got.Event, func(context.Context) error { return nil })
		})
	}
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		ctx, push := r.traces.Tracer("test").Start(req.Context(), "push")
		defer push.End()
		w := httptest.NewRecorder()
		receiver.ServeHTTP(w, req.WithContext(ctx))
		return w.Result(), nil
	})
}

const subscriberSecret = "secret-of-the-subscriber"

// subscribe subscribes to a resource's events.
func subscribe(t *testing.T, sink *testutil.Sink, resource string) {
	t.Helper()
	resp, err := sink.Client().Post("http://sink/events/api/v1/subscriptions", "application/json",
		strings.NewReader(`{"endPoint":"https://subscriber.example.com/?code=`+subscriberSecret+`","resourceFilter":"`+resource+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for {
		subscriptions := sink.Subscriptions()
		if subscriptions[len(subscriptions)-1].Validated {
			return
		}
		<-time.After(time.Millisecond)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// killedAfterPublishing runs a child that publishes to a file, kills it and returns the
// spans that it has told.
func killedAfterPublishing(t *testing.T, path string) (spans []recorded) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = t.Output()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // was killed
	if err := errors.Join(err, json.Unmarshal(line, &spans)); err != nil {
		t.Fatalf("the child said %q: %v", line, err)
	}
	return spans
}
