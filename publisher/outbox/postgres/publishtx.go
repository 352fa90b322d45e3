package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
)

// PublishTx writes the events in the caller's own transaction: when that commits
// they are published, and the relay is notified; when it rolls back they never
// were.
//
// As Publish does, it first validates, fills and encodes all of them; if one
// breaks a rule, nothing is written and tx can go on. When the database refuses
// them, tx has failed, as after any failed statement. An event whose id and source
// the queue holds already is no second event; until tx ends, whoever delivers the
// first one waits to note it.
//
// Order holds between transactions on one key of which one began after the other
// had committed. Transactions that overlap may come either way: to order them too,
// lock the row that both change (SELECT … FOR UPDATE) before PublishTx.
//
// Errors: for each faulty event a *publisher.EventError that wraps a
// *models.ValidationError; outbox.ErrFull beyond Config.Capacity, without a wait;
// outbox.ErrClosed; and whatever the database says. A transaction of another
// database is told by its missing tables.
func (q *Queue) PublishTx(ctx context.Context, tx pgx.Tx, events ...event.Event) error {
	if len(events) == 0 {
		return nil
	}
	now := time.Now()
	items := make([]outbox.Item, len(events))
	published := make([]func(error), len(events))
	var errs []error
	for i, ev := range events {
		ctx, traceParent := q.cfg.Observer.Publishing(ctx, ev)
		item, err := q.cfg.Encoder.Encode(ev, now, traceParent)
		if err != nil {
			item = identify(ev)
			errs = append(errs, &publisher.EventError{ID: item.ID, Source: item.Source, Type: item.Type, Err: err})
		}
		items[i] = item
		published[i] = func(err error) { q.cfg.Observer.Published(ctx, item, err) }
	}
	err := errors.Join(errs...)
	if err == nil {
		if err = q.insertTx(ctx, tx, items); err != nil {
			err = &outbox.StoreError{Op: "publish in transaction", Err: err}
		}
	}
	for _, tell := range published {
		tell(err)
	}
	return err
}

// identify returns what may be said about an event that was not encoded.
func identify(ev event.Event) outbox.Item {
	if ev.Context == nil {
		return outbox.Item{}
	}
	return outbox.Item{ID: ev.ID(), Source: ev.Source(), Type: ev.Type()}
}

func (q *Queue) insertTx(ctx context.Context, tx pgx.Tx, items []outbox.Item) error {
	if q.isClosed() {
		return outbox.ErrClosed
	}
	if err := q.room.reserve(ctx, tx, len(items), false); err != nil {
		return err
	}
	defer q.room.settle(len(items))
	_, err := q.inserter.InsertManyTx(ctx, tx, insertParams(items))
	return err
}
