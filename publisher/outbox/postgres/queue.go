package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/altinn-go/events/publisher/outbox"
)

// Queue is an outbox.Queue in a PostgreSQL database, on River. Any number of
// processes share one. It is safe for concurrent use.
type Queue struct {
	cfg      Config
	pool     *pgxpool.Pool
	inserter *river.Client[pgx.Tx]
	sql      queries
	room     *room
	closing  chan struct{} // closed by Close

	mu      sync.Mutex
	closed  bool
	running chan struct{} // closed when Run has returned; nil while nobody runs
}

var _ outbox.Durable = (*Queue)(nil)

// New returns the queue in cfg's schema of pool's database. Migrate makes its
// tables first.
//
// The queue uses pool and leaves it to whoever opened it; close the queue first.
// While it runs it keeps up to eight of pool's connections busy, one of them to
// listen, and one connection of its own. LISTEN needs sessions: a PgBouncer in
// between must be in session mode.
//
// The error names every fault of cfg, or says what is missing in the database and
// how to mend it.
func New(ctx context.Context, pool *pgxpool.Pool, cfg Config) (*Queue, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	q := &Queue{cfg: cfg.withDefaults(), pool: pool, closing: make(chan struct{})}
	if err := checkMigrated(ctx, pool, q.cfg); err != nil {
		return nil, fmt.Errorf("postgres queue: %w", err)
	}
	inserter, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema:        q.cfg.Schema,
		FetchCooldown: fetchCooldown, // also how often inserts notify
		Logger:        slog.New(warnings{q.cfg.Logger.Handler()}),
	})
	if err != nil {
		return nil, fmt.Errorf("postgres queue: %w", err)
	}
	q.inserter = inserter
	q.sql = newQueries(q.cfg.Schema)
	q.room = newRoom(q.cfg, q.depth)
	return q, nil
}

// Enqueue implements outbox.Queue. Items are committed when it returns nil.
//
// When the database cannot be reached the error says so, and wraps the
// *pgconn.ConnectError or *pgconn.PgError if there is one. When the connection is
// lost in the middle, nobody knows whether the items were taken: enqueue them
// again, those that were are no second events.
func (q *Queue) Enqueue(ctx context.Context, items ...outbox.Item) error {
	if len(items) == 0 {
		return nil
	}
	if err := q.enqueue(ctx, items); err != nil {
		return &outbox.StoreError{Op: "enqueue", Err: err}
	}
	return nil
}

func (q *Queue) enqueue(ctx context.Context, items []outbox.Item) error {
	if err := q.awaitRoom(ctx, len(items)); err != nil {
		return err
	}
	defer q.room.settle(len(items))
	params := insertParams(items)
	for range staleConns {
		_, err := q.inserter.InsertMany(ctx, params)
		if err == nil || !pgconn.SafeToRetry(err) {
			return err
		}
	}
	_, err := q.inserter.InsertMany(ctx, params)
	return err
}

// staleConns is how many connections of the pool may turn out to be dead before
// Enqueue gives up, as they all are after a restart of the database.
const staleConns = 100

// awaitRoom waits until there is room for n events, Close is called or ctx ends.
func (q *Queue) awaitRoom(ctx context.Context, n int) error {
	if q.isClosed() {
		return outbox.ErrClosed
	}
	ctx, cancel := q.untilClosing(ctx)
	defer cancel()
	err := q.room.reserve(ctx, q.pool, n, q.cfg.WhenFull == outbox.Wait)
	if errors.Is(context.Cause(ctx), outbox.ErrClosed) {
		return outbox.ErrClosed
	}
	return err
}

// untilClosing returns a context that ends with ctx, or with ErrClosed as its
// cause when the queue is closed.
func (q *Queue) untilClosing(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	over := make(chan struct{})
	go func() {
		select {
		case <-q.closing:
			cancel(outbox.ErrClosed)
		case <-ctx.Done():
		}
		close(over)
	}()
	return ctx, func() {
		cancel(context.Canceled)
		<-over
	}
}

func (q *Queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// Run implements outbox.Queue. It needs the database to begin and returns an error
// if it cannot be reached. Later it outlasts any loss of the database: deliveries
// under way are noted when it is back.
//
// A delivery is cut short after 30 s; keep publisher.Config.TryTimeout below that.
func (q *Queue) Run(ctx context.Context, deliver func(context.Context, outbox.Item) outbox.Outcome) error {
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return outbox.ErrClosed
	case q.running != nil:
		q.mu.Unlock()
		return errors.New("queue runs already: one Run at a time")
	}
	done := make(chan struct{})
	q.running = done
	q.mu.Unlock()

	err := q.run(ctx, deliver)

	q.mu.Lock()
	defer q.mu.Unlock()
	q.running = nil
	close(done)
	if err != nil {
		return &outbox.StoreError{Op: "relay", Err: err}
	}
	return nil
}

// Drain implements outbox.Queue. It waits for the events that the queue holds when
// it is called, whichever process delivers them, and not for later ones. It returns
// when what is left of them waits for a retry, its own or that of an earlier event
// of its key.
func (q *Queue) Drain(ctx context.Context) error {
	if err := q.drain(ctx); err != nil {
		return &outbox.StoreError{Op: "drain", Err: err}
	}
	return nil
}

func (q *Queue) drain(ctx context.Context) error {
	var last int64
	if err := q.pool.QueryRow(ctx, q.sql.last).Scan(&last); err != nil {
		return err
	}
	for {
		start := time.Now()
		var left int
		err := q.pool.QueryRow(ctx, q.sql.due, last).Scan(&left)
		if err == nil && left == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return q.undrained(ctx)
		}
		if err != nil {
			return err
		}
		select {
		case <-time.After(max(q.cfg.PollInterval, 10*time.Since(start))):
		case <-ctx.Done():
			return q.undrained(ctx)
		}
	}
}

// undrained is the error of a Drain whose ctx has ended.
func (q *Queue) undrained(ctx context.Context) error {
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	left, err := q.depth(look, q.pool, q.cfg.Capacity)
	if err != nil {
		return fmt.Errorf("events are not delivered yet: %w", context.Cause(ctx))
	}
	return fmt.Errorf("%d events not delivered yet: %w", left, context.Cause(ctx))
}

// Close implements outbox.Queue. What is not delivered stays in the database, for
// the other processes or the next one.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.closing)
	}
	running := q.running
	q.mu.Unlock()

	if running == nil {
		return nil
	}
	select {
	case <-running:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close: deliveries are still under way: %w", context.Cause(ctx))
	}
}
