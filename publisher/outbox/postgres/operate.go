package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"

	"github.com/altinn-go/events/publisher/outbox"
)

// depth counts the unfinished events, up to a number.
func (q *Queue) depth(ctx context.Context, db querier, upTo int) (int, error) {
	var n int
	limit := &upTo
	if upTo < 0 {
		limit = nil
	}
	err := db.QueryRow(ctx, q.sql.depth, limit).Scan(&n)
	return n, err
}

// Stats implements outbox.Durable, for all processes together. It counts the
// table: a million events take some tenths of a second.
func (q *Queue) Stats(ctx context.Context) (outbox.Stats, error) {
	var (
		s      outbox.Stats
		oldest *string
	)
	err := q.pool.QueryRow(ctx, q.sql.stats).Scan(&s.Pending, &s.Sending, &s.Delivered, &s.Discarded, &oldest)
	if err == nil && oldest != nil {
		s.OldestPending, err = time.Parse(time.RFC3339Nano, *oldest)
	}
	if err != nil {
		return outbox.Stats{}, &outbox.StoreError{Op: "stats", Err: err}
	}
	return s, nil
}

// Discarded implements outbox.Durable. It lists jobs that somebody cancelled in
// River too.
func (q *Queue) Discarded(ctx context.Context, page outbox.Page) ([]outbox.DiscardedItem, error) {
	records, err := q.list(ctx, outbox.StatusDiscarded, page)
	if err != nil {
		return nil, &outbox.StoreError{Op: "list discarded events", Err: err}
	}
	var items []outbox.DiscardedItem
	for i := range records {
		r := &records[i]
		items = append(items, outbox.DiscardedItem{Item: r.Item, Seq: r.Seq, Reason: r.Reason, DiscardedAt: r.Since})
	}
	return items, nil
}

// List implements outbox.Durable.
func (q *Queue) List(ctx context.Context, status outbox.Status, page outbox.Page) ([]outbox.Record, error) {
	records, err := q.list(ctx, status, page)
	if err != nil {
		return nil, &outbox.StoreError{Op: fmt.Sprintf("list %v events", status), Err: err}
	}
	return records, nil
}

func (q *Queue) list(ctx context.Context, status outbox.Status, page outbox.Page) ([]outbox.Record, error) {
	if page.Limit == 0 {
		page.Limit = 100
	}
	text, err := of(q.sql.list, status)
	if err != nil {
		return nil, err
	}
	rows, err := q.pool.Query(ctx, text, page.After, page.Limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (outbox.Record, error) {
		r, err := scanRecord(row)
		r.Status = status
		if status != outbox.StatusPending {
			r.NextAttempt = time.Time{}
		}
		return r, err
	})
}

// scanRecord reads a row of the list query.
func scanRecord(row pgx.CollectableRow) (outbox.Record, error) {
	var (
		r                  outbox.Record
		args, meta, failed []byte
		attempt            int
		behind             bool
	)
	err := row.Scan(&r.Seq, &args, &meta, &failed, &attempt, &r.NextAttempt, &r.Since, &behind)
	if err != nil {
		return outbox.Record{}, err
	}
	var a eventArgs
	if err := json.Unmarshal(args, &a); err != nil {
		return outbox.Record{}, fmt.Errorf("job %d: the args are no event", r.Seq)
	}
	m, err := readMetadata(meta)
	if err != nil {
		return outbox.Record{}, fmt.Errorf("job %d: %w", r.Seq, err)
	}
	r.Item = a.item()
	r.Attempt = m.Attempts + attempt
	r.Reason = m.Reason
	if behind {
		r.NextAttempt = time.Time{}
	}
	var last rivertype.AttemptError
	if failed != nil && json.Unmarshal(failed, &last) == nil {
		r.Reason = last.Error
	}
	return r, nil
}

// Requeue implements outbox.Durable.
func (q *Queue) Requeue(ctx context.Context, seqs ...int64) (int, error) {
	tag, err := q.pool.Exec(ctx, q.sql.requeue, seqs, time.Now().Format(time.RFC3339Nano))
	if err != nil {
		return 0, &outbox.StoreError{Op: "requeue", Err: err}
	}
	return int(tag.RowsAffected()), nil
}

// purgeBatch bounds what one statement of Purge deletes.
const purgeBatch = 1000

// Purge implements outbox.Durable.
func (q *Queue) Purge(ctx context.Context, status outbox.Status, olderThan time.Duration) (int, error) {
	total, err := q.purge(ctx, status, olderThan)
	if err != nil {
		return total, &outbox.StoreError{Op: "purge", Err: err}
	}
	return total, nil
}

func (q *Queue) purge(ctx context.Context, status outbox.Status, olderThan time.Duration) (total int, err error) {
	if status != outbox.StatusDelivered && status != outbox.StatusDiscarded {
		return 0, errors.New("events are " + status.String() + ", want delivered or discarded")
	}
	text, err := of(q.sql.purge, status)
	if err != nil {
		return 0, err
	}
	for {
		tag, err := q.pool.Exec(ctx, text, olderThan.Seconds(), purgeBatch)
		if err != nil {
			return total, err
		}
		total += int(tag.RowsAffected())
		if tag.RowsAffected() < purgeBatch {
			return total, nil
		}
	}
}
