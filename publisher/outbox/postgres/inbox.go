package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn-go/events/publisher/outbox"
)

// InboxConfig configures an Inbox. The zero value is ready for use.
type InboxConfig struct {
	// Table is the inbox's own, in the schema of the connection's search path: lower-case
	// letters, digits and underscores. Defaults to "altinn_inbox".
	Table string

	// Keep is how long an event is remembered. Altinn Events sends an event again for
	// up to three days. Defaults to 30 days.
	Keep time.Duration
}

// Inbox remembers which pushed events were done, in the transaction that did them:
// a webhook.Inbox for many processes. A handler makes its changes in the transaction
// of InboxTx, so they and the mark that the event was done are there together or not
// at all, whatever dies in between.
//
// If two processes are given one event at a time, the second waits for the first,
// and has nothing to do or, if that failed, does it.
//
// It is safe for concurrent use, and holds nothing but the pool, which the caller
// closes. Each event that is handled has a connection of it.
type Inbox struct {
	pool  *pgxpool.Pool
	table string
	keep  time.Duration
	calls atomic.Int64
}

// inboxPurgeEvery is after how many events old ones are forgotten.
const inboxPurgeEvery = 1000

// NewInbox returns the inbox of a database, and makes its table if it is not there:
//
//	CREATE TABLE altinn_inbox (source text, id text, done_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (source, id))
//	CREATE INDEX altinn_inbox_done_at ON altinn_inbox (done_at)
func NewInbox(ctx context.Context, pool *pgxpool.Pool, cfg InboxConfig) (*Inbox, error) {
	if cfg.Table == "" {
		cfg.Table = "altinn_inbox"
	}
	if cfg.Keep == 0 {
		cfg.Keep = 30 * 24 * time.Hour
	}
	var faults []error
	if !schemaName.MatchString(cfg.Table) {
		faults = append(faults, fmt.Errorf("postgres.InboxConfig: Table is %q, want 1 to 46 lower-case letters, digits and underscores, no digit first", cfg.Table))
	}
	if cfg.Keep < 0 {
		faults = append(faults, fmt.Errorf("postgres.InboxConfig: Keep is %v, want a positive duration", cfg.Keep))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	b := &Inbox{pool: pool, table: cfg.Table, keep: cfg.Keep}
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		var exists bool
		// Processes that start together make it one after the other.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", b.table).Scan(&exists); err != nil || exists {
			return err
		}
		_, err := tx.Exec(ctx, `CREATE TABLE `+b.table+` (source text, id text, done_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (source, id));
			CREATE INDEX `+b.table+`_done_at ON `+b.table+` (done_at)`)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("postgres inbox: %w", err)
	}
	return b, nil
}

// inboxTxKey is the context key of a pgx.Tx.
type inboxTxKey struct{}

// InboxTx returns the transaction in which a handler makes its changes, from the
// context that it was given. The inbox commits or rolls back; the handler does not.
func InboxTx(ctx context.Context) (pgx.Tx, bool) {
	tx, ok := ctx.Value(inboxTxKey{}).(pgx.Tx)
	return tx, ok
}

// Once calls do in a transaction, unless the event of an id and source was done
// before, and commits if do returns nil. The error is do's, or the database's.
func (b *Inbox) Once(ctx context.Context, id, source string, do func(context.Context) error) error {
	var handlerErr error
	err := pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error {
		if b.calls.Add(1)%inboxPurgeEvery == 0 {
			if _, err := tx.Exec(ctx, "DELETE FROM "+b.table+" WHERE done_at < now() - make_interval(secs => $1)", b.keep.Seconds()); err != nil {
				return err
			}
		}
		added, err := tx.Exec(ctx, "INSERT INTO "+b.table+" (source, id) VALUES ($1, $2) ON CONFLICT DO NOTHING", source, id)
		if err != nil || added.RowsAffected() == 0 {
			return err
		}
		handlerErr = do(context.WithValue(ctx, inboxTxKey{}, tx))
		return handlerErr
	})
	if handlerErr != nil {
		return handlerErr
	}
	if err != nil {
		return &outbox.StoreError{Op: "inbox", Err: err}
	}
	return nil
}
