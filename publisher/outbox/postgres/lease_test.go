package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
)

// What a process has under way stays its own as long as it lives, even when it
// takes much longer than a dead one would be given.
func TestLease_LivingProcessKeepsItsEvents(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	first := open(t, pool, postgres.Config{Workers: 1})
	second := open(t, newPool(t, pool.Config().ConnString()), postgres.Config{Workers: 1})
	begun, release := make(chan struct{}), make(chan struct{})
	run(t, first, func(context.Context, outbox.Item) outbox.Outcome {
		close(begun) // a second call would panic
		<-release
		return outbox.Outcome{}
	})
	enqueue(t, first, item("slow", "k"))
	<-begun
	run(t, second, func(_ context.Context, it outbox.Item) outbox.Outcome {
		t.Errorf("%s was sent by the other process too", it.ID)
		return outbox.Outcome{}
	})
	<-time.After(postgres.DeadAfter + 2*postgres.WatchEvery + time.Second)
	close(release)
	settled(t, first, outbox.Stats{Delivered: 1})
	var fetched int
	err := pool.QueryRow(t.Context(), "SELECT cardinality(attempted_by) FROM altinn_outbox.river_job").Scan(&fetched)
	if err != nil || fetched != 1 {
		t.Errorf("the event was handed out %d times (%v), want once", fetched, err)
	}
}

func TestLeaseNumber(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]struct {
		number int32
		ours   bool
	}{
		"altinn-outbox-0000002a": {42, true},
		"altinn-outbox-ffffffff": {-1, true},
		"altinn-outbox-":         {0, false},
		"altinn-outbox-xyz":      {0, false},
		"somebody-0000002a":      {42, false},
	} {
		number, ours := postgres.LeaseNumber(id)
		if ours != want.ours || ours && number != want.number {
			t.Errorf("LeaseNumber(%q) = %d, %v; want %d, %v", id, number, ours, want.number, want.ours)
		}
	}
}
