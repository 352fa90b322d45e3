package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
)

// countUpdates has the database count the updates of every job from now on.
func countUpdates(t *testing.T, pool *pgxpool.Pool) (perJob func() map[int64]int) {
	t.Helper()
	_, err := pool.Exec(t.Context(), `
		CREATE TABLE updates (id bigint);
		CREATE FUNCTION note_update() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN INSERT INTO updates VALUES (NEW.id); RETURN NULL; END';
		CREATE TRIGGER note_update AFTER UPDATE ON altinn_outbox.river_job
			FOR EACH ROW EXECUTE FUNCTION note_update();`)
	if err != nil {
		t.Fatal(err)
	}
	return func() map[int64]int {
		t.Helper()
		rows, err := pool.Query(t.Context(), "SELECT id, count(*) FROM updates GROUP BY id")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		counts := map[int64]int{}
		for rows.Next() {
			var (
				id int64
				n  int
			)
			if err := rows.Scan(&id, &n); err != nil {
				t.Fatal(err)
			}
			counts[id] = n
		}
		return counts
	}
}

// A head that is refused again and again must not make its successors churn.
func TestRun_BlockedLineCostsNoMoreThanItsHead(t *testing.T) {
	t.Parallel()
	const line, attempts = 50, 12
	pool := migrated(t)
	q := open(t, pool, postgres.Config{})
	updates := countUpdates(t, pool)
	var (
		down  atomic.Bool
		tried atomic.Int32
		mu    sync.Mutex
		sent  []string
	)
	down.Store(true)
	enqueue(t, q, items(line, "k")...)
	run(t, q, func(_ context.Context, it outbox.Item) outbox.Outcome {
		if down.Load() {
			tried.Add(1)
			return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(100 * time.Millisecond), Reason: "down"}
		}
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, it.ID)
		return outbox.Outcome{}
	})
	eventually(t, "attempts of the head", func() bool { return tried.Load() >= attempts })

	head, most, blocked := tried.Load(), 0, 0
	for id, n := range updates() {
		if id > 1 {
			blocked += n
			most = max(most, n)
		}
	}
	t.Logf("%d attempts of the head; behind it %.1f updates per event, %d at most", head, float64(blocked)/(line-1), most)
	if most > attempts/3 {
		t.Errorf("an event behind the head was updated %d times in %d attempts of the head", most, head)
	}

	down.Store(false)
	start := time.Now()
	settled(t, q, outbox.Stats{Delivered: line})
	var want []string
	for n := range line {
		want = append(want, fmt.Sprint("k-", n))
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	total := 0
	for _, n := range updates() {
		total += n
	}
	t.Logf("then delivered in %v; %.1f updates per event in all", time.Since(start).Round(time.Millisecond), float64(total)/line)
}

// Two processes share a line of one key: neither overtakes the other.
func TestRun_OrderAcrossProcesses(t *testing.T) {
	t.Parallel()
	const keys, perKey = 5, 40
	pool := migrated(t)
	var (
		mu   sync.Mutex
		sent = map[string]int{}
		by   [2]int
	)
	first := open(t, pool, postgres.Config{Workers: 8})
	second := open(t, newPool(t, pool.Config().ConnString()), postgres.Config{Workers: 8})
	for n, q := range []*postgres.Queue{first, second} {
		run(t, q, func(_ context.Context, it outbox.Item) outbox.Outcome {
			mu.Lock()
			defer mu.Unlock()
			by[n]++
			if want := fmt.Sprint(it.Key, "-", sent[it.Key]); it.ID != want {
				t.Errorf("%s came, want %s", it.ID, want)
			}
			sent[it.Key]++
			return outbox.Outcome{}
		})
	}
	for n := range perKey {
		for key := range keys {
			k := fmt.Sprint("k", key)
			enqueue(t, first, item(fmt.Sprint(k, "-", n), k))
		}
	}
	settled(t, first, outbox.Stats{Delivered: keys * perKey})
	if by[0] == 0 || by[1] == 0 {
		t.Errorf("deliveries by process: %v, want some by each", by)
	}
}

// An outcome that the database does not know yet is not lost with River's own
// write, and what was discarded says why.
func TestRun_DiscardIsARiverCancellation(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	q := open(t, pool, postgres.Config{})
	run(t, q, func(context.Context, outbox.Item) outbox.Outcome {
		return outbox.Outcome{State: outbox.Discard, Reason: "400: no such party"}
	})
	enqueue(t, q, item("no", "k"))
	settled(t, q, outbox.Stats{Discarded: 1})
	var state, reason string
	err := pool.QueryRow(t.Context(), "SELECT state::text, errors[1]->>'error' FROM altinn_outbox.river_job").Scan(&state, &reason)
	if err != nil {
		t.Fatal(err)
	}
	if state != "cancelled" || reason != "400: no such party" {
		t.Errorf("job is %s because of %q, want cancelled with the reason", state, reason)
	}
}

// What is here waits for its turn behind slow answers, and is not sent to the end of
// the line.
func TestRelay_WaitsBehindSlowAnswers(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	q := open(t, pool, postgres.Config{Workers: 1})
	enqueue(t, q, item("1", "a"), item("2", "b"), item("3", "c"))
	run(t, q, func(context.Context, outbox.Item) outbox.Outcome {
		<-time.After(6 * time.Second)
		return outbox.Outcome{}
	})
	eventually(t, "three are delivered", func() bool {
		stats, err := q.Stats(t.Context())
		return err == nil && stats.Delivered == 3
	})
	var snoozed int
	err := pool.QueryRow(t.Context(), "SELECT count(*) FROM altinn_outbox.river_job WHERE metadata ? 'snoozes'").Scan(&snoozed)
	if err != nil || snoozed != 0 {
		t.Errorf("%d were put back, %v", snoozed, err)
	}
}
