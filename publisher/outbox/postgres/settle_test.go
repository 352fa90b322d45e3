package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
)

func TestAttemptError(t *testing.T) {
	t.Parallel()
	var got struct {
		Attempt int    `json:"attempt"`
		Error   string `json:"error"`
	}
	if err := json.Unmarshal([]byte(postgres.AttemptError("400: unknown")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Attempt != 2 || got.Error != "400: unknown" {
		t.Errorf("attempt error = %+v, want the reason", got)
	}
}

// An event that is claimed after its predecessor keeps its own count of attempts
// when it fails, its reason, and its time.
func TestSettle_PutsBackWhatWasClaimed(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	q := open(t, pool, postgres.Config{Workers: 1})
	var second atomic.Int32
	var due atomic.Int64
	release := make(chan struct{})
	run(t, q, func(_ context.Context, it outbox.Item) outbox.Outcome {
		if it.ID != "k-1" {
			<-release
			return outbox.Outcome{}
		}
		if n := int(second.Add(1)); it.Attempt != n {
			t.Errorf("attempt %d is called the %d.", n, it.Attempt)
		}
		if early := time.Until(time.UnixMilli(due.Load())); early > 0 {
			t.Errorf("attempt %d came %v before it was due", it.Attempt, early)
		}
		if it.Attempt == 4 {
			return outbox.Outcome{State: outbox.Discard, Reason: "enough"}
		}
		at := time.Now().Add(300 * time.Millisecond)
		due.Store(at.UnixMilli())
		return outbox.Outcome{State: outbox.Retry, RetryAt: at, Reason: fmt.Sprint("503 number ", it.Attempt)}
	})
	enqueue(t, q, items(3, "k")...)
	eventually(t, "two events parked", func() bool { return parked(t, pool) == 2 })
	close(release)
	settled(t, q, outbox.Stats{Delivered: 2, Discarded: 1})
	gone, err := q.Discarded(t.Context(), outbox.Page{})
	if err != nil || len(gone) != 1 || gone[0].Attempt != 4 || gone[0].Reason != "enough" {
		t.Errorf("Discarded = %+v, %v; want the event after 4 attempts", gone, err)
	}
}

// Events that follow each other through memory are noted together. What comes after
// them is claimed once, and sent once.
func TestSettle_ClaimsOnce(t *testing.T) {
	t.Parallel()
	const keys, perKey = 20, 50
	q := open(t, migrated(t), postgres.Config{})
	var all []outbox.Item
	for key := range keys {
		all = append(all, items(perKey, fmt.Sprint("k", key))...)
	}
	enqueue(t, q, all...)
	var mu sync.Mutex
	next := map[string]int{}
	run(t, q, func(_ context.Context, it outbox.Item) outbox.Outcome {
		mu.Lock()
		defer mu.Unlock()
		if want := fmt.Sprint(it.Key, "-", next[it.Key]); it.ID != want {
			t.Errorf("%s was sent, want %s", it.ID, want)
		}
		next[it.Key]++
		return outbox.Outcome{}
	})
	settled(t, q, outbox.Stats{Delivered: keys * perKey})
}
