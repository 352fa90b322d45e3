package postgres

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"

	"github.com/altinn-go/events/publisher/outbox"
)

// work is an event to be sent by this process.
type work struct {
	id      int64
	line    string
	args    eventArgs
	meta    metadata
	attempt int // as River counts: 1, and one more for each process that died over it
}

func (w *work) item() outbox.Item {
	item := w.args.item()
	item.Attempt = w.meta.Attempts + w.attempt
	return item
}

// changes are what an outcome of Retry makes of the metadata.
func (w *work) changes(out outbox.Outcome) map[string]any {
	attempts := w.meta.Attempts
	if !out.Uncounted {
		attempts++
	}
	return map[string]any{metaAttempts: attempts, metaReason: out.Reason, metaParked: false}
}

// settlement is an outcome to be written.
type settlement struct {
	work    *work
	outcome outbox.Outcome
	goOn    bool // claim the next event of the line
	next    *work
	ok      bool // it was written
	tried   chan struct{}
}

// settle writes an outcome and returns the next event of the line, if it is wanted
// and there to be sent, and whether the outcome was written.
func (l *lines) settle(w *work, out outbox.Outcome, goOn bool) (next *work, ok bool) {
	s := &settlement{work: w, outcome: out, goOn: goOn, tried: make(chan struct{})}
	l.settlements.add(s)
	<-s.tried
	return s.next, s.ok
}

// settleAll writes outcomes and claims what follows, in one transaction. Until that
// is done the database counts the events as under way, and the workers are busy
// with them: what a crash sends again is never more.
//
// What could not be written, River tries to write once more.
func (l *lines) settleAll(settlements []*settlement) {
	var heads map[string]*work
	err := l.retry(l.ctx, func(ctx context.Context) (err error) {
		heads, err = l.writeAll(ctx, settlements)
		return err
	})
	var names []string
	for _, s := range settlements {
		head, more := heads[s.work.line]
		if s.goOn && head != nil {
			s.next = head
			heads[s.work.line] = nil // the head is sent once, whoever else has just left its line
		}
		if head == nil && (more || !s.goOn || err != nil) {
			names = append(names, s.work.line) // somebody there may be about to be parked
		}
		s.ok = err == nil
		close(s.tried)
	}
	l.wake(names...)
}

// writeAll returns the heads of the lines that go on: nil for one that could not be
// claimed.
func (l *lines) writeAll(ctx context.Context, settlements []*settlement) (heads map[string]*work, err error) {
	var (
		delivered, discarded, back []int64
		failures, changes          []string
		times                      []time.Time
		goOn                       []string
	)
	for _, s := range settlements {
		switch s.outcome.State {
		case outbox.Delivered:
			delivered = append(delivered, s.work.id)
		case outbox.Discard:
			discarded = append(discarded, s.work.id)
			failures = append(failures, attemptError(s.work, s.outcome.Reason))
		case outbox.Retry:
			back = append(back, s.work.id)
			times = append(times, s.outcome.RetryAt)
			changes = append(changes, mustJSON(s.work.changes(s.outcome)))
		}
		if s.goOn && !slices.Contains(goOn, s.work.line) {
			goOn = append(goOn, s.work.line)
		}
	}
	batch := &pgx.Batch{}
	if len(delivered) > 0 {
		batch.Queue(l.sql.deliver, delivered)
	}
	if len(discarded) > 0 {
		batch.Queue(l.sql.discard, discarded, failures)
	}
	if len(back) > 0 {
		batch.Queue(l.sql.putBack, back, times, changes, l.id)
	}
	if len(goOn) > 0 {
		batch.Queue(l.sql.claim, goOn, l.id).Query(func(rows pgx.Rows) error {
			heads, err = readClaims(rows)
			return err
		})
	}
	err = l.pool.SendBatch(ctx, batch).Close()
	return heads, err
}

// readClaims reads what claim returns, by line.
func readClaims(rows pgx.Rows) (map[string]*work, error) {
	heads := map[string]*work{}
	for rows.Next() {
		var (
			name       string
			id         *int64
			args, meta []byte
			attempt    *int
		)
		if err := rows.Scan(&name, &id, &args, &meta, &attempt); err != nil {
			return nil, err
		}
		heads[name] = nil
		if id == nil {
			continue
		}
		w := &work{id: *id, line: name, attempt: *attempt}
		var damaged error
		w.meta, damaged = readMetadata(meta)
		if json.Unmarshal(args, &w.args) == nil && damaged == nil {
			heads[name] = w
		} // else River rescues it and says what is wrong
	}
	return heads, rows.Err()
}

// attemptError is why an event was discarded, as River keeps it.
func attemptError(w *work, reason string) string {
	return mustJSON(rivertype.AttemptError{At: time.Now().UTC(), Attempt: w.attempt, Error: reason})
}

// mustJSON encodes what cannot fail: texts, numbers and times.
func mustJSON(v any) string {
	text, _ := json.Marshal(v) //nolint:errchkjson // see above
	return string(text)
}
