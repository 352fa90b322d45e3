package sqlite

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
)

// Stats implements outbox.Durable. Sending counts the deliveries of this process;
// those of another count as pending. It costs the same at any depth.
func (q *Queue) Stats(ctx context.Context) (outbox.Stats, error) {
	var (
		s      outbox.Stats
		oldest *int64
	)
	err := q.db.QueryRowContext(ctx, `SELECT
		(SELECT events FROM altinn_outbox_depth WHERE state = 0),
		(SELECT events FROM altinn_outbox_depth WHERE state = 1),
		(SELECT events FROM altinn_outbox_depth WHERE state = 2),
		(`+oldestSQL+`)`).
		Scan(&s.Pending, &s.Delivered, &s.Discarded, &oldest)
	if err != nil {
		return outbox.Stats{}, &outbox.StoreError{Op: "stats", Err: err}
	}
	if oldest != nil {
		s.OldestPending = time.Unix(0, *oldest)
	}
	q.mu.Lock()
	s.Sending = min(q.sending, s.Pending)
	q.mu.Unlock()
	s.Pending -= s.Sending
	return s, nil
}

// Discarded implements outbox.Durable.
func (q *Queue) Discarded(ctx context.Context, page outbox.Page) ([]outbox.DiscardedItem, error) {
	rows, err := q.list(ctx, stateDiscarded, page)
	if err != nil {
		return nil, &outbox.StoreError{Op: "list discarded events", Err: err}
	}
	var items []outbox.DiscardedItem
	for i := range rows {
		r := &rows[i]
		items = append(items, outbox.DiscardedItem{Item: r.Item, Seq: r.seq, Reason: r.reason, DiscardedAt: r.since})
	}
	return items, nil
}

// List implements outbox.Durable. Events that are being sent are listed as pending.
func (q *Queue) List(ctx context.Context, status outbox.Status, page outbox.Page) ([]outbox.Record, error) {
	var state int
	switch status {
	case outbox.StatusPending:
		state = statePending
	case outbox.StatusDelivered:
		state = stateDelivered
	case outbox.StatusDiscarded:
		state = stateDiscarded
	default:
		return nil, fmt.Errorf("list events: unknown status %v", status)
	}
	rows, err := q.list(ctx, state, page)
	if err != nil {
		return nil, &outbox.StoreError{Op: fmt.Sprintf("list %v events", status), Err: err}
	}
	var records []outbox.Record
	for i := range rows {
		r := &rows[i]
		records = append(records, outbox.Record{
			Item: r.Item, Seq: r.seq, Status: status, Reason: r.reason, Since: r.since, NextAttempt: r.due,
		})
	}
	return records, nil
}

func (q *Queue) list(ctx context.Context, state int, page outbox.Page) ([]row, error) {
	if page.Limit == 0 {
		page.Limit = 100
	}
	query, args := listSQL, []any{page.After, page.Limit, state}
	if state == stateDiscarded {
		query, args = listDiscardedSQL, args[:2]
	}
	found, err := q.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	rows, _, err := scanRows(found, math.MaxInt)
	return rows, err
}

// Requeue implements outbox.Durable.
func (q *Queue) Requeue(ctx context.Context, seqs ...int64) (int, error) {
	var requeued int
	err := q.writer.do(ctx, 0, func(ctx context.Context) error {
		requeued = 0
		for _, seq := range seqs {
			n, err := q.requeue(ctx, seq)
			if err != nil {
				return err
			}
			requeued += n
		}
		return nil
	})
	if err != nil {
		return 0, &outbox.StoreError{Op: "requeue", Err: err}
	}
	q.signal()
	return requeued, nil
}

// requeue moves one discarded event to the end of its key's line, as a new row.
func (q *Queue) requeue(ctx context.Context, seq int64) (int, error) {
	found, err := q.writer.conn.QueryContext(ctx,
		`DELETE FROM altinn_outbox_events WHERE seq = ?1 AND state = 2 RETURNING `+columns, seq)
	if err != nil {
		return 0, err
	}
	rows, _, err := scanRows(found, math.MaxInt)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	item := rows[0].Item
	item.PublishedAt = time.Now()
	return 1, q.insert(ctx, []outbox.Item{item})
}

// purgeBatch bounds what one transaction of Purge deletes, so that nobody waits
// long for it.
const purgeBatch = 500

// Purge implements outbox.Durable.
func (q *Queue) Purge(ctx context.Context, status outbox.Status, olderThan time.Duration) (int, error) {
	var state int
	switch status {
	case outbox.StatusDelivered:
		state = stateDelivered
	case outbox.StatusDiscarded:
		state = stateDiscarded
	default:
		return 0, fmt.Errorf("purge: events are %v, want delivered or discarded", status)
	}
	before := time.Now().Add(-olderThan).UnixNano()
	for total := 0; ; {
		n, err := q.purge(ctx, state, before)
		total += n
		if err != nil {
			return total, &outbox.StoreError{Op: "purge", Err: err}
		}
		if n == 0 {
			return total, nil
		}
	}
}

// purge deletes a batch of rows that came to state at or before a time. It writes
// only when there are any.
func (q *Queue) purge(ctx context.Context, state int, before int64) (deleted int, err error) {
	var some bool
	err = q.db.QueryRowContext(ctx, `SELECT EXISTS (`+foundSQL+`)`, state, before, 1).Scan(&some)
	if err != nil || !some {
		return 0, err
	}
	err = q.writer.do(ctx, 0, func(ctx context.Context) error {
		result, err := q.writer.conn.ExecContext(ctx,
			`DELETE FROM altinn_outbox_events WHERE seq IN (`+foundSQL+`)`, state, before, purgeBatch)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		deleted = int(n)
		return err
	})
	return deleted, err
}
