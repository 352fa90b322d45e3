package testutil_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/altinn-go/events/testutil"
)

func TestSink_URL(t *testing.T) {
	t.Parallel()

	t.Run("IsALoopbackAddressThatStays", func(t *testing.T) {
		t.Parallel()
		sink := openSink(t)
		url := sink.URL()
		if !strings.HasPrefix(url, "http://127.0.0.1:") || strings.Count(url, "/") != 2 {
			t.Errorf("URL is %q", url)
		}
		if again := sink.URL(); again != url {
			t.Errorf("second URL is %q, want %q", again, url)
		}
	})

	t.Run("FailsTheTestOnceClosed", func(t *testing.T) {
		t.Parallel()
		tb := record(t, func(tb *recordingTB) {
			sink := openSink(tb)
			sink.Close()
			sink.URL()
		})
		if want := "sink: closed before its socket was opened"; tb.failure != want {
			t.Errorf("failure is %q, want %q", tb.failure, want)
		}
	})
}

func TestSink_Handler(t *testing.T) {
	t.Parallel()

	t.Run("ServesElsewhere", func(t *testing.T) {
		t.Parallel()
		sink := openSink(t)
		server := httptest.NewServer(sink.Handler())
		defer server.Close()
		if resp, _, err := post(t.Context(), server.Client(), server.URL, "/app", appBody); err != nil || resp.StatusCode != http.StatusCreated {
			t.Fatalf("POST /app: %v, %v", resp, err)
		}
		sink.Require(t, testutil.Want{Subject: "/party/50019855"})
	})

	t.Run("AbortsWithoutAConnectionToReset", func(t *testing.T) {
		t.Parallel()
		sink := openSink(t)
		sink.Inject(testutil.Fault{Reset: true})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/events/api/v1/app", strings.NewReader(appBody))
		defer func() {
			if got := recover(); !isAbort(got) {
				t.Errorf("panic is %v, want http.ErrAbortHandler", got)
			}
		}()
		sink.Handler().ServeHTTP(httptest.NewRecorder(), r)
	})

	t.Run("AbortsOnceClosed", func(t *testing.T) {
		t.Parallel()
		sink := openSink(t)
		sink.Close()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/events/api/v1/app", strings.NewReader(appBody))
		defer func() {
			if got := recover(); !isAbort(got) {
				t.Errorf("panic is %v, want http.ErrAbortHandler", got)
			}
		}()
		sink.Handler().ServeHTTP(httptest.NewRecorder(), r)
	})
}

func TestSink_ClientThatHangsUpOverASocketHasPostedNothing(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	ctx, hangUp := context.WithCancel(t.Context())
	sink.Intercept(func(testutil.Request) testutil.Reply {
		hangUp()
		return testutil.Reply{Delay: time.Hour}
	})
	_, _, err := post(ctx, socketClient(t), sink.URL(), "/app", appBody)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
	sink.Close() // waits for the request
	if n := len(sink.Received()); n != 0 {
		t.Errorf("%d events received, want none", n)
	}
}

// isAbort reports whether a handler has panicked to break off its connection.
func isAbort(recovered any) bool {
	err, ok := recovered.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}
