package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
)

func TestRetryPolicy_NeverInThePastNorFar(t *testing.T) {
	t.Parallel()
	for _, rescues := range []int{0, 1, 8, 100} {
		if in := time.Until(postgres.NextRetry(rescues)); in < 900*time.Millisecond || in > 5*time.Minute {
			t.Errorf("after %d rescues in %v, want 1 s to 5 min", rescues, in)
		}
	}
}

// A delivery that panics loses nothing, whether River or a predecessor brought the
// event, and the database learns nothing of what it said.
func TestRun_PanicIsAnotherAttempt(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	q := open(t, pool, postgres.Config{Workers: 1})
	run(t, q, func(_ context.Context, it outbox.Item) outbox.Outcome {
		if it.Attempt == 1 {
			panic("an Observer's, say, about 01017512345")
		}
		return outbox.Outcome{}
	})
	enqueue(t, q, items(2, "k")...)
	settled(t, q, outbox.Stats{Delivered: 2})
	var told int
	err := pool.QueryRow(t.Context(), "SELECT count(*) FROM altinn_outbox.river_job AS j WHERE j::text LIKE '%01017512345%'").Scan(&told)
	if err != nil || told != 0 {
		t.Errorf("%d rows (%v) hold what the panic said, want none", told, err)
	}
}
