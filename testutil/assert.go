package testutil

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/altinn-go/events/models"
)

// Require returns the one stored event that want describes, as a copy. It looks
// now; for events that are still on their way there is Eventually.
//
// The test fails, at once, if no event matches or more than one does. The report
// shows the nearest misses with what differs, and the requests that the sink
// refused.
func (s *Sink) Require(tb testing.TB, want Want) event.Event {
	tb.Helper()
	entries, _ := s.store.since(0)
	return s.require(tb, want, entries, "No event matches")
}

// Eventually waits until a stored event matches want and returns a copy of it. An
// event that came before the call counts. It sleeps until an event arrives.
//
// The test fails, at once, if ctx ends before an event matches or if more than one
// does when the first is seen. Give ctx a deadline: without one a missing event
// shows only when "go test" times out.
func (s *Sink) Eventually(ctx context.Context, tb testing.TB, want Want) event.Event {
	tb.Helper()
	began := time.Now()
	if s.await(ctx, want) == nil {
		entries, _ := s.store.since(0)
		return s.require(tb, want, entries, fmt.Sprintf("No event matched within %v (%v)", time.Since(began), context.Cause(ctx)))
	}
	return s.Require(tb, want)
}

// RequireNone fails the test, at once, if a stored event matches want or if one
// comes within the given time. With 0 it only looks. It sleeps until an event
// arrives.
func (s *Sink) RequireNone(tb testing.TB, want Want, within time.Duration) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), within)
	defer cancel()
	if e := s.await(ctx, want); e != nil {
		tb.Fatal(s.reporter().unwanted(want, e))
	}
}

// await returns the first entry that matches want, or nil if there is none when
// ctx ends.
func (s *Sink) await(ctx context.Context, want Want) *entry {
	seq := 0
	for {
		// Looked at before the store, so that nothing that came in time is missed.
		ended := ctx.Err() != nil
		entries, changed := s.store.since(seq)
		for _, e := range entries {
			if !e.Duplicate && want.matches(e.Event) {
				return e
			}
			seq = e.seq
		}
		if ended {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// require returns the one match among entries, or fails the test. The headline is
// that of the report if there is none.
func (s *Sink) require(tb testing.TB, want Want, entries []*entry, headline string) event.Event {
	tb.Helper()
	var matches, stored []*entry
	for _, e := range entries {
		if e.Duplicate {
			continue
		}
		stored = append(stored, e)
		if want.matches(e.Event) {
			matches = append(matches, e)
		}
	}
	switch len(matches) {
	case 0:
		tb.Fatal(s.reporter().missing(headline, want, stored))
	case 1:
		return matches[0].Event.Clone()
	default:
		tb.Fatal(s.reporter().ambiguous(want, matches))
	}
	return event.Event{}
}

// RequireOrder fails the test, at once, unless the stored events of an instance have
// exactly these types, in order of arrival. The instance is the extension
// resourceinstance: "{party}/{guid}" of an app, the id of a file transfer.
func (s *Sink) RequireOrder(tb testing.TB, resourceInstance string, types ...string) {
	tb.Helper()
	var got []string
	for _, ev := range s.Events() {
		if extensionText(ev, models.ExtResourceInstance) == resourceInstance {
			got = append(got, ev.Type())
		}
	}
	if diff := cmp.Diff(types, got, cmpopts.EquateEmpty()); diff != "" {
		tb.Fatalf("types of the events of instance %s (-want +got):\n%s", resourceInstance, diff)
	}
}

// RequireNoDuplicates fails the test, at once, if an event arrived more than once
// with the same id and source. Only those of POST /events can: POST /app gives each
// its own id, so that a retry there is another event.
func (s *Sink) RequireNoDuplicates(tb testing.TB) {
	tb.Helper()
	var again []string
	entries, _ := s.store.since(0)
	for _, e := range entries {
		if e.Duplicate {
			again = append(again, fmt.Sprintf("  %s %s", models.Redact(e.Event.Type()), models.Redact(e.Event.ID())))
		}
	}
	if again != nil {
		tb.Fatalf("%d events arrived again:\n%s", len(again), strings.Join(again, "\n"))
	}
}
