package sqlite

import (
	"context"
	"log/slog"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
)

// settle writes what came of deliveries, in one transaction.
func (q *Queue) settle(ctx context.Context, outcomes []outcome) error {
	return q.writer.do(ctx, 0, func(ctx context.Context) error {
		now := time.Now().UnixNano()
		delivered := map[int64]bool{}
		for i := range outcomes {
			o := &outcomes[i]
			var err error
			switch o.State {
			case outbox.Retry:
				err = q.retry(ctx, o)
			case outbox.Discard:
				_, err = q.writer.stmts.discards.ExecContext(ctx, o.seq, o.Attempt, now, o.Reason)
			default:
				delivered[o.seq] = true
			}
			if err != nil {
				return err
			}
		}
		return q.delivered(ctx, delivered, now)
	})
}

func (q *Queue) retry(ctx context.Context, o *outcome) error {
	attempt := o.Attempt
	if o.Uncounted {
		attempt--
	}
	_, err := q.writer.stmts.retry.ExecContext(ctx, o.seq, attempt, o.RetryAt.UnixNano(), o.Reason)
	return err
}

func (q *Queue) delivered(ctx context.Context, seqs map[int64]bool, now int64) (err error) {
	switch {
	case len(seqs) == 0:
	case q.cfg.KeepDelivered < 0:
		_, err = q.writer.stmts.forget.ExecContext(ctx, seqArray(seqs))
	default:
		_, err = q.writer.stmts.delivered.ExecContext(ctx, seqArray(seqs), now)
	}
	return err
}

// startSweeper deletes events that were kept long enough, until ctx ends. The
// channel is closed when it has ended.
func (q *Queue) startSweeper(ctx context.Context) <-chan struct{} {
	ended := make(chan struct{})
	every := q.sweepInterval()
	go func() {
		defer close(ended)
		if every == 0 {
			return
		}
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			if err := q.sweep(ctx); err != nil && ctx.Err() == nil {
				q.cfg.Logger.LogAttrs(ctx, slog.LevelError, "event queue cannot delete old events",
					slog.String("error", err.Error())) // a StoreError, which redacts
			}
			timer.Reset(every)
		}
	}()
	return ended
}

// sweepInterval is a 24th of the shorter time that events are kept, between a
// second and an hour; 0 if none are deleted by age.
func (q *Queue) sweepInterval() time.Duration {
	keep := q.cfg.KeepDelivered
	if d := q.cfg.KeepDiscarded; d > 0 && (keep < 0 || d < keep) {
		keep = d
	}
	if keep < 0 {
		return 0
	}
	return min(max(keep/24, time.Second), time.Hour)
}

func (q *Queue) sweep(ctx context.Context) error {
	if keep := q.cfg.KeepDelivered; keep > 0 {
		if _, err := q.Purge(ctx, outbox.StatusDelivered, keep); err != nil {
			return err
		}
	}
	if keep := q.cfg.KeepDiscarded; keep > 0 {
		if _, err := q.Purge(ctx, outbox.StatusDiscarded, keep); err != nil {
			return err
		}
	}
	return nil
}
