package telemetry_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
	"github.com/altinn-go/events/publisher/telemetry"
	"github.com/altinn-go/events/testutil"
)

// childEnv is the file to which the test's binary publishes, in place of testing.
const childEnv = "TELEMETRY_TEST_CHILD"

// child publishes an event within a request and waits to be killed, before anything
// was delivered.
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
	//nolint:spancheck // the process dies within the request
	ctx, request := r.traces.Tracer("test").Start(context.Background(), "request")
	if err := pub.Publish(ctx, brokerEvent("e1")); err != nil {
		return err //nolint:spancheck // see above
	}
	fmt.Println(request.SpanContext().TraceID())
	select {} // until the kill
}

type sendFunc func(context.Context, outbox.Item) error

func (f sendFunc) Send(ctx context.Context, item outbox.Item) error { return f(ctx, item) }

// One trace goes from a request over the queue, the death of its process and another
// process's delivery to the subscriber's handler.
func TestObserver_TraceOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	traceID := killedAfterPublishing(t, path)

	r := newRecorder()
	observer := r.observer(t, nil)
	handled := make(chan struct{}, 1)
	sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{Auth: testutil.AuthOff, WebhookTransport: roundTrip(func(req *http.Request) (*http.Response, error) {
		resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}
		body, err := io.ReadAll(req.Body)
		if err != nil || !strings.Contains(string(body), "traceparent") {
			return resp, err
		}
		handled <- struct{}{}
		return resp, nil
	})})
	resp, err := sink.Client().Post("http://sink/events/api/v1/subscriptions", "application/json",
		strings.NewReader(`{"endPoint":"https://subscriber.example.com/","resourceFilter":"urn:altinn:resource:files"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for !sink.Subscriptions()[0].Validated {
		<-time.After(time.Millisecond)
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
	select {
	case <-handled:
	case <-time.After(60 * time.Second):
		t.Fatal("the event was not delivered by the second process")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	delivered := sink.EventuallyDelivered(ctx, t, "", testutil.Want{ID: "e1"})
	err = observer.Process(t.Context(), delivered.Event, func(ctx context.Context) error {
		if got := trace.SpanContextFromContext(ctx).TraceID().String(); got != traceID {
			t.Errorf("the handler is in trace %s, want %s", got, traceID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := queue.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, s := range r.spans.Ended() {
		if s.SpanContext().TraceID().String() != traceID || !s.Parent().IsValid() {
			t.Errorf("%s is in trace %s with parent %s, want %s and a parent", s.Name(), s.SpanContext().TraceID(), s.Parent().SpanID(), traceID)
		}
		seen[s.Name()] = true
	}
	if !seen["deliver /events"] || !seen["process"] {
		t.Errorf("spans are %v, want a delivery and a handling", seen)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// killedAfterPublishing runs a child that publishes to a file, kills it and returns the
// trace of its request.
func killedAfterPublishing(t *testing.T, path string) (traceID string) {
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
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // was killed
	if err != nil {
		t.Fatalf("the child said %q: %v", line, err)
	}
	return strings.TrimSpace(line)
}
