package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
)

// Queue is an outbox.Queue in an SQLite file. It is safe for concurrent use.
type Queue struct {
	cfg    Config
	name   string // by which PublishTx recognises the file
	source connector
	db     *sql.DB // connections of our own: one writes, the others read
	writer *writer
	wake   chan struct{} // holds a token when the relay is to look for events

	mu      sync.Mutex
	closed  bool
	cancel  context.CancelFunc // ends Run
	running chan struct{}      // closed when Run has returned; nil while nobody runs
	standby bool               // Run waits for another process
	sending int
	drains  []chan struct{} // to be closed when nothing is due
	release func() error
}

var _ outbox.Durable = (*Queue)(nil)

// New returns the queue that lives in db's file, next to the app's own tables. It
// makes or updates the queue's tables, whose names begin "altinn_outbox_".
//
// The queue opens connections of its own with db's driver, in WAL mode, and leaves
// db to whoever opened it; close the queue first. On db it uses only transactions
// that are handed to PublishTx. It checks that db's connections are as safe as
// Config.Synchronous says: one here, and every one that PublishTx comes with.
//
// The error names every fault of cfg, or says what is wrong with the file: it is
// in memory, no database, corrupt, or of a newer version of this library.
func New(db *sql.DB, cfg Config) (*Queue, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	q := &Queue{cfg: cfg.withDefaults(), wake: make(chan struct{}, 1)}
	if err := q.open(context.Background(), db); err != nil {
		return nil, fmt.Errorf("sqlite queue: %w", err)
	}
	return q, nil
}

func (q *Queue) open(ctx context.Context, db *sql.DB) (err error) {
	path, err := filePath(ctx, db)
	if err != nil {
		return err
	}
	var level int
	if err := db.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&level); err != nil {
		return fmt.Errorf("PRAGMA synchronous: %w", err)
	}
	if err := q.checkSynchronous(level); err != nil {
		return err
	}
	q.source = connector{driver: db.Driver(), path: path, pragmas: []string{
		"busy_timeout = " + busyTimeout,
		"journal_mode = WAL",
		"synchronous = " + q.cfg.Synchronous.String(),
	}}
	q.db = sql.OpenDB(q.source)
	defer func() {
		if err != nil {
			err = errors.Join(err, q.db.Close())
		}
	}()
	conn, err := q.db.Conn(ctx)
	if err != nil {
		return err
	}
	if err := checkJournal(ctx, conn); err != nil {
		return errors.Join(err, conn.Close())
	}
	if q.name, err = migrate(ctx, conn); err != nil {
		return errors.Join(err, conn.Close())
	}
	stmts, err := prepare(ctx, conn)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	q.writer = newWriter(ctx, conn, stmts, q.cfg)
	q.release = sync.OnceValue(func() error {
		q.writer.stop()
		return errors.Join(q.writer.close(), q.db.Close())
	})
	return nil
}

func (q *Queue) checkSynchronous(level int) error {
	if level < q.cfg.Synchronous.level() {
		return fmt.Errorf("the app's connection has PRAGMA synchronous = %d, want %d (%v) or more: open the database with sqlite.OpenDB or set it on every connection",
			level, q.cfg.Synchronous.level(), q.cfg.Synchronous)
	}
	return nil
}

func checkJournal(ctx context.Context, conn *sql.Conn) error {
	var mode string
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return fmt.Errorf("PRAGMA journal_mode: %w", err)
	}
	if mode != "wal" {
		return fmt.Errorf("PRAGMA journal_mode is %s and cannot be made wal", mode)
	}
	return nil
}

// Enqueue implements outbox.Queue. Items are on disk when it returns nil: calls
// that come at the same time share one transaction and its fsync.
//
// A goroutine that holds a transaction on the same file waits for itself here:
// use PublishTx there. The wait ends after 10 s or with ctx.
func (q *Queue) Enqueue(ctx context.Context, items ...outbox.Item) error {
	if len(items) == 0 {
		return nil
	}
	if q.cfg.Capacity > 0 && len(items) > q.cfg.Capacity {
		return fmt.Errorf("%w: %d events at once, the capacity is %d", outbox.ErrFull, len(items), q.cfg.Capacity)
	}
	err := q.writer.do(ctx, len(items), func(ctx context.Context) error { return q.insert(ctx, items) })
	if err != nil {
		return &outbox.StoreError{Op: "enqueue", Err: err}
	}
	q.signal()
	return nil
}

// insert inserts items within a transaction of the writer.
func (q *Queue) insert(ctx context.Context, items []outbox.Item) error {
	now := time.Now()
	for i := range items {
		if _, err := q.writer.stmts.insert.ExecContext(ctx, insertArgs(&items[i], now)...); err != nil {
			return err
		}
	}
	return nil
}

// signal makes the relay look for events.
func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Close implements outbox.Queue. What is not delivered stays in the file.
//
// When ctx ends while deliveries are under way, Close returns an error, and the
// connections are closed as soon as the last of them has been settled.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	running := q.running
	if running != nil {
		q.cancel()
	}
	q.mu.Unlock()
	q.writer.refuse()

	if running != nil {
		select {
		case <-running:
		case <-ctx.Done():
			return fmt.Errorf("close: deliveries are still under way: %w", context.Cause(ctx))
		}
	}
	return q.release()
}
