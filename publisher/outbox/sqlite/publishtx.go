package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
)

// PublishTx writes the events in the caller's own transaction: when that commits
// they are published, when it rolls back they never were. The relay finds them
// within Config.PollInterval of the commit.
//
// As Publish does, it first validates, fills and encodes all of them; if one
// breaks a rule, or anything else fails, nothing is written and tx can go on. An
// event whose id and source the queue holds already is no second event.
//
// Order holds between transactions on one key of which one began after the other
// had committed. SQLite lets only one transaction write at a time, so those of
// OpenDB never overlap.
//
// Errors: for each faulty event a *publisher.EventError that wraps a
// *models.ValidationError; outbox.ErrFull beyond Config.Capacity, without a wait;
// outbox.ErrClosed; and an error that says so if tx is of another file, or of a
// connection less safe than Config.Synchronous.
func (q *Queue) PublishTx(ctx context.Context, tx *sql.Tx, events ...event.Event) error {
	if len(events) == 0 {
		return nil
	}
	now := time.Now()
	ctxs := make([]context.Context, len(events))
	items := make([]outbox.Item, len(events))
	var errs []error
	for i, ev := range events {
		var err error
		if ctxs[i], items[i], err = q.encode(ctx, ev, now); err != nil {
			errs = append(errs, err)
		}
	}
	err := errors.Join(errs...)
	if err == nil {
		if err = q.insertTx(ctx, tx, items, now); err != nil {
			err = &outbox.StoreError{Op: "publish in transaction", Err: err}
		}
	}
	for i := range items {
		q.cfg.Observer.Published(ctxs[i], items[i], err) //nolint:contextcheck // the Observer's own, made from ctx
	}
	return err
}

// encode returns ev as an item, and the context that the Observer gave it.
func (q *Queue) encode(ctx context.Context, ev event.Event, now time.Time) (context.Context, outbox.Item, error) {
	ctx, traceParent := q.cfg.Observer.Publishing(ctx, ev)
	item, err := q.cfg.Encoder.Encode(ev, now, traceParent)
	if err != nil {
		item = identify(ev)
		return ctx, item, &publisher.EventError{ID: item.ID, Source: item.Source, Type: item.Type, Err: err}
	}
	return ctx, item, nil
}

// identify returns what may be said about an event that was not encoded.
func identify(ev event.Event) outbox.Item {
	if ev.Context == nil {
		return outbox.Item{}
	}
	return outbox.Item{ID: ev.ID(), Source: ev.Source(), Type: ev.Type()}
}

// insertTx writes all items or none.
func (q *Queue) insertTx(ctx context.Context, tx *sql.Tx, items []outbox.Item, now time.Time) (err error) {
	if err := q.checkTx(ctx, tx, len(items)); err != nil {
		return err
	}
	const savepoint = "altinn_outbox_publish"
	if _, err := tx.ExecContext(ctx, "SAVEPOINT "+savepoint); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, undo := tx.ExecContext(context.WithoutCancel(ctx), "ROLLBACK TO "+savepoint)
			err = errors.Join(err, undo)
		}
		_, release := tx.ExecContext(context.WithoutCancel(ctx), "RELEASE "+savepoint)
		err = errors.Join(err, release)
	}()
	insert, err := tx.PrepareContext(ctx, insertSQL)
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := range items {
		if _, err := insert.ExecContext(ctx, insertArgs(&items[i], now)...); err != nil {
			return err
		}
	}
	return nil
}

// checkTx sees that tx is of the queue's file, on a connection that is safe
// enough, and that there is room.
func (q *Queue) checkTx(ctx context.Context, tx *sql.Tx, n int) error {
	q.mu.Lock()
	closed := q.closed
	q.mu.Unlock()
	if closed {
		return outbox.ErrClosed
	}
	var (
		name           string
		level, pending int
	)
	err := tx.QueryRowContext(ctx, `SELECT value, (SELECT synchronous FROM pragma_synchronous),
		(SELECT events FROM altinn_outbox_depth WHERE state = 0)
		FROM altinn_outbox_meta WHERE name = 'queue'`).Scan(&name, &level, &pending)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, sql.ErrTxDone):
		return err
	case err != nil:
		return fmt.Errorf("the transaction is not of the queue's file %s: %w", q.source.path, err)
	case name != q.name:
		return fmt.Errorf("the transaction is of another file than the queue's, %s", q.source.path)
	case q.cfg.Capacity > 0 && pending+n > q.cfg.Capacity:
		return fmt.Errorf("%w: it holds its capacity of %d events", outbox.ErrFull, q.cfg.Capacity)
	}
	return q.checkSynchronous(level)
}
