package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// leaseClass is the first half of the advisory locks that are leases.
	leaseClass = 0x616c746e
	// idPrefix begins the names under which our processes are known to River.
	idPrefix = "altinn-outbox-"
	// watchEvery is how often processes look after each other, and deadAfter for how
	// long one must be without its lease to be taken for dead.
	watchEvery = time.Second
	deadAfter  = 3 * time.Second
)

// lease says that this process lives: an advisory lock on a connection of its own,
// which PostgreSQL frees when the process dies. River alone would wait for
// rescueAfter, and then for the leader's next round, before it hands out again
// what a dead process had under way.
type lease struct {
	id   string // under which River knows this process
	q    *Queue
	conn *pgx.Conn
	gone map[string]time.Time // since when others are without theirs
}

// takeLease takes the lease of a new process.
func takeLease(ctx context.Context, q *Queue) (*lease, error) {
	l := &lease{
		id:   fmt.Sprintf("%s%08x", idPrefix, rand.Uint32()), //nolint:gosec // a name, no secret
		q:    q,
		gone: map[string]time.Time{},
	}
	err := l.take(ctx)
	return l, err
}

// take opens a connection and takes the lock on it.
func (l *lease) take(ctx context.Context) error {
	pooled, err := l.q.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	conn := pooled.Hijack()
	number, _ := leaseNumber(l.id)
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1, $2)", int32(leaseClass), number); err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return err
	}
	l.conn = conn
	return nil
}

// leaseNumber is the second half of the lock of a process, by its name.
func leaseNumber(id string) (int32, bool) {
	digits, ours := strings.CutPrefix(id, idPrefix)
	n, err := strconv.ParseUint(digits, 16, 32)
	return int32(uint32(n)), ours && err == nil //nolint:gosec // the same bits
}

// keep takes the lease again whenever its connection is lost, until ctx ends.
func (l *lease) keep(ctx context.Context) {
	for ctx.Err() == nil {
		if l.conn != nil {
			_, err := l.conn.WaitForNotification(ctx) // there are none: it ends with ctx or the connection
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				continue
			}
			_ = l.conn.Close(ctx)
			l.conn = nil
		}
		if l.take(ctx) == nil {
			continue
		}
		select {
		case <-time.After(retryFirst):
		case <-ctx.Done():
		}
	}
}

// release gives the lease back. Nobody else uses it any more.
func (l *lease) release(ctx context.Context) error {
	if l.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	return l.conn.Close(ctx)
}

// watch takes over what dead processes had under way, until ctx ends.
func (l *lease) watch(ctx context.Context, lines *lines) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		n, err := l.rescue(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			clear(l.gone) // who could not see must not judge
		case n > 0:
			l.q.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "event queue: took over what a dead process had under way",
				slog.Int("events", n))
			lines.sweep(ctx)
		}
	}
}

// rescue makes available what processes have under way that are without a lease
// for long. It returns how many events those were.
func (l *lease) rescue(ctx context.Context) (events int, err error) {
	rows, err := l.q.pool.Query(ctx, l.q.sql.workers)
	if err != nil {
		return 0, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return 0, err
	}
	gone := map[string]time.Time{}
	for _, id := range ids {
		number, ours := leaseNumber(id)
		if !ours || id == l.id {
			continue
		}
		n, dead, err := l.rescueFrom(ctx, id, number)
		if err != nil {
			return 0, err
		}
		events += n
		if since, known := l.gone[id]; dead && known {
			gone[id] = since
		} else if dead {
			gone[id] = time.Now()
		}
	}
	l.gone = gone
	return events, nil
}

// rescueFrom reports whether a process is without its lease, and takes over from
// it if it has been so for long.
func (l *lease) rescueFrom(ctx context.Context, id string, number int32) (events int, dead bool, err error) {
	err = pgx.BeginFunc(ctx, l.q.pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1, $2)", int32(leaseClass), number).Scan(&dead)
		since, known := l.gone[id]
		if err != nil || !dead || !known || time.Since(since) < deadAfter {
			return err
		}
		tag, err := tx.Exec(ctx, l.q.sql.rescue, id)
		events = int(tag.RowsAffected())
		return err
	})
	return events, dead, err
}
