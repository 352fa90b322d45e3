package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// errNoPostgres skips what needs a server.
var errNoPostgres = errors.New("set TEST_DATABASE_URL to a PostgreSQL server with fsync on, such as postgres://localhost:5432/postgres")

// bareArgs are the args of a job as one would write it without us.
type bareArgs struct {
	Body []byte `json:"body"`
}

func (bareArgs) Kind() string { return "bare" }

type bareWorker struct {
	river.WorkerDefaults[bareArgs]

	post func([]byte) error
}

func (w *bareWorker) Work(_ context.Context, job *river.Job[bareArgs]) error {
	return w.post(job.Args.Body)
}

// postgresDelivery is goal 11: what waits in the table is delivered at 64 in
// flight, by our queue and by River itself.
func postgresDelivery(l *lab) (figure, error) {
	url := os.Getenv("TEST_DATABASE_URL")
	if url == "" {
		return figure{}, errNoPostgres
	}
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return figure{}, err
	}
	defer pool.Close()
	item, err := encoded()
	if err != nil {
		return figure{}, err
	}
	body := slices.Concat(item.Body, bytes.Repeat([]byte(" "), 100))
	var calls atomic.Int64
	direct := netHTTPBody(l.endpoint.url, tuned(inFlight))
	post := func(b []byte) error {
		err := direct(b)
		calls.Add(1)
		return err
	}
	var spent time.Duration
	bare := func(n int) error { return riverDelivers(ctx, pool, body, n, post, &calls, &spent) }
	queue := func(n int) error { return queueDelivers(ctx, pool, body, n, post, &calls, &spent) }
	r, err := l.run(contest{
		subject: queue, peer: bare, n: 5000, rounds: max(5, l.rounds/4), clock: func() time.Duration { return spent },
	})
	return r.inverse().figure(), err
}

// freshSchema begins a slice with empty tables: those of the queue.
func freshSchema(ctx context.Context, pool *pgxpool.Pool) error {
	if _, err := pool.Exec(ctx, "DROP SCHEMA IF EXISTS altinn_outbox CASCADE"); err != nil {
		return err
	}
	return postgres.Migrate(ctx, pool, postgres.Config{})
}

// bareSchema begins a slice with empty tables: those that River's migrations make.
func bareSchema(ctx context.Context, pool *pgxpool.Pool) error {
	if _, err := pool.Exec(ctx, "DROP SCHEMA IF EXISTS altinn_outbox CASCADE; CREATE SCHEMA altinn_outbox"); err != nil {
		return err
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: "altinn_outbox"})
	if err != nil {
		return err
	}
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// until waits until calls has reached n.
func until(calls *atomic.Int64, n int) {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for calls.Load() < int64(n) {
		<-ticker.C
	}
}

func riverDelivers(ctx context.Context, pool *pgxpool.Pool, body []byte, n int, post func([]byte) error, calls *atomic.Int64, spent *time.Duration) error {
	if err := bareSchema(ctx, pool); err != nil {
		return err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &bareWorker{post: post})
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema: "altinn_outbox", Workers: workers,
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: inFlight}},
		FetchCooldown: 5 * time.Millisecond, FetchPollInterval: 50 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	for inserted := 0; inserted < n; inserted += 1000 {
		var jobs []river.InsertManyParams
		for range min(1000, n-inserted) {
			jobs = append(jobs, river.InsertManyParams{Args: bareArgs{Body: body}})
		}
		if _, err := client.InsertMany(ctx, jobs); err != nil {
			return err
		}
	}
	calls.Store(0)
	before := time.Now()
	if err := client.Start(ctx); err != nil {
		return err
	}
	until(calls, n)
	*spent += time.Since(before)
	return client.Stop(ctx)
}

func queueDelivers(ctx context.Context, pool *pgxpool.Pool, body []byte, n int, post func([]byte) error, calls *atomic.Int64, spent *time.Duration) error {
	if err := freshSchema(ctx, pool); err != nil {
		return err
	}
	q, err := postgres.New(ctx, pool, postgres.Config{Workers: inFlight})
	if err != nil {
		return err
	}
	for inserted := 0; inserted < n; inserted += 1000 {
		var items []outbox.Item
		for i := range min(1000, n-inserted) {
			id := strconv.Itoa(inserted + i)
			items = append(items, outbox.Item{
				ID: id, Source: "bench", Type: "app.instance.created", Key: "key-" + id, Endpoint: "/app", Body: body, PublishedAt: time.Now(),
			})
		}
		if err := q.Enqueue(ctx, items...); err != nil {
			return err
		}
	}
	calls.Store(0)
	run, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	before := time.Now()
	go func() {
		ended <- q.Run(run, func(_ context.Context, it outbox.Item) outbox.Outcome {
			if err := post(it.Body); err != nil {
				return outbox.Outcome{State: outbox.Discard, Reason: err.Error()}
			}
			return outbox.Outcome{}
		})
	}()
	until(calls, n)
	*spent += time.Since(before)
	stop()
	if err := errors.Join(<-ended, q.Close(ctx)); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	return nil
}
