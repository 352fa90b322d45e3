package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
)

// InboxConfig configures an Inbox. The zero value is ready for use.
type InboxConfig struct {
	// Keep is how long an event is remembered. Altinn Events sends an event again for
	// up to three days. Defaults to 30 days.
	Keep time.Duration
}

// Inbox remembers which pushed events were done, in the transaction that did them:
// a webhook.Inbox. A handler makes its changes in the transaction of InboxTx, so they
// and the mark that the event was done are there together or not at all, whatever
// dies in between.
//
// SQLite has one writer at a time, so events are handled one after the other, and
// everybody else who writes to the file waits for the handler. Do what takes long
// before, or elsewhere.
//
// It is safe for concurrent use, and holds nothing but the database, which the caller
// closes.
type Inbox struct {
	db    *sql.DB
	keep  time.Duration
	calls atomic.Int64
}

// inboxSchema is the inbox's own: a subscriber need not have a queue.
const inboxSchema = `
CREATE TABLE IF NOT EXISTS altinn_inbox (
	source  TEXT NOT NULL,
	id      TEXT NOT NULL,
	done_at INTEGER NOT NULL, -- Unix seconds
	PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS altinn_inbox_done_at ON altinn_inbox (done_at);`

// inboxPurgeEvery is after how many events old ones are forgotten.
const inboxPurgeEvery = 1000

// NewInbox returns the inbox of a database that OpenDB has opened, and makes its table.
func NewInbox(db *sql.DB, cfg InboxConfig) (*Inbox, error) {
	if cfg.Keep < 0 {
		return nil, fmt.Errorf("sqlite.InboxConfig: Keep is %v, want a positive duration", cfg.Keep)
	}
	if cfg.Keep == 0 {
		cfg.Keep = 30 * 24 * time.Hour
	}
	if _, err := db.ExecContext(context.Background(), inboxSchema); err != nil {
		return nil, fmt.Errorf("sqlite inbox: %w", err)
	}
	return &Inbox{db: db, keep: cfg.Keep}, nil
}

// inboxTxKey is the context key of a *sql.Tx.
type inboxTxKey struct{}

// InboxTx returns the transaction in which a handler makes its changes, from the
// context that it was given. The inbox commits or rolls back; the handler does not.
func InboxTx(ctx context.Context) (*sql.Tx, bool) {
	tx, ok := ctx.Value(inboxTxKey{}).(*sql.Tx)
	return tx, ok
}

// Once calls do in a transaction, unless the event of an id and source was done
// before, and commits if do returns nil. The error is do's, or the database's.
func (b *Inbox) Once(ctx context.Context, id, source string, do func(context.Context) error) (err error) {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return &outbox.StoreError{Op: "inbox", Err: err}
	}
	defer func() {
		if undo := tx.Rollback(); !errors.Is(undo, sql.ErrTxDone) && err == nil {
			err = undo
		}
	}()
	now := time.Now()
	if b.calls.Add(1)%inboxPurgeEvery == 0 {
		if _, err := tx.ExecContext(ctx, "DELETE FROM altinn_inbox WHERE done_at < ?", now.Add(-b.keep).Unix()); err != nil {
			return &outbox.StoreError{Op: "inbox", Err: err}
		}
	}
	result, err := tx.ExecContext(ctx, "INSERT INTO altinn_inbox (source, id, done_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", source, id, now.Unix())
	if err != nil {
		return &outbox.StoreError{Op: "inbox", Err: err}
	}
	added, err := result.RowsAffected()
	if err != nil {
		return &outbox.StoreError{Op: "inbox", Err: err}
	}
	if added > 0 {
		if err := do(context.WithValue(ctx, inboxTxKey{}, tx)); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return &outbox.StoreError{Op: "inbox", Err: err}
	}
	return nil
}
