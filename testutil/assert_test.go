package testutil_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/testutil"
)

func TestSink_Require(t *testing.T) {
	t.Parallel()

	t.Run("ReturnsTheOneMatch", func(t *testing.T) {
		t.Parallel()
		sink := openSink(t)
		postEvent(t, sink, "a")
		postEvent(t, sink, "b")
		postEvent(t, sink, "b")
		tb := record(t, func(tb *recordingTB) {
			if ev := sink.Require(tb, testutil.Want{ID: "b"}); ev.ID() != "b" {
				t.Errorf("returned %v", ev)
			}
		})
		if tb.ended {
			t.Errorf("failed: %s", tb.failure)
		}
	})

	t.Run("FailsAtOnce", func(t *testing.T) {
		t.Parallel()
		for name, want := range map[string]testutil.Want{"WithoutMatch": {ID: "c"}, "WithTwo": {}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				sink := openSink(t)
				postEvent(t, sink, "a")
				postEvent(t, sink, "b")
				tb := record(t, func(tb *recordingTB) {
					sink.Require(tb, want)
					t.Error("Require has returned")
				})
				if !tb.ended {
					t.Error("the test has not failed")
				}
			})
		}
	})
}

func TestSink_Eventually(t *testing.T) {
	t.Parallel()
	t.Run("ReturnsWhatIsThere", func(t *testing.T) {
		t.Parallel()
		sink := openSink(t)
		postEvent(t, sink, "a")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if ev := sink.Eventually(ctx, t, testutil.Want{}); ev.ID() != "a" {
			t.Errorf("returned %v", ev)
		}
	})

	t.Run("WakesForTheMatch", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			sink := openSink(t)
			time.AfterFunc(time.Minute, func() { postEvent(t, sink, "a") })
			time.AfterFunc(time.Hour, func() { postEvent(t, sink, "b") })
			looks, began := 0, time.Now()
			ev := sink.Eventually(t.Context(), t, testutil.Want{Match: func(ev event.Event) error {
				looks++
				if ev.ID() != "b" {
					return errors.New("another id")
				}
				return nil
			}})
			if ev.ID() != "b" || time.Since(began) != time.Hour {
				t.Errorf("returned %s after %v, want b after 1h", ev.ID(), time.Since(began))
			}
			// Once at each as it comes, once at each to see that only one matches.
			if looks != 4 {
				t.Errorf("looked %d times, want 4: it is to wake for events, not to poll", looks)
			}
		})
	})

	t.Run("FailsWithTheContext", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			sink := openSink(t)
			postEvent(t, sink, "a")
			began := time.Now()
			tb := record(t, func(tb *recordingTB) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				sink.Eventually(ctx, tb, testutil.Want{ID: "b"})
				t.Error("Eventually has returned")
			})
			if time.Since(began) != time.Minute ||
				!strings.HasPrefix(tb.failure, "No event matched within 1m0s (context deadline exceeded):\n    id: \"b\"\n") {
				t.Errorf("after %v: %s", time.Since(began), tb.failure)
			}
		})
	})

	t.Run("FailsForTwo", func(t *testing.T) {
		t.Parallel()
		sink := openSink(t)
		postEvent(t, sink, "a")
		postEvent(t, sink, "b")
		tb := record(t, func(tb *recordingTB) { sink.Eventually(t.Context(), tb, testutil.Want{}) })
		if !strings.HasPrefix(tb.failure, "2 events match, want exactly one:\n") {
			t.Errorf("failure is %q", tb.failure)
		}
	})
}

// TestSink_AssertionsAreAboutStoredEvents posts an event again with another subject,
// which the service does not store.
func TestSink_AssertionsAreAboutStoredEvents(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	postEvent(t, sink, "a")
	postEvent(t, sink, "a", "/party/50015641", "/party/1")
	if r := sink.Received(); len(r) != 2 || r[1].Event.Subject() != "/party/1" {
		t.Fatalf("received %v", r)
	}
	want := testutil.Want{Subject: "/party/1"}
	sink.RequireNone(t, want, 0)
	if tb := record(t, func(tb *recordingTB) { sink.Require(tb, want) }); !tb.ended {
		t.Error("Require has found it")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if tb := record(t, func(tb *recordingTB) { sink.Eventually(ctx, tb, want) }); !tb.ended {
		t.Error("Eventually has found it")
	}
}

func TestSink_RequireNone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		at     time.Duration // when the event comes; negative: before
		within time.Duration
		fails  bool
		took   time.Duration
	}{
		"Before":         {-1, 0, true, 0},
		"BeforeAndTime":  {-1, time.Hour, true, 0},
		"Within":         {time.Minute, time.Hour, true, time.Minute},
		"After":          {time.Hour, time.Minute, false, time.Minute},
		"LooksOnly":      {time.Minute, 0, false, 0},
		"NegativeWithin": {time.Minute, -1, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sink := openSink(t)
				postEvent(t, sink, "other")
				if tt.at < 0 {
					postEvent(t, sink, "a")
				} else {
					defer time.AfterFunc(tt.at, func() { postEvent(t, sink, "a") }).Stop()
				}
				began := time.Now()
				tb := record(t, func(tb *recordingTB) { sink.RequireNone(tb, testutil.Want{ID: "a"}, tt.within) })
				if tb.ended != tt.fails || time.Since(began) != tt.took {
					t.Errorf("failed: %v after %v, want %v after %v", tb.ended, time.Since(began), tt.fails, tt.took)
				}
				if tt.fails && !strings.HasPrefix(tb.failure, "An event matches, want none:\n    id: \"a\"\n") {
					t.Errorf("failure is %q", tb.failure)
				}
			})
		})
	}
}
