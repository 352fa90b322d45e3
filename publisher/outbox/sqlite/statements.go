package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
)

// A plus before a column keeps SQLite from choosing an index by it.
//
// OR FAIL leaves what a statement has done when it fails half-way, which is rolled back
// all the same, with the transaction or to a savepoint. Without it SQLite copies every
// page that a statement with triggers is about to change: a quarter of an insert's CPU.
//
// The head of a key's line is due; what has an older pending event of its key is
// not, and becomes due when that one leaves the line (see migrations/1.sql).
const (
	insertSQL = `INSERT OR FAIL INTO altinn_outbox_events
		(id, source, type, key, endpoint, body, trace_parent, published_at, since, due)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
			iif(EXISTS (SELECT 1 FROM altinn_outbox_events WHERE key = ?4 AND state = 0), NULL, ?9))
		ON CONFLICT (id, source) DO NOTHING`

	columns = `seq, state, since, due, attempt, published_at, id, source, type, key, endpoint, trace_parent, reason, body`

	dueSQL = `SELECT ` + columns + ` FROM altinn_outbox_events
		WHERE due <= ?1 AND seq NOT IN (SELECT value FROM json_each(?2)) ORDER BY due, seq LIMIT ?3`

	nextDueSQL = `SELECT due FROM altinn_outbox_events WHERE due > ?1 ORDER BY due LIMIT 1`

	pendingSQL = `SELECT events FROM altinn_outbox_depth WHERE state = 0`

	deliveredSQL = `UPDATE OR FAIL altinn_outbox_events SET state = 1, since = ?2, due = NULL, reason = '', attempt = attempt + 1
		WHERE +state = 0 AND seq IN (SELECT value FROM json_each(?1))`

	forgetSQL = `DELETE FROM altinn_outbox_events WHERE +state = 0 AND seq IN (SELECT value FROM json_each(?1))`

	retrySQL = `UPDATE OR FAIL altinn_outbox_events SET attempt = ?2, due = ?3, reason = ?4 WHERE seq = ?1 AND +state = 0`

	discardSQL = `UPDATE OR FAIL altinn_outbox_events SET state = 2, attempt = ?2, since = ?3, reason = ?4, due = NULL
		WHERE seq = ?1 AND +state = 0`

	// Of discarded events there may be few among many others, so they have an
	// index; the others are found on the way through the table.
	listDiscardedSQL = `SELECT ` + columns + ` FROM altinn_outbox_events INDEXED BY altinn_outbox_discarded
		WHERE state = 2 AND seq > ?1 ORDER BY seq LIMIT ?2`
	listSQL = `SELECT ` + columns + ` FROM altinn_outbox_events NOT INDEXED
		WHERE seq > ?1 AND state = ?3 ORDER BY seq LIMIT ?2`

	oldestSQL = `SELECT published_at FROM altinn_outbox_events WHERE state = 0 ORDER BY since LIMIT 1`

	foundSQL = `SELECT seq FROM altinn_outbox_events WHERE state = ?1 AND since <= ?2 ORDER BY since LIMIT ?3`
)

// statements are those of the writing connection.
type statements struct {
	begin, commit, rollback            *sql.Stmt
	insert, pending                    *sql.Stmt
	delivered, forget, retry, discards *sql.Stmt
	all                                []*sql.Stmt
}

func prepare(ctx context.Context, conn *sql.Conn) (statements, error) {
	var s statements
	for _, p := range []struct {
		to    **sql.Stmt
		query string
	}{
		{&s.begin, "BEGIN IMMEDIATE"},
		{&s.commit, "COMMIT"},
		{&s.rollback, "ROLLBACK"},
		{&s.insert, insertSQL},
		{&s.pending, pendingSQL},
		{&s.delivered, deliveredSQL},
		{&s.forget, forgetSQL},
		{&s.retry, retrySQL},
		{&s.discards, discardSQL},
	} {
		stmt, err := conn.PrepareContext(ctx, p.query) //nolint:sqlclosecheck // statements.close does
		if err != nil {
			return s, errors.Join(fmt.Errorf("prepare: %w", err), s.close())
		}
		*p.to = stmt
		s.all = append(s.all, stmt)
	}
	return s, nil
}

func (s *statements) close() error {
	var errs []error
	for _, stmt := range s.all {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(errs...)
}

// insertArgs are the arguments of insertSQL.
func insertArgs(item *outbox.Item, now time.Time) []any {
	published := item.PublishedAt
	if published.IsZero() {
		published = now
	}
	body := item.Body
	if body == nil {
		body = []byte{}
	}
	return []any{
		item.ID, item.Source, item.Type, item.Key, item.Endpoint, body, item.TraceParent,
		published.UnixNano(), now.UnixNano(),
	}
}

// pendingEvents reads how many events are pending, with a statement of pendingSQL.
func pendingEvents(ctx context.Context, stmt *sql.Stmt) (n int, err error) {
	if err := stmt.QueryRowContext(ctx).Scan(&n); err != nil {
		return 0, fmt.Errorf("read the depth: %w", err)
	}
	return n, nil
}
