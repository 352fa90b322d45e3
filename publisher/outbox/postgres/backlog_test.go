package postgres_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
)

// backlogEnv is how many events TestBacklog has pending; it is skipped without.
const backlogEnv = "OUTBOX_BACKLOG"

// TestBacklog measures what a long backlog costs: memory, the time to start, and
// the rate of delivery.
func TestBacklog(t *testing.T) { //nolint:paralleltest // it measures the process's memory
	total, err := strconv.Atoi(os.Getenv(backlogEnv))
	if err != nil {
		t.Skip("set " + backlogEnv + " to a number of events")
	}
	pool := migrated(t)
	// Lines of three events, as River would have inserted them.
	const fill = `INSERT INTO altinn_outbox.river_job (args, kind, max_attempts, queue, state, tags)
		SELECT jsonb_build_object('id', 'id-' || i, 'source', source, 'type', 'test.outbox', 'key', source, 'endpoint', '/app',
				'body', encode(sha256(i::text::bytea) || repeat('x', 370)::bytea, 'base64'),
				'published_at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
			'altinn_event', 32767, 'altinn_events', 'available', ARRAY[substr(encode(sha256(source::bytea), 'hex'), 1, 32)]
		FROM (SELECT i, 'https://ttd.apps.altinn.no/ttd/apps-test/instances/' || i / 3 AS source
			FROM generate_series(1, $1::int) AS i) AS n`
	if _, err := pool.Exec(t.Context(), fill, total); err != nil {
		t.Fatal(err)
	}
	for _, settle := range []string{"VACUUM ANALYZE altinn_outbox.river_job", "CHECKPOINT"} {
		if _, err := pool.Exec(t.Context(), settle); err != nil {
			t.Fatal(err)
		}
	}
	before := residentBytes(t)

	start := time.Now()
	q := open(t, pool, postgres.Config{Capacity: -1})
	var delivered atomic.Int64
	first := make(chan time.Duration, 1)
	stop := run(t, q, func(context.Context, outbox.Item) outbox.Outcome {
		if delivered.Add(1) == 1 {
			first <- time.Since(start)
		}
		return outbox.Outcome{}
	})
	started := <-first
	// So many, because the first write to a page after a checkpoint writes all of it.
	for delivered.Load() < min(int64(total)*4/5, 60_000) {
		<-time.After(time.Millisecond)
	}
	n, took := delivered.Load(), time.Since(start)-started
	more := residentBytes(t) - before
	stop()
	statsAt := time.Now()
	s, err := q.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d pending: first delivery after %v, %.0f deliveries/s, %d KiB more memory, Stats in %v: %+v",
		total, started, float64(n)/took.Seconds(), more>>10, time.Since(statsAt), s)
	if more > 64<<20 {
		t.Errorf("%d MiB more memory, want 64 at most", more>>20)
	}
}

// residentBytes is the memory of the process that is in use.
func residentBytes(t *testing.T) int {
	t.Helper()
	runtime.GC()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("needs /proc")
	}
	var size, resident int
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * os.Getpagesize()
}
