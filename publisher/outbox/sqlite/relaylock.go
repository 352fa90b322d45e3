package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// lockSuffix makes the name of the lock's file from the queue's.
const lockSuffix = "-relay"

// takeover is how often a process that waits for the lock tries to get it.
const takeover = time.Second

// errRelayed means that another process holds the lock.
var errRelayed = errors.New("another process relays this file")

// lockRelay takes the lock that only one relay of a file can have: an exclusive
// transaction on a file beside it, which is empty. SQLite locks files with the
// operating system, which lets go of the lock when the process dies, however it
// dies.
func lockRelay(ctx context.Context, source connector) (unlock func() error, err error) {
	source.path += lockSuffix
	source.pragmas = []string{"busy_timeout = 0"}
	db := sql.OpenDB(source)
	conn, err := db.Conn(ctx)
	if err == nil {
		_, err = conn.ExecContext(ctx, "BEGIN EXCLUSIVE")
		if err == nil {
			return func() error { return errors.Join(conn.Close(), db.Close()) }, nil
		}
		err = errors.Join(err, conn.Close())
	}
	if closed := db.Close(); closed == nil && strings.Contains(err.Error(), "database is locked") {
		return nil, errRelayed
	}
	return nil, fmt.Errorf("lock %s: %w", source.path, err)
}

// awaitRelay takes the lock, as soon as no other process has it. It returns nil
// without an error when ctx ends first.
func (q *Queue) awaitRelay(ctx context.Context) (unlock func() error, err error) {
	for {
		unlock, err := lockRelay(context.WithoutCancel(ctx), q.source)
		switch {
		case err == nil:
			if q.setStandby(false) {
				q.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "event queue taken over")
			}
			return unlock, nil
		case !errors.Is(err, errRelayed):
			return nil, err
		}
		if !q.setStandby(true) {
			q.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "another process relays the event queue, standing by")
		}
		timer := time.NewTimer(takeover)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			q.setStandby(false)
			return nil, nil
		}
	}
}

// setStandby notes whether another process relays, and returns what was noted
// before. While one does, nobody needs to wait for deliveries here.
func (q *Queue) setStandby(standby bool) (before bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	before, q.standby = q.standby, standby
	if standby {
		releaseAll(&q.drains)
	}
	return before
}

func releaseAll(waiting *[]chan struct{}) {
	for _, c := range *waiting {
		close(c)
	}
	*waiting = nil
}
