package sqlite_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

func TestSweep(t *testing.T) {
	t.Parallel()
	discard := func(_ context.Context, it outbox.Item) outbox.Outcome {
		if it.Key == "no" {
			return outbox.Outcome{State: outbox.Discard, Reason: "no"}
		}
		return outbox.Outcome{}
	}
	for name, c := range map[string]struct {
		cfg               sqlite.Config
		after, just, long outbox.Stats // at once, just before and well after two hours
	}{
		"Defaults": {
			sqlite.Config{},
			outbox.Stats{Delivered: 1, Discarded: 1},
			outbox.Stats{Delivered: 1, Discarded: 1},
			outbox.Stats{Discarded: 1},
		},
		"ByAge": {
			sqlite.Config{KeepDelivered: 2 * time.Hour, KeepDiscarded: 2 * time.Hour},
			outbox.Stats{Delivered: 1, Discarded: 1},
			outbox.Stats{Delivered: 1, Discarded: 1},
			outbox.Stats{},
		},
		"KeepNone": {
			sqlite.Config{KeepDelivered: -1},
			outbox.Stats{Discarded: 1},
			outbox.Stats{Discarded: 1},
			outbox.Stats{Discarded: 1},
		},
		"DiscardedSooner": {
			sqlite.Config{KeepDiscarded: time.Hour},
			outbox.Stats{Delivered: 1, Discarded: 1},
			outbox.Stats{Delivered: 1},
			outbox.Stats{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c.cfg.PollInterval = -1
				q, _ := setup(t, c.cfg)
				run(t, q, discard)
				enqueue(t, q, item("1", "yes"), item("2", "no"))
				check := func(wait time.Duration, want outbox.Stats) {
					t.Helper()
					time.Sleep(wait)
					if got := stats(t, q); got != want {
						t.Errorf("Stats = %+v, want %+v", got, want)
					}
				}
				check(time.Second, c.after)
				check(2*time.Hour-2*time.Second, c.just)
				check(24*time.Hour, c.long)
			})
		})
	}
}

func TestSweep_DeletesMoreThanABatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, _ := setup(t, sqlite.Config{KeepDelivered: time.Minute, PollInterval: -1})
		var items []outbox.Item
		for n := range 1234 {
			items = append(items, item(time.Duration(n).String(), time.Duration(n%99).String()))
		}
		enqueue(t, q, items...)
		stop := run(t, q, func(context.Context, outbox.Item) outbox.Outcome { return outbox.Outcome{} })
		if err := q.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := stats(t, q); s.Delivered != 1234 {
			t.Errorf("Stats = %+v, want all delivered", s)
		}
		time.Sleep(2 * time.Minute)
		stop()
		if s := stats(t, q); s != (outbox.Stats{}) {
			t.Errorf("Stats = %+v, want none kept", s)
		}
	})
}

func TestSweepInterval(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cfg  sqlite.Config
		want time.Duration
	}{
		{sqlite.Config{}, time.Hour},
		{sqlite.Config{KeepDelivered: 12 * time.Hour}, 30 * time.Minute},
		{sqlite.Config{KeepDelivered: 1000 * time.Hour}, time.Hour},
		{sqlite.Config{KeepDelivered: time.Second}, time.Second},
		{sqlite.Config{KeepDelivered: -1}, 0},
		{sqlite.Config{KeepDelivered: -1, KeepDiscarded: 24 * time.Minute}, time.Minute},
		{sqlite.Config{KeepDiscarded: 24 * time.Minute}, time.Minute},
	} {
		q, _ := setup(t, c.cfg)
		if got := sqlite.SweepInterval(q); got != c.want {
			t.Errorf("%+v: every %v, want %v", c.cfg, got, c.want)
		}
	}
}
