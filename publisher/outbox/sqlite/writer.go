package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
)

// maxJobs bounds what one transaction folds together.
const maxJobs = 1024

// writer owns the queue's one writing connection. Everything that waits when a
// transaction begins is folded into it, so that many callers share one commit and
// its fsync.
type writer struct {
	conn  *sql.Conn
	stmts statements
	cfg   Config
	ended chan struct{} // closed when the goroutine has ended
	wake  chan struct{} // holds a token when there is something to look at

	mu      sync.Mutex
	jobs    []*job // in order of arrival
	refuses bool   // jobs that need room are refused with ErrClosed
	stopped bool
}

// job is something to write. exec runs within a transaction, and once more when
// the transaction that it shared with others failed.
type job struct {
	exec func(ctx context.Context) error
	room int // how many events it adds under the capacity
	done chan error
}

func newWriter(ctx context.Context, conn *sql.Conn, stmts statements, cfg Config) *writer {
	w := &writer{
		conn:  conn,
		stmts: stmts,
		cfg:   cfg,
		ended: make(chan struct{}),
		wake:  make(chan struct{}, 1),
	}
	go w.run(ctx)
	return w
}

// do has exec run in a transaction and returns when that is committed, or when ctx
// ends before it has begun.
func (w *writer) do(ctx context.Context, room int, exec func(context.Context) error) error {
	j := &job{exec: exec, room: room, done: make(chan error, 1)}
	w.mu.Lock()
	if w.stopped || w.refuses && room > 0 {
		w.mu.Unlock()
		return outbox.ErrClosed
	}
	w.jobs = append(w.jobs, j)
	w.mu.Unlock()
	w.signal()

	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
	}
	if w.remove(j) {
		w.signal() // a smaller batch behind it may fit
		return fmt.Errorf("waiting for the file or for room in the queue: %w", context.Cause(ctx))
	}
	return <-j.done // it was taken in the meantime
}

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *writer) remove(j *job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.jobs, j)
	if i < 0 {
		return false
	}
	w.jobs = slices.Delete(w.jobs, i, i+1)
	return true
}

// refuse ends the wait of every job that needs room and takes no more of them.
func (w *writer) refuse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuses = true
	w.jobs = slices.DeleteFunc(w.jobs, func(j *job) bool {
		if j.room > 0 {
			j.done <- outbox.ErrClosed
		}
		return j.room > 0
	})
}

// stop takes no more jobs, writes those that wait and ends the goroutine.
func (w *writer) stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.signal()
	<-w.ended
}

func (w *writer) run(ctx context.Context) {
	defer close(w.ended)
	for {
		more, err := w.flush(ctx)
		if err != nil {
			w.failAll(err)
			continue
		}
		if more {
			continue
		}
		if w.isStopped() {
			return
		}
		w.await()
	}
}

func (w *writer) isStopped() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopped && len(w.jobs) == 0
}

// await returns when a job has come, or when it is time to see whether another
// process has made room for those that wait.
func (w *writer) await() {
	w.mu.Lock()
	waiting := len(w.jobs) > 0
	w.mu.Unlock()
	if !waiting || w.cfg.PollInterval < 0 {
		<-w.wake
		return
	}
	timer := time.NewTimer(w.cfg.PollInterval)
	defer timer.Stop()
	select {
	case <-w.wake:
	case <-timer.C:
	}
}

// flush writes what waits, in one transaction. It reports whether it wrote
// anything; jobs that find no room stay. The error says why no transaction could
// begin.
func (w *writer) flush(ctx context.Context) (wrote bool, err error) {
	w.mu.Lock()
	idle := len(w.jobs) == 0
	w.mu.Unlock()
	if idle {
		return false, nil
	}
	if err := w.begin(ctx); err != nil {
		return false, err
	}
	jobs := w.take(func(j *job) bool { return j.room == 0 })
	err = w.execAll(ctx, jobs)
	if err == nil {
		var admitted []*job
		admitted, err = w.admit(ctx)
		jobs = append(jobs, admitted...)
		if err == nil {
			err = w.execAll(ctx, admitted)
		}
	}
	switch {
	case err != nil:
		w.rollback(ctx)
		if len(jobs) > 1 {
			w.execEach(ctx, jobs)
			return true, nil
		}
	case len(jobs) == 0:
		w.rollback(ctx)
		return false, nil
	default:
		err = w.commit(ctx)
	}
	for _, j := range jobs {
		j.done <- err
	}
	return true, nil
}

// take removes the jobs that want holds for, up to maxJobs, and returns them.
func (w *writer) take(want func(*job) bool) []*job {
	w.mu.Lock()
	defer w.mu.Unlock()
	var taken []*job
	w.jobs = slices.DeleteFunc(w.jobs, func(j *job) bool {
		if len(taken) == maxJobs || !want(j) {
			return false
		}
		taken = append(taken, j)
		return true
	})
	return taken
}

// admit takes the jobs that there is room for, first come first served. Those that
// there is none for are refused or stay in line, as the configuration says.
func (w *writer) admit(ctx context.Context) ([]*job, error) {
	room := -1
	if w.cfg.Capacity > 0 {
		pending, err := pendingEvents(ctx, w.stmts.pending)
		if err != nil {
			return nil, err
		}
		room = max(0, w.cfg.Capacity-pending)
	}
	full := false
	var refused []*job
	admitted := w.take(func(j *job) bool {
		switch {
		case j.room == 0 || full:
			return false
		case room < 0:
			return true
		case j.room <= room:
			room -= j.room
			return true
		case w.cfg.WhenFull == outbox.Refuse:
			refused = append(refused, j)
		default:
			full = true // those behind it wait for their turn
		}
		return false
	})
	for _, j := range refused {
		if w.remove(j) {
			j.done <- fmt.Errorf("%w: it holds its capacity of %d events", outbox.ErrFull, w.cfg.Capacity)
		}
	}
	return admitted, nil
}

func (w *writer) execAll(ctx context.Context, jobs []*job) error {
	for _, j := range jobs {
		if err := j.exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// execEach gives each job a transaction of its own, so that one that cannot be
// written does not fail the others.
func (w *writer) execEach(ctx context.Context, jobs []*job) {
	for _, j := range jobs {
		err := w.begin(ctx)
		if err == nil {
			if err = j.exec(ctx); err == nil {
				err = w.commit(ctx)
			} else {
				w.rollback(ctx)
			}
		}
		j.done <- err
	}
}

// failAll fails every job that waits, because no transaction could begin.
func (w *writer) failAll(err error) {
	for _, j := range w.take(func(*job) bool { return true }) {
		j.done <- err
	}
}

func (w *writer) begin(ctx context.Context) error {
	if _, err := w.stmts.begin.ExecContext(ctx); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	return nil
}

func (w *writer) commit(ctx context.Context) error {
	if _, err := w.stmts.commit.ExecContext(ctx); err != nil {
		w.rollback(ctx)
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// rollback ends the transaction if there still is one: after some errors SQLite
// has ended it already.
func (w *writer) rollback(ctx context.Context) { _, _ = w.stmts.rollback.ExecContext(ctx) }

// close closes the connection, after stop.
func (w *writer) close() error {
	return errors.Join(w.stmts.close(), w.conn.Close())
}
