package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

func TestRelay_SleepsWhileNothingIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, _ := setup(t, sqlite.Config{PollInterval: -1})
		calls := 0
		enqueue(t, q, item("1", "k"))
		run(t, q, func(context.Context, outbox.Item) outbox.Outcome {
			calls++
			return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(24 * time.Hour)}
		})
		time.Sleep(7*24*time.Hour - time.Second)
		synctest.Wait()
		if calls != 7 {
			t.Errorf("%d attempts in a week of daily retries, want 7", calls)
		}
	})
}

func TestRelay_WritesOutcomesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, db := setup(t, sqlite.Config{Workers: 2})
		refuse(t, db, "BEFORE UPDATE OF state", "true")
		got := make(collector, 10)
		stop := run(t, q, got.deliver)
		enqueue(t, q, item("1", "a"), item("2", "b"), item("3", "c"))
		time.Sleep(time.Minute)
		if n := len(got); n != 2 {
			t.Errorf("%d deliveries while outcomes cannot be written, want as many as workers", n)
		}
		if s := stats(t, q); s.Sending != 2 || s.Pending != 1 {
			t.Errorf("Stats = %+v, want 2 sending", s)
		}
		allow(t, db)
		if err := q.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop()
		if s := stats(t, q); s.Delivered != 3 || len(got) != 3 {
			t.Errorf("Stats = %+v, want each delivered once, not %d deliveries", s, len(got))
		}
	})
}

func TestRelay_StopsThoughItCannotWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, db := setup(t, sqlite.Config{PollInterval: -1})
		refuse(t, db, "BEFORE UPDATE OF state", "true")
		got := make(collector, 10)
		ctx, cancel := context.WithCancel(t.Context())
		enqueue(t, q, item("1", "k"))
		time.AfterFunc(time.Minute, cancel)
		if err := q.Run(ctx, got.deliver); err == nil || !strings.Contains(err.Error(), "refused by the test") {
			t.Errorf("Run = %v, want why the outcome was not written", err)
		}
		allow(t, db)
		run(t, q, got.deliver)
		if diff := cmp.Diff([]string{"1", "1"}, got.next(t, 2)); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
	})
}

// refuse makes writes to the queue's rows fail for which condition holds.
func refuse(t *testing.T, db *sql.DB, when, condition string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), "CREATE TRIGGER refused "+when+" ON altinn_outbox_events WHEN "+condition+
		" BEGIN SELECT RAISE(ABORT, 'refused by the test'); END")
	if err != nil {
		t.Fatal(err)
	}
}

// refuseHalfWay refuses inserts when the row has been written, and has SQLite leave it
// there.
func refuseHalfWay(t *testing.T, db *sql.DB, condition string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), "CREATE TRIGGER refused AFTER INSERT ON altinn_outbox_events WHEN "+condition+
		" BEGIN SELECT RAISE(FAIL, 'refused by the test'); END")
	if err != nil {
		t.Fatal(err)
	}
}

func allow(t *testing.T, db *sql.DB) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), "DROP TRIGGER refused"); err != nil {
		t.Fatal(err)
	}
}

// backlogEnv is how many events TestBacklog has pending; it is skipped without.
const backlogEnv = "OUTBOX_BACKLOG"

// TestBacklog measures what a long backlog costs: memory, the time to start, and
// the rate of delivery.
func TestBacklog(t *testing.T) { //nolint:paralleltest // it measures the process's memory
	total, err := strconv.Atoi(os.Getenv(backlogEnv))
	if err != nil {
		t.Skip("set " + backlogEnv + " to a number of events")
	}
	q, db := setup(t, sqlite.Config{})
	const fill = `INSERT INTO altinn_outbox_events
		(id, source, type, key, endpoint, body, trace_parent, published_at, since, due)
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		SELECT 'id-' || i, 'https://ttd.apps.altinn.no/ttd/apps-test/instances/' || (i / 3), 'test.outbox',
			'https://ttd.apps.altinn.no/ttd/apps-test/instances/' || (i / 3), '/app', randomblob(400), '', i, i,
			iif(i % 3 = 0 OR i = 1, i, NULL) FROM n`
	if _, err := db.ExecContext(t.Context(), fill, total); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := residentBytes(t)

	start := time.Now()
	q = newQueue(t, db, sqlite.Config{})
	var delivered atomic.Int64
	first := make(chan time.Duration, 1)
	stop := run(t, q, func(context.Context, outbox.Item) outbox.Outcome {
		if delivered.Add(1) == 1 {
			first <- time.Since(start)
		}
		return outbox.Outcome{}
	})
	started := <-first
	<-time.After(3 * time.Second)
	n, took := delivered.Load(), time.Since(start)
	more := residentBytes(t) - before
	stop()
	statsAt := time.Now()
	s := stats(t, q)
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
