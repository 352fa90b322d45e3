package main

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
	"github.com/jackc/pgx/v5/pgxpool"
)

// retained is a durable queue that keeps many delivered events.
type retained struct {
	turns

	rows int // made so far
	// make adds delivered events with numbers from one up to another.
	make func(from, to int, since time.Time) error
	// settle has the store take notice of what was added.
	settle func() error
	bytes  func() (float64, error) // of the store
}

// agedRows are those that are old enough for a purge, of which one batch or two have
// to be found among all the others.
const agedRows = 1000

func (r *retained) at(ctx context.Context, rows int, statsLinear bool) ([]reading, error) {
	now := time.Now()
	for r.rows < rows {
		next := min(rows, r.rows+100_000)
		if err := r.make(r.rows, next, now); err != nil {
			return nil, err
		}
		r.rows = next
	}
	if err := r.settle(); err != nil {
		return nil, err
	}
	publish, deliver, stats, err := r.all(ctx)
	if err != nil {
		return nil, err
	}
	purge, err := best(func() (time.Duration, error) {
		if err := r.make(r.rows, r.rows+agedRows, now.Add(-2*time.Hour)); err != nil {
			return 0, err
		}
		r.rows += agedRows // of which the numbers are spent
		before := r.clock()
		n, err := r.queue.Purge(ctx, outbox.StatusDelivered, time.Hour)
		if err == nil && n != agedRows {
			err = errors.New("the purge has missed rows")
		}
		return (r.clock() - before) / agedRows, err
	})
	if err != nil {
		return nil, err
	}
	rss, err := residentBytes()
	if err != nil {
		return nil, err
	}
	used, err := r.bytes()
	return []reading{
		{what: "publish", perEvent: publish, memory: rss, memoryOf: "RSS"},
		{what: "deliver", perEvent: deliver},
		{what: "purge", perEvent: purge, memory: used, memoryOf: "on disk"},
		{what: "stats, per call", perEvent: stats, linear: statsLinear},
	}, err
}

const retainedSQLite = `INSERT INTO altinn_outbox_events
	(state, since, due, attempt, published_at, id, source, type, key, endpoint, trace_parent, body)
	WITH RECURSIVE numbers (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?2)
	SELECT 1, ?3, NULL, 1, ?3, printf('0192f0c1-7b1a-7000-8000-%012x', n), printf('%s/%012d', ?4, n / 3),
		'app.instance.created', printf('%s/%012d', ?4, n / 3), '/app', '', ?5 FROM numbers`

func sqliteRetained(ctx context.Context, _ *endpoint) (study, error) {
	db, remove, err := file()
	if err != nil {
		return study{}, err
	}
	queue, err := sqlite.New(db, sqlite.Config{Capacity: -1})
	if err != nil {
		return study{}, errors.Join(err, remove())
	}
	items, err := newNumbered()
	r := &retained{
		turns: turns{queue: queue, items: items, clock: processTime, events: 2000},
		make: func(from, to int, since time.Time) error {
			_, err := db.ExecContext(ctx, retainedSQLite, from, to, since.UnixNano(), items.template.Source, items.template.Body)
			return err
		},
		settle: func() error {
			_, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
			return err
		},
		bytes: func() (float64, error) { return pages(ctx, db) },
	}
	return study{
		at:    func(rows int) ([]reading, error) { return r.at(ctx, rows, false) },
		close: func() error { return errors.Join(queue.Close(context.Background()), remove()) },
	}, err
}

// pages is the size of a SQLite file.
func pages(ctx context.Context, db *sql.DB) (float64, error) {
	var count, each int
	err := errors.Join(
		db.QueryRowContext(ctx, "PRAGMA page_count").Scan(&count),
		db.QueryRowContext(ctx, "PRAGMA page_size").Scan(&each))
	return float64(count * each), err
}

// retainedPostgres copies a job that the queue itself has delivered.
const retainedPostgres = `INSERT INTO altinn_outbox.river_job (args, attempt, attempted_at, attempted_by, created_at, finalized_at,
		kind, max_attempts, metadata, priority, queue, state, scheduled_at, tags, unique_key, unique_states)
	SELECT args || jsonb_build_object('id', '0192f0c1-7b1a-7000-8000-' || lpad(to_hex(n), 12, '0'), 'source', source, 'key', source),
		attempt, $3, attempted_by, $3, $3, kind, max_attempts, metadata, priority, queue, state, $3, ARRAY[md5(source)],
		sha256(convert_to(n::text, 'UTF8')), unique_states
	FROM (SELECT * FROM altinn_outbox.river_job WHERE state = 'completed' ORDER BY id LIMIT 1) AS job,
		generate_series($1::bigint, $2::bigint - 1) AS n,
		LATERAL (SELECT args->>'source' || '/' || lpad((n / 3)::text, 12, '0') AS source) AS named`

// postgresRetained needs a server. What it costs is time on the wall, for the work is
// done there.
func postgresRetained(ctx context.Context, _ *endpoint) (study, error) {
	url := os.Getenv("TEST_DATABASE_URL")
	if url == "" {
		return study{}, errNoPostgres
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return study{}, err
	}
	if err := freshSchema(ctx, pool); err != nil {
		pool.Close()
		return study{}, err
	}
	queue, err := postgres.New(ctx, pool, postgres.Config{Capacity: -1})
	if err != nil {
		pool.Close()
		return study{}, err
	}
	items, err := newNumbered()
	r := &retained{
		turns: turns{queue: queue, items: items, clock: wallTime, events: 2000},
		make: func(from, to int, since time.Time) error {
			_, err := pool.Exec(ctx, retainedPostgres, from, to, since)
			return err
		},
		settle: func() error {
			_, err := pool.Exec(ctx, "VACUUM (ANALYZE) altinn_outbox.river_job") // as autovacuum does in time
			return err
		},
		bytes: func() (n float64, err error) {
			err = pool.QueryRow(ctx, "SELECT pg_total_relation_size('altinn_outbox.river_job')::float8").Scan(&n)
			return n, err
		},
	}
	if err == nil { // one to copy
		err = errors.Join(queue.Enqueue(ctx, items.next()), deliverAll(ctx, queue, 1))
	}
	return study{
		at: func(rows int) ([]reading, error) { return r.at(ctx, rows, true) },
		close: func() error {
			_, err := pool.Exec(context.Background(), "DROP SCHEMA altinn_outbox CASCADE")
			err = errors.Join(queue.Close(context.Background()), err)
			pool.Close()
			return err
		},
	}, err
}
