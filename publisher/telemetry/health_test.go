package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/telemetry"
	"github.com/altinn-go/events/testutil"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stats outbox.Stats
		var failure error
		relaying := true
		h := telemetry.Health(telemetry.HealthConfig{
			Stats:    func(context.Context) (outbox.Stats, error) { return stats, failure },
			Relaying: func() bool { return relaying }, MaxAge: time.Minute,
		})
		check := func(name string, status int, want map[string]any) {
			t.Helper()
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
			var got map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != status {
				t.Errorf("%s: %d, %v", name, w.Code, err)
			}
			for member, value := range want {
				if got[member] != value {
					t.Errorf("%s: %s is %v, want %v", name, member, got[member], value)
				}
			}
		}
		stats = outbox.Stats{Pending: 3, Sending: 1, Discarded: 2, OldestPending: time.Now()}
		check("fresh", 200, map[string]any{"status": "ok", "pending": 3.0, "sending": 1.0, "discarded": 2.0, "relaying": true})
		time.Sleep(61 * time.Second)
		check("old", 503, map[string]any{"status": "failing", "reason": "the oldest event waits longer than 1m0s", "oldestAgeSeconds": 61.0})
		stats = outbox.Stats{}
		check("empty", 200, map[string]any{"status": "ok", "oldestAgeSeconds": 0.0})
		relaying = false
		check("stopped", 503, map[string]any{"reason": "no events are being delivered", "relaying": false})
		relaying, failure = true, errors.New("password of "+person)
		check("unreadable", 503, map[string]any{"reason": "the queue cannot be read"})
	})
}

// The look at the queue ends after Timeout, which -1 turns off.
func TestHealth_Timeout(t *testing.T) {
	t.Parallel()
	for timeout, want := range map[time.Duration]int{0: http.StatusServiceUnavailable, time.Minute: http.StatusOK, -1: http.StatusOK} {
		synctest.Test(t, func(t *testing.T) {
			h := telemetry.Health(telemetry.HealthConfig{Timeout: timeout, Stats: func(ctx context.Context) (outbox.Stats, error) {
				select {
				case <-ctx.Done():
				case <-time.After(3 * time.Second):
				}
				return outbox.Stats{}, ctx.Err()
			}})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
			if w.Code != want {
				t.Errorf("with %v: %d, want %d", timeout, w.Code, want)
			}
		})
	}
}

// A check of no queue is a mistake that shows at once and not at the first probe.
func TestHealth_NoStats(t *testing.T) {
	t.Parallel()
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "Stats is nil") {
			t.Errorf("Health panicked with %q", text)
		}
	}()
	telemetry.Health(telemetry.HealthConfig{})
}

// The publisher says whether it relays.
func TestPublisher_Relaying(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := testutil.NewSink(t)
		for _, cfg := range []publisher.Config{{}, {Queue: outbox.NewMemory(outbox.Config{})}} {
			pub := sink.PublisherWithConfig(t, cfg)
			if !pub.Relaying() {
				t.Error("a new publisher does not relay")
			}
			if err := pub.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if pub.Relaying() {
				t.Error("a closed publisher relays")
			}
		}
	})
}
