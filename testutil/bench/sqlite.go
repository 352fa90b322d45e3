package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

// file makes a database in a folder of its own, and a function that removes it.
func file() (db *sql.DB, remove func() error, err error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, nil, err
	}
	db, err = sqlite.OpenDB(filepath.Join(folder, "app.db"))
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(folder))
	}
	return db, func() error { return errors.Join(db.Close(), os.RemoveAll(folder)) }, nil
}

// numbered is a series of items that are never the same, three to a key.
type numbered struct {
	template outbox.Item
	n        atomic.Int64
}

func newNumbered() (*numbered, error) {
	template, err := encoded()
	template.Body = append(template.Body, strings.Repeat(" ", max(0, 400-len(template.Body)))...)
	return &numbered{template: template}, err
}

func (s *numbered) next() outbox.Item {
	n := s.n.Add(1)
	it := s.template
	it.ID = newID()
	it.Key = fmt.Sprintf("%s/%012d", s.template.Source, n/3)
	it.Source = it.Key
	it.PublishedAt = time.Now()
	return it
}

// bareTable is the least that keeps events: one table, commits shared by callers.
type bareTable struct {
	db   *sql.DB
	jobs chan bareJob
	done chan error
}

type bareJob struct {
	item outbox.Item
	done chan error
}

func newBareTable(db *sql.DB) (*bareTable, error) {
	for _, statement := range []string{
		"CREATE TABLE events (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, body BLOB, state INTEGER NOT NULL DEFAULT 0)",
		"CREATE INDEX pending ON events (seq) WHERE state = 0",
	} {
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			return nil, err
		}
	}
	t := &bareTable{db: db, jobs: make(chan bareJob, 1024), done: make(chan error, 1)}
	go func() { t.done <- t.write() }()
	return t, nil
}

func (t *bareTable) close() error {
	close(t.jobs)
	return <-t.done
}

func (t *bareTable) write() error {
	ctx := context.Background()
	insert, err := t.db.PrepareContext(ctx, "INSERT INTO events (id, body) VALUES (?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for first := range t.jobs {
		jobs := []bareJob{first}
		for len(t.jobs) > 0 {
			jobs = append(jobs, <-t.jobs)
		}
		tx, err := t.db.BeginTx(ctx, nil)
		if err == nil {
			stmt := tx.StmtContext(ctx, insert) //nolint:sqlclosecheck // ends with tx
			for i := range jobs {
				if _, err = stmt.ExecContext(ctx, jobs[i].item.ID, jobs[i].item.Body); err != nil {
					break
				}
			}
			if err == nil {
				err = tx.Commit()
			}
		}
		for i := range jobs {
			jobs[i].done <- err
		}
	}
	return nil
}

func (t *bareTable) enqueue(it outbox.Item) error {
	j := bareJob{it, make(chan error, 1)}
	t.jobs <- j
	return <-j.done
}

// insert adds items in one transaction.
func (t *bareTable) insert(ctx context.Context, items []outbox.Item) error {
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for i := range items {
		if _, err := tx.ExecContext(ctx, "INSERT INTO events (id, body) VALUES (?, ?)", items[i].ID, items[i].Body); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// deliver claims 16 rows, delivers them at once and settles them together, until n
// have been delivered.
func (t *bareTable) deliver(ctx context.Context, n int, post func([]byte) error) error {
	for n > 0 {
		rows, err := t.db.QueryContext(ctx, "SELECT seq, body FROM events WHERE state = 0 ORDER BY seq LIMIT 16")
		if err != nil {
			return err
		}
		var (
			seqs   []any
			bodies [][]byte
		)
		for rows.Next() {
			var (
				seq  int64
				body []byte
			)
			if err := rows.Scan(&seq, &body); err != nil {
				return err
			}
			seqs, bodies = append(seqs, seq), append(bodies, body)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil { //nolint:sqlclosecheck // before the rows are updated
			return err
		}
		var (
			group sync.WaitGroup
			errs  = make([]error, len(bodies))
		)
		for i := range bodies {
			group.Go(func() { errs[i] = post(bodies[i]) })
		}
		group.Wait()
		marks := strings.TrimSuffix(strings.Repeat("?,", len(seqs)), ",")
		_, err = t.db.ExecContext(ctx, "UPDATE events SET state = 1 WHERE seq IN ("+marks+")", seqs...) //nolint:gosec // question marks
		if err := errors.Join(append(errs, err)...); err != nil {
			return err
		}
		n -= len(seqs)
	}
	return nil
}

// durable is a pair of a queue and a bare table, each in a file of its own.
type durable struct {
	queue *sqlite.Queue
	bare  *bareTable
	items *numbered
	close func() error
}

func newDurable() (*durable, error) {
	db, remove, err := file()
	if err != nil {
		return nil, err
	}
	queue, err := sqlite.New(db, sqlite.Config{Capacity: -1})
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	bareDB, removeBare, err := file()
	if err != nil {
		return nil, err
	}
	bare, err := newBareTable(bareDB)
	if err != nil {
		return nil, err
	}
	items, err := newNumbered()
	return &durable{queue: queue, bare: bare, items: items, close: func() error {
		return errors.Join(queue.Close(context.Background()), remove(), bare.close(), removeBare())
	}}, err
}

// sqliteInserts is goal 9's first half: 64 callers, one event at a time, fsync.
func sqliteInserts(l *lab) (figure, error) {
	d, err := newDurable()
	if err != nil {
		return figure{}, err
	}
	r, err := l.run(contest{
		subject: crowd(func() error { return d.queue.Enqueue(context.Background(), d.items.next()) }),
		peer:    crowd(func() error { return d.bare.enqueue(d.items.next()) }),
		clock:   wallTime, n: 2000,
	})
	return r.inverse().figure(), errors.Join(err, d.close())
}

// sqliteDelivery is goal 9's second half: what waits is delivered with 16 in
// flight. Filling is part of a slice, for both sides in batches of one transaction.
func sqliteDelivery(l *lab) (figure, error) {
	d, err := newDurable()
	if err != nil {
		return figure{}, err
	}
	post := netHTTPBody(l.endpoint.url, tuned(16))
	const n = 2000
	ctx := context.Background()
	var spent time.Duration // in delivery alone, whoever delivers
	subject := func(n int) error {
		var items []outbox.Item
		for range n {
			items = append(items, d.items.next())
		}
		if err := d.queue.Enqueue(ctx, items...); err != nil {
			return err
		}
		before := time.Now()
		run, stop := context.WithCancel(ctx)
		defer stop()
		ended := make(chan error, 1)
		var failed atomic.Pointer[error]
		go func() {
			ended <- d.queue.Run(run, func(_ context.Context, it outbox.Item) outbox.Outcome {
				if err := post(it.Body); err != nil {
					failed.Store(&err)
				}
				return outbox.Outcome{}
			})
		}()
		err := d.queue.Drain(ctx)
		spent += time.Since(before)
		stop()
		if e := failed.Load(); e != nil {
			err = errors.Join(err, *e)
		}
		return errors.Join(err, <-ended)
	}
	peer := func(n int) error {
		tx, err := d.bare.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		for range n {
			it := d.items.next()
			if _, err := tx.ExecContext(ctx, "INSERT INTO events (id, body) VALUES (?, ?)", it.ID, it.Body); err != nil {
				return errors.Join(err, tx.Rollback())
			}
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		before := time.Now()
		err = d.bare.deliver(ctx, n, post)
		spent += time.Since(before)
		return err
	}
	r, err := l.run(contest{subject: subject, peer: peer, n: n, clock: func() time.Duration { return spent }})
	return r.inverse().figure(), errors.Join(err, d.close())
}

// netHTTPBody posts a body to the endpoint.
func netHTTPBody(base string, transport *http.Transport) func([]byte) error {
	return func(body []byte) error { return netHTTP(base, transport, body)() }
}

// latency is goal 10: publish to delivered at 200 a second, the 99th percentile with
// the queue against without.
func latency(l *lab) (figure, error) {
	d, err := newDurable()
	if err != nil {
		return figure{}, err
	}
	post := netHTTPBody(l.endpoint.url, tuned(inFlight))
	ctx, stop := context.WithCancel(context.Background())
	var took sync.Map // by id
	ended := make(chan error, 1)
	go func() {
		ended <- d.queue.Run(ctx, func(_ context.Context, it outbox.Item) outbox.Outcome {
			err := post(it.Body)
			at, _ := took.Load(it.ID)
			at.(chan time.Duration) <- time.Since(it.PublishedAt) //nolint:forcetypeassert // stored below
			if err != nil {
				return outbox.Outcome{State: outbox.Discard, Reason: err.Error()}
			}
			return outbox.Outcome{}
		})
	}()
	queued := func(it outbox.Item) (time.Duration, error) {
		arrived := make(chan time.Duration, 1)
		took.Store(it.ID, arrived)
		if err := d.queue.Enqueue(ctx, it); err != nil {
			return 0, err
		}
		return <-arrived, nil
	}
	direct := func(it outbox.Item) (time.Duration, error) {
		err := post(it.Body)
		return time.Since(it.PublishedAt), err
	}
	var ratios, controls []float64
	for range max(3, l.rounds/4) {
		var p99 [3]float64
		for i, deliver := range []func(outbox.Item) (time.Duration, error){queued, direct, direct} {
			if p99[i], err = paced(d.items, deliver); err != nil {
				stop()
				return figure{}, err
			}
		}
		ratios, controls = append(ratios, p99[0]/p99[1]), append(controls, p99[2]/p99[1])
	}
	stop()
	r := ratio{spreadOf(ratios), spreadOf(controls)}
	return r.figure(), errors.Join(<-ended, d.close())
}

// paced has 200 events a second delivered for a second and returns the 99th
// percentile.
func paced(items *numbered, deliver func(outbox.Item) (time.Duration, error)) (p99 float64, err error) {
	const n = 200
	var (
		mu    sync.Mutex
		all   []float64
		errs  []error
		group sync.WaitGroup
	)
	ticker := time.NewTicker(time.Second / n)
	defer ticker.Stop()
	for range n {
		<-ticker.C
		it := items.next()
		group.Go(func() {
			took, err := deliver(it)
			mu.Lock()
			defer mu.Unlock()
			all, errs = append(all, float64(took)), append(errs, err)
		})
	}
	group.Wait()
	slices.Sort(all)
	return quantile(all, 0.99), errors.Join(errs...)
}
