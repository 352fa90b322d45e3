package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
)

// BenchmarkDelivery delivers what is in the table, at 64 in flight, by bare River
// and by the queue: the same POST, the same settings. Run it with a number of
// events, as -benchtime 5000x; the events per second of one run make the ratio.
func BenchmarkDelivery(b *testing.B) {
	const inFlight = 64
	body := bytes.Repeat([]byte("x"), 400)
	b.Run("River", func(b *testing.B) {
		pool, post, done := benchSetup(b)
		workers := river.NewWorkers()
		river.AddWorker(workers, &bareWorker{post: post})
		client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
			Schema: "altinn_outbox", Workers: workers,
			Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: inFlight}},
			FetchCooldown: 5 * time.Millisecond, FetchPollInterval: 50 * time.Millisecond,
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			b.Fatal(err)
		}
		for n := 0; n < b.N; n += 1000 {
			var jobs []river.InsertManyParams
			for range min(1000, b.N-n) {
				jobs = append(jobs, river.InsertManyParams{Args: bareArgs{Body: body}})
			}
			if _, err := client.InsertMany(b.Context(), jobs); err != nil {
				b.Fatal(err)
			}
		}
		b.ResetTimer()
		if err := client.Start(context.WithoutCancel(b.Context())); err != nil {
			b.Fatal(err)
		}
		done(b)
		if err := client.Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
	})
	for name, keys := range map[string]int{"Queue": 1 << 30, "Queue50PerKey": 50} {
		b.Run(name, func(b *testing.B) {
			pool, post, done := benchSetup(b)
			q, err := postgres.New(b.Context(), pool, postgres.Config{Workers: inFlight})
			if err != nil {
				b.Fatal(err)
			}
			var batch []outbox.Item
			for n := range b.N {
				key := fmt.Sprint("key-", n)
				if keys == 50 {
					key = fmt.Sprint("key-", n%max(1, b.N/50))
				}
				it := item(strconv.Itoa(n), key)
				it.Body = body
				if batch = append(batch, it); len(batch) == 1000 || n == b.N-1 {
					if err := q.Enqueue(b.Context(), batch...); err != nil {
						b.Fatal(err)
					}
					batch = nil
				}
			}
			b.ResetTimer()
			stop := run(b, q, func(ctx context.Context, it outbox.Item) outbox.Outcome {
				if err := post(ctx, it.Body); err != nil {
					return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now()}
				}
				return outbox.Outcome{}
			})
			done(b)
			stop()
		})
	}
}

// bareArgs are the args of a job as one would write it without us.
type bareArgs struct {
	Body []byte `json:"body"`
}

func (bareArgs) Kind() string { return "bare" }

type bareWorker struct {
	river.WorkerDefaults[bareArgs]

	post func(context.Context, []byte) error
}

func (w *bareWorker) Work(ctx context.Context, job *river.Job[bareArgs]) error {
	return w.post(ctx, job.Args.Body)
}

// benchSetup returns a migrated database with fsync on, a POST to an endpoint, and
// a function that waits until the endpoint has been called b.N times.
func benchSetup(b *testing.B) (pool *pgxpool.Pool, post func(context.Context, []byte) error, done func(*testing.B)) {
	b.Helper()
	pool = migrated(b)
	for _, statement := range []string{"ALTER SYSTEM SET fsync = on", "SELECT pg_reload_conf()"} {
		if _, err := pool.Exec(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
	var calls atomic.Int64
	all := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusCreated)
		if calls.Add(1) == int64(b.N) {
			close(all)
		}
	}))
	b.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.Cleanup(client.CloseIdleConnections)
	post = func(ctx context.Context, body []byte) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, bytes.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
	return pool, post, func(b *testing.B) {
		b.Helper()
		<-all
		b.StopTimer()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	}
}
