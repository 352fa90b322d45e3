package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

// benchItem is an event of about 400 bytes, three to a key.
func benchItem(n int64) outbox.Item {
	it := item(fmt.Sprintf("0192f0c1-7b1a-7%03d-8000-%012d", n%1000, n),
		fmt.Sprintf("https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/%012d", n/3))
	it.Body = fmt.Appendf(nil, `{"id":%q,"filler":%q}`, it.ID, strings.Repeat("x", 340))
	return it
}

// bareTable is the least that keeps events: one table, commits shared by callers.
type bareTable struct {
	db   *sql.DB
	jobs chan bareJob
}

type bareJob struct {
	item outbox.Item
	done chan error
}

func newBareTable(b *testing.B) *bareTable {
	b.Helper()
	t := &bareTable{db: openDB(b, filepath.Join(b.TempDir(), "bare.db")), jobs: make(chan bareJob, 1024)}
	for _, statement := range []string{
		"CREATE TABLE events (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, body BLOB, state INTEGER NOT NULL DEFAULT 0)",
		"CREATE INDEX pending ON events (seq) WHERE state = 0",
	} {
		if _, err := t.db.ExecContext(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
	go t.write()
	b.Cleanup(func() { close(t.jobs) })
	return t
}

func (t *bareTable) write() {
	insert, err := t.db.Prepare("INSERT INTO events (id, body) VALUES (?, ?)")
	if err != nil {
		panic(err)
	}
	defer insert.Close()
	for first := range t.jobs {
		jobs := []bareJob{first}
		for len(t.jobs) > 0 {
			jobs = append(jobs, <-t.jobs)
		}
		tx, err := t.db.Begin()
		if err == nil {
			stmt := tx.Stmt(insert) //nolint:sqlclosecheck // ends with tx
			for i := range jobs {
				if _, err = stmt.Exec(jobs[i].item.ID, jobs[i].item.Body); err != nil {
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
}

func (t *bareTable) enqueue(it outbox.Item) error {
	j := bareJob{it, make(chan error, 1)}
	t.jobs <- j
	return <-j.done
}

// BenchmarkEnqueue has 64 callers insert one event at a time, with fsync.
func BenchmarkEnqueue(b *testing.B) {
	parallel := func(b *testing.B, enqueue func(outbox.Item) error) {
		b.Helper()
		var n atomic.Int64
		b.ReportAllocs()
		b.ResetTimer()
		var callers sync.WaitGroup
		for range 64 {
			callers.Go(func() {
				for {
					i := n.Add(1)
					if i > int64(b.N) {
						return
					}
					if err := enqueue(benchItem(i)); err != nil {
						b.Error(err)
					}
				}
			})
		}
		callers.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	}
	b.Run("bare", func(b *testing.B) { parallel(b, newBareTable(b).enqueue) })
	b.Run("queue", func(b *testing.B) {
		q, _ := setup(b, sqlite.Config{})
		parallel(b, func(it outbox.Item) error { return q.Enqueue(b.Context(), it) })
	})
}

// benchEndpoint answers every POST, and returns a function that makes one.
func benchEndpoint(b *testing.B) func(body []byte) error {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.Cleanup(func() {
		client.CloseIdleConnections()
		server.Close()
	})
	return func(body []byte) error {
		resp, err := client.Post(server.URL, "application/json", strings.NewReader(string(body)))
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.Body.Close()
	}
}

// BenchmarkDeliver delivers what is pending, with 16 in flight.
func BenchmarkDeliver(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		t, post := newBareTable(b), benchEndpoint(b)
		tx, err := t.db.Begin()
		if err != nil {
			b.Fatal(err)
		}
		for n := range int64(b.N) {
			it := benchItem(n)
			if _, err := tx.Exec("INSERT INTO events (id, body) VALUES (?, ?)", it.ID, it.Body); err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		for delivered := 0; delivered < b.N; {
			delivered += deliverBare(b, t.db, post)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
	b.Run("queue", func(b *testing.B) {
		q, _ := setup(b, sqlite.Config{Capacity: -1})
		post := benchEndpoint(b)
		var items []outbox.Item
		for n := range int64(b.N) {
			items = append(items, benchItem(n))
		}
		enqueue(b, q, items...)
		done := make(chan struct{})
		var n atomic.Int64
		b.ResetTimer()
		run(b, q, func(_ context.Context, it outbox.Item) outbox.Outcome {
			if err := post(it.Body); err != nil {
				b.Error(err)
			}
			if n.Add(1) == int64(b.N) {
				close(done)
			}
			return outbox.Outcome{}
		})
		<-done
		if err := q.Drain(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
}

// deliverBare claims 16 rows, delivers them at once and settles them together.
func deliverBare(b *testing.B, db *sql.DB, post func([]byte) error) int {
	b.Helper()
	rows, err := db.Query("SELECT seq, body FROM events WHERE state = 0 ORDER BY seq LIMIT 16")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var (
		seqs     []any
		delivery sync.WaitGroup
	)
	for rows.Next() {
		var (
			seq  int64
			body []byte
		)
		if err := rows.Scan(&seq, &body); err != nil {
			b.Fatal(err)
		}
		seqs = append(seqs, seq)
		delivery.Go(func() {
			if err := post(body); err != nil {
				b.Error(err)
			}
		})
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	delivery.Wait()
	marks := strings.TrimSuffix(strings.Repeat("?,", len(seqs)), ",")
	if _, err := db.Exec("UPDATE events SET state = 1 WHERE seq IN ("+marks+")", seqs...); err != nil {
		b.Fatal(err)
	}
	return len(seqs)
}

// BenchmarkLatency publishes 200 events a second and measures until the endpoint
// has each, with the queue and without.
func BenchmarkLatency(b *testing.B) {
	measure := func(b *testing.B, publish func(outbox.Item), took chan time.Duration) {
		b.Helper()
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		b.ResetTimer()
		for n := range int64(b.N) {
			<-ticker.C
			it := benchItem(n)
			it.PublishedAt = time.Now()
			go publish(it)
		}
		var all []time.Duration
		for range b.N {
			all = append(all, <-took)
		}
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
	}
	b.Run("none", func(b *testing.B) {
		post, took := benchEndpoint(b), make(chan time.Duration, b.N)
		measure(b, func(it outbox.Item) {
			if err := post(it.Body); err != nil {
				b.Error(err)
			}
			took <- time.Since(it.PublishedAt)
		}, took)
	})
	b.Run("queue", func(b *testing.B) {
		post, took := benchEndpoint(b), make(chan time.Duration, b.N)
		q, _ := setup(b, sqlite.Config{})
		run(b, q, func(_ context.Context, it outbox.Item) outbox.Outcome {
			if err := post(it.Body); err != nil {
				b.Error(err)
			}
			took <- time.Since(it.PublishedAt)
			return outbox.Outcome{}
		})
		measure(b, func(it outbox.Item) { enqueue(b, q, it) }, took)
	})
}
