package sqlite_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

func TestQueue_Drain(t *testing.T) {
	t.Parallel()
	t.Run("LeavesWhatWaitsForARetry", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q, _ := setup(t, sqlite.Config{})
			enqueue(t, q, item("1", "k"), item("2", "k"), item("3", "other"))
			run(t, q, func(_ context.Context, it outbox.Item) outbox.Outcome {
				if it.Key == "k" {
					return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(time.Hour)}
				}
				time.Sleep(time.Second)
				return outbox.Outcome{}
			})
			start := time.Now()
			if err := q.Drain(t.Context()); err != nil {
				t.Fatalf("Drain: %v", err)
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("Drain took %v, want it not to wait for the retry", took)
			}
			if s := stats(t, q); s.Pending != 2 || s.Delivered != 1 {
				t.Errorf("Stats = %+v, want what waits kept", s)
			}
		})
	})
	t.Run("SeesWhatATransactionJustCommitted", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q, db := setup(t, sqlite.Config{PollInterval: -1})
			got := make(collector, 1)
			run(t, q, got.deliver)
			time.Sleep(time.Second)
			tx := begin(t, db)
			if err := q.PublishTx(t.Context(), tx, newEvent("1")); err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			if err := q.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 {
				t.Error("Drain returned before the event was delivered")
			}
		})
	})
	t.Run("GoesOnWithTheNextRun", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q, _ := setup(t, sqlite.Config{Workers: 1})
			enqueue(t, q, item("1", "a"), item("2", "b"))
			ctx, cancel := context.WithCancel(t.Context())
			drained := make(chan error, 1)
			go func() { drained <- q.Drain(t.Context()) }()
			synctest.Wait()
			if err := q.Run(ctx, func(context.Context, outbox.Item) outbox.Outcome { cancel(); return outbox.Outcome{} }); err != nil {
				t.Fatalf("Run: %v", err)
			}
			if len(drained) != 0 {
				t.Error("Drain returned with an event left")
			}
			run(t, q, make(collector, 1).deliver)
			if err := <-drained; err != nil {
				t.Errorf("Drain: %v", err)
			}
		})
	})
}
