package postgres

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// parkAtOnce bounds what one statement parks.
const parkAtOnce = 1000

// lines asks the database about lines and moves what is in them.
//
// An event that stands behind another one is parked: scheduled for later than it
// will be needed, and marked. Nothing may stay parked at the head of its line. So
// whenever an event is done, and whenever one has been parked, its line is woken
// afterwards: of two such looks at least one sees both.
type lines struct {
	pool   *pgxpool.Pool
	sql    queries
	id     string // of this process
	logger *slog.Logger
	ctx    context.Context // ends when there is no use in trying any longer

	looks       *batcher[*look]
	parks       *batcher[parking]
	wakings     *batcher[string]
	settlements *batcher[*settlement]
}

func newLines(ctx context.Context, q *Queue, id string) *lines {
	l := &lines{pool: q.pool, sql: q.sql, id: id, logger: q.cfg.Logger, ctx: ctx}
	l.settlements = newBatcher(l.settleAll)
	l.looks = newBatcher(l.lookAll)
	l.parks = newBatcher(l.parkAll)
	l.wakings = newBatcher(l.wakeAll)
	return l
}

// ahead is what stands before an event in its line.
type ahead struct {
	id     int64     // of the nearest
	moving bool      // whether that is being sent, or about to be
	head   int64     // of the line
	headAt time.Time // when the head is next tried
}

// look is a question about one event.
type look struct {
	own    *turn
	answer *ahead
	err    error
	done   chan struct{}
}

// look returns what stands before an event, nil if nothing does.
func (l *lines) look(ctx context.Context, own *turn) (*ahead, error) {
	question := &look{own: own, done: make(chan struct{})}
	l.looks.add(question)
	select {
	case <-question.done:
		return question.answer, question.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (l *lines) lookAll(questions []*look) {
	var (
		ids   = make([]int64, len(questions))
		names = make([]string, len(questions))
	)
	for i, question := range questions {
		ids[i], names[i] = question.own.id, question.own.line
	}
	answers := map[int64]*ahead{}
	err := l.retry(l.ctx, func(ctx context.Context) error {
		rows, err := l.pool.Query(ctx, l.sql.ahead, ids, names)
		if err != nil {
			return err
		}
		var (
			id int64
			a  ahead
		)
		_, err = pgx.ForEachRow(rows, []any{&id, &a.id, &a.moving, &a.head, &a.headAt}, func() error {
			found := a
			answers[id] = &found
			return nil
		})
		return err
	})
	for _, question := range questions {
		question.answer, question.err = answers[question.own.id], err
		close(question.done)
	}
}

// parking is an order to park what is behind a line's head.
type parking struct {
	line  string
	head  int64
	until time.Time
}

// park parks what has not been fetched yet of a line, so that a long one does not
// pass through the workers event by event.
func (l *lines) park(p parking) { l.parks.add(p) }

func (l *lines) parkAll(parkings []parking) {
	last := make(map[string]parking, len(parkings))
	for _, p := range parkings {
		last[p.line] = p
	}
	var (
		names  = make([]string, 0, len(last))
		heads  = make([]int64, 0, len(last))
		untils = make([]time.Time, 0, len(last))
	)
	for name, p := range last {
		names, heads, untils = append(names, name), append(heads, p.head), append(untils, p.until)
	}
	for parked := int64(parkAtOnce); parked >= parkAtOnce; {
		err := l.retry(l.ctx, func(ctx context.Context) error {
			tag, err := l.pool.Exec(ctx, l.sql.park, names, heads, untils, parkAtOnce)
			parked = tag.RowsAffected()
			return err
		})
		if err != nil {
			return
		}
	}
	l.wake(names...)
}

// wake makes available what is parked at the head of lines.
func (l *lines) wake(names ...string) { l.wakings.add(names...) }

func (l *lines) wakeAll(names []string) {
	distinct := make(map[string]bool, len(names))
	unique := names[:0]
	for _, name := range names {
		if !distinct[name] {
			distinct[name] = true
			unique = append(unique, name)
		}
	}
	_ = l.retry(l.ctx, func(ctx context.Context) error {
		_, err := l.pool.Exec(ctx, l.sql.wake, unique)
		return err
	})
}

// sweep wakes every line that a process left without doing so when it died. It
// reads the line index once.
func (l *lines) sweep(ctx context.Context) {
	var names []string
	err := l.retry(ctx, func(ctx context.Context) error {
		rows, err := l.pool.Query(ctx, l.sql.sweep)
		if err != nil {
			return err
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err == nil {
		l.wake(names...)
	}
}

// wait returns when nothing is under way any more.
func (l *lines) wait() {
	l.settlements.wait()
	l.looks.wait()
	l.parks.wait()
	l.wakings.wait()
}
