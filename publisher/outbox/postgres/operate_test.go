package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
)

func TestQueue_List_SendingAndPages(t *testing.T) {
	t.Parallel()
	q := open(t, migrated(t), postgres.Config{})
	release := make(chan struct{})
	run(t, q, func(context.Context, outbox.Item) outbox.Outcome {
		<-release
		return outbox.Outcome{}
	})
	t.Cleanup(func() { close(release) })
	enqueue(t, q, item("1", "a"), item("2", "b"), item("3", "c"))
	settled(t, q, outbox.Stats{Sending: 3})
	var ids []string
	var page outbox.Page
	for page.Limit = 2; ; {
		records, err := q.List(t.Context(), outbox.StatusSending, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			ids = append(ids, r.ID)
			page.After = r.Seq
			if r.Attempt != 1 || r.Status != outbox.StatusSending {
				t.Errorf("record %+v, want the first attempt, sending", r)
			}
		}
		if len(records) < page.Limit {
			break
		}
	}
	if diff := cmp.Diff([]string{"1", "2", "3"}, ids); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if _, err := q.List(t.Context(), outbox.Status(99), outbox.Page{}); err == nil {
		t.Error("List of an unknown status = nil, want an error")
	}
}

func TestQueue_Purge_ManyBatches(t *testing.T) {
	t.Parallel()
	const total = 2500
	pool := migrated(t)
	q := open(t, pool, postgres.Config{})
	enqueue(t, q, items(total, "k")...)
	_, err := pool.Exec(t.Context(), "UPDATE altinn_outbox.river_job SET state = 'completed', finalized_at = now()")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := q.Purge(t.Context(), outbox.StatusDelivered, time.Hour); n != 0 || err != nil {
		t.Errorf("Purge of what is older than an hour = %d, %v; want 0", n, err)
	}
	if n, err := q.Purge(t.Context(), outbox.StatusDelivered, 0); n != total || err != nil {
		t.Errorf("Purge = %d, %v; want %d", n, err, total)
	}
}
