package testutil_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/testutil"
)

const instanceSource = "https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd"

// The bodies of an app event and of another event, the seeds' examples.
const (
	appBody = `{"type":"app.instance.created","source":"` + instanceSource + `",` +
		`"subject":"/party/50019855","specversion":"1.0","alternativesubject":"/person/01017512345"}`
	brokerBody = `{"id":"1faa107f-3c0a-4fa6-9fce-7cee8838e258","specversion":"1.0","type":"no.altinn.broker.published",` +
		`"source":"https://platform.tt02.altinn.no/broker/api/v1/filetransfer","subject":"/party/50015641",` +
		`"resource":"urn:altinn:resource:altinn-broker-test-resource-1"}`
)

// openSink returns a sink that asks for no tokens.
func openSink(tb testing.TB) *testutil.Sink {
	tb.Helper()
	return testutil.NewSinkWithConfig(tb, testutil.SinkConfig{Auth: testutil.AuthOff})
}

// post posts body to an endpoint and returns the answer with its body read.
func post(ctx context.Context, client *http.Client, platform, endpoint, body string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, platform+"/events/api/v1"+endpoint, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	if endpoint == "/events" {
		req.Header.Set("Content-Type", "application/cloudevents+json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp, string(answer), err
}

// mustPost posts a body that the sink must take.
func mustPost(tb testing.TB, sink *testutil.Sink, endpoint, body string) {
	tb.Helper()
	resp, answer, err := post(tb.Context(), sink.Client(), "http://sink", endpoint, body)
	if err != nil {
		tb.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		tb.Fatalf("POST %s: %s: %s", endpoint, resp.Status, answer)
	}
}

// postEvent posts an event to /events; each pair of edits replaces the first text
// by the second.
func postEvent(tb testing.TB, sink *testutil.Sink, id string, edits ...string) {
	tb.Helper()
	edits = append(edits, "1faa107f-3c0a-4fa6-9fce-7cee8838e258", id)
	mustPost(tb, sink, "/events", strings.NewReplacer(edits...).Replace(brokerBody))
}

// transports are the ways to reach a sink, each with a new sink that asks for no
// tokens.
var transports = map[string]func(testing.TB) (sink *testutil.Sink, client *http.Client, platform string){
	"InProcess": func(tb testing.TB) (*testutil.Sink, *http.Client, string) {
		tb.Helper()
		sink := openSink(tb)
		return sink, sink.Client(), "http://sink"
	},
	"Socket": func(tb testing.TB) (*testutil.Sink, *http.Client, string) {
		tb.Helper()
		sink := openSink(tb)
		return sink, socketClient(tb), sink.URL()
	},
}

// ids returns the ids of events.
func ids(events []event.Event) []string {
	ids := make([]string, len(events))
	for i, ev := range events {
		ids[i] = ev.ID()
	}
	return ids
}

// recordingTB records whether an assertion failed the test, and how.
type recordingTB struct {
	testing.TB

	mu       sync.Mutex
	ended    bool
	failure  string
	logged   string
	cleanups []func()
}

// record runs a part of a test against a TB of its own and returns it.
func record(t *testing.T, part func(*recordingTB)) *recordingTB {
	t.Helper()
	tb := &recordingTB{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		part(tb)
	}()
	<-done
	for _, cleanup := range tb.cleanups {
		cleanup()
	}
	return tb
}

func (tb *recordingTB) Helper() {}

func (tb *recordingTB) Cleanup(f func()) { tb.cleanups = append([]func(){f}, tb.cleanups...) }

func (tb *recordingTB) Logf(format string, args ...any) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.logged += fmt.Sprintf(format, args...) + "\n"
}

func (tb *recordingTB) Fatal(args ...any) {
	tb.mu.Lock()
	tb.ended, tb.failure = true, fmt.Sprint(args...)
	tb.mu.Unlock()
	runtime.Goexit()
}

func (tb *recordingTB) Fatalf(format string, args ...any) { tb.Fatal(fmt.Sprintf(format, args...)) }

var errNeverRead = errors.New("this body cannot be read")

type neverRead struct{}

func (neverRead) Read([]byte) (int, error) { return 0, errNeverRead }

// closingBody remembers that it was closed.
type closingBody struct {
	io.Reader

	closed bool
}

func (b *closingBody) Close() error {
	b.closed = true
	return nil
}

func mustURL(tb testing.TB, text string) *url.URL {
	tb.Helper()
	u, err := url.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

// sdkMatcher has the signature of the matchers of the CloudEvents SDK.
func sdkMatcher(ev event.Event) error { return ev.Validate() }

// newPost returns a request for POST /app.
func newPost(ctx context.Context, tb testing.TB, body string) *http.Request {
	tb.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://sink/events/api/v1/app", strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	return req
}

// mint returns a token as its header wants it.
func mint(tb testing.TB, sink *testutil.Sink, kind testutil.TokenKind) string {
	tb.Helper()
	token, err := sink.Token(testutil.TokenSpec{Kind: kind})
	if err != nil {
		tb.Fatal(err)
	}
	if kind == testutil.TokenUser {
		return "Bearer " + token
	}
	return token
}
