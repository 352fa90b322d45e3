package testutil_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/testutil"
)

func TestSink_Transport(t *testing.T) {
	t.Parallel()

	t.Run("DoesNotChangeTheRequest", func(t *testing.T) {
		t.Parallel()
		sink := openSink(t)
		body := &closingBody{Reader: io.LimitReader(neverRead{}, 0)}
		header := http.Header{"content-type": {"application/json"}}
		req := &http.Request{Method: http.MethodPost, Header: header.Clone(), Body: body}
		req = req.WithContext(t.Context())
		req.URL = mustURL(t, "http://sink/events/api/v1/app?x=1")
		resp, err := sink.Transport().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		// The sink knows the header by its canonical name, and the body is empty.
		if resp.StatusCode != http.StatusBadRequest || resp.Request != req {
			t.Errorf("answer to %v is %s", resp.Request, resp.Status)
		}
		if diff := cmp.Diff(header, req.Header); diff != "" {
			t.Errorf("the request's header has changed:\n%s", diff)
		}
		if !body.closed {
			t.Error("the request's body is still open")
		}
	})

	t.Run("ReportsABodyThatCannotBeRead", func(t *testing.T) {
		t.Parallel()
		sink := openSink(t)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://sink/events/api/v1/app", neverRead{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sink.Transport().RoundTrip(req); !errors.Is(err, errNeverRead) {
			t.Errorf("error is %v, want the body's", err)
		}
	})

	t.Run("AnswersWithTheLengthOfTheBody", func(t *testing.T) {
		t.Parallel()
		resp, body, err := post(t.Context(), openSink(t).Client(), "http://sink", "/app", appBody)
		if err != nil {
			t.Fatal(err)
		}
		if resp.ContentLength != int64(len(body)) || len(body) != 38 || resp.Status != "201 Created" {
			t.Errorf("%s, %d bytes announced, body is %s", resp.Status, resp.ContentLength, body)
		}
	})
}

func TestSink_TransportInABubble(t *testing.T) {
	t.Parallel()
	t.Run("DelaysInVirtualTime", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			sink := openSink(t)
			sink.Inject(testutil.Fault{Delay: 50 * time.Minute, Times: 1})
			began := time.Now()
			mustPost(t, sink, "/app", appBody)
			if took := time.Since(began); took != 50*time.Minute {
				t.Errorf("took %v, want 50m", took)
			}
			if at := sink.Received()[0].ReceivedAt; at.Sub(began) != 50*time.Minute {
				t.Errorf("received after %v, want 50m", at.Sub(began))
			}
		})
	})

	t.Run("GivesUpWithTheContext", func(t *testing.T) {
		t.Parallel()
		for name, fault := range map[string]testutil.Fault{
			"Delay":  {Delay: time.Hour},
			"Hang":   {Hang: true},
			"Status": {Delay: time.Hour, Status: 503},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					sink := openSink(t)
					lift := sink.Inject(fault)
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					began := time.Now()
					_, _, err := post(ctx, sink.Client(), "http://sink", "/app", appBody)
					if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
						t.Errorf("after %v: %v, want the deadline after 1m", time.Since(began), err)
					}
					lift()
					sink.RequireNone(t, testutil.Want{}, 2*time.Hour)
				})
			})
		}
	})

	t.Run("TimesOutWithTheClient", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			sink := openSink(t)
			sink.Inject(testutil.Fault{Hang: true})
			client := sink.Client()
			client.Timeout = 30 * time.Second
			_, _, err := post(t.Context(), client, "http://sink", "/app", appBody)
			if timeout, ok := errors.AsType[interface {
				error
				Timeout() bool
			}](err); !ok || !timeout.Timeout() {
				t.Errorf("error is %v, want a timeout", err)
			}
		})
	})

	t.Run("SendsNothingForAContextThatHasEnded", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			sink := openSink(t)
			sink.Intercept(func(testutil.Request) testutil.Reply {
				t.Error("the request arrived")
				return testutil.Reply{}
			})
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errNeverRead)
			_, _, err := post(ctx, sink.Client(), "http://sink", "/app", appBody)
			if !errors.Is(err, errNeverRead) {
				t.Errorf("error is %v, want the context's cause", err)
			}
		})
	})

	t.Run("BreaksOffWhenTheSinkCloses", func(t *testing.T) {
		t.Parallel()
		for name, fault := range map[string]testutil.Fault{"Delay": {Delay: time.Hour}, "Hang": {Hang: true}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					sink := openSink(t)
					sink.Inject(fault)
					time.AfterFunc(time.Minute, sink.Close)
					_, _, err := post(t.Context(), sink.Client(), "http://sink", "/app", appBody)
					if !errors.Is(err, io.EOF) {
						t.Errorf("error is %v, want EOF", err)
					}
					if n := len(sink.Received()); n != 0 {
						t.Errorf("%d events received, want none", n)
					}
				})
			})
		}
	})
}
