package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
)

func TestLine(t *testing.T) {
	t.Parallel()
	if a, b := postgres.Line("a"), postgres.Line("b"); a == b || len(a) != 32 {
		t.Errorf("lines of a and b are %q and %q, want two of 32 characters", a, b)
	}
}

// Nobody is told when the head of a line is deleted by hand. The sweep finds what
// stood behind it.
func TestLines_SweepFindsWhatNobodyWoke(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	q := open(t, pool, postgres.Config{})
	run(t, q, func(_ context.Context, it outbox.Item) outbox.Outcome {
		if it.ID == "k-0" {
			return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(time.Hour)}
		}
		return outbox.Outcome{}
	})
	enqueue(t, q, items(3, "k")...)
	eventually(t, "two events parked", func() bool { return parked(t, pool) == 2 })
	if _, err := pool.Exec(t.Context(), "DELETE FROM altinn_outbox.river_job WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	settled(t, q, outbox.Stats{Delivered: 2})
}

// A long line behind a head that waits is parked by few statements and does not
// pass through the workers.
func TestLines_LongLineIsParkedUnfetched(t *testing.T) {
	t.Parallel()
	const line = 1500
	pool := migrated(t)
	q := open(t, pool, postgres.Config{Workers: 1})
	updates := countUpdates(t, pool)
	enqueue(t, q, items(line, "k")...)
	run(t, q, func(context.Context, outbox.Item) outbox.Outcome {
		return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(time.Hour)}
	})
	eventually(t, "the line parked", func() bool { return parked(t, pool) == line-1 })
	total := 0
	for _, n := range updates() {
		total += n
	}
	t.Logf("%.2f updates per event", float64(total)/line)
	if total > line*5/4 {
		t.Errorf("%d updates for a line of %d, want little more than one each", total, line)
	}
}
