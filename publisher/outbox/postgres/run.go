package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"github.com/altinn-go/events/publisher/outbox"
)

const (
	// fetchCooldown is the shortest pause between River's fetches: its throughput
	// is at most workers divided by this.
	fetchCooldown = 5 * time.Millisecond
	// fetchedPerWorker is how many events are here for each that is being sent: the
	// others look for their predecessors, or have their outcomes written. With 2, a
	// tenth fewer events per second were delivered, with 4, a tenth more; and as many
	// may be sent again when the process dies.
	fetchedPerWorker = 3
	// jobTimeout is how long a delivery may take.
	jobTimeout = 30 * time.Second
	// rescueAfter is when River takes a job for lost, whatever the leases say.
	rescueAfter = time.Minute
	// stopTimeout is how long after a stop the database may take to note what was
	// under way.
	stopTimeout = jobTimeout + 5*time.Second
	// sweepEvery is how often the lines are looked through for a parked head that
	// nobody woke: a process died in between, or somebody deleted its predecessor.
	sweepEvery = 5 * time.Second
)

// run relays until ctx ends or the queue is closed.
func (q *Queue) run(ctx context.Context, deliver func(context.Context, outbox.Item) outbox.Outcome) error {
	base := context.WithoutCancel(ctx)
	stopping, stop := q.untilClosing(ctx)
	defer stop()
	life, end := context.WithCancel(base)
	defer end()

	lease, err := takeLease(stopping, q)
	if err != nil {
		if stopping.Err() != nil {
			return nil
		}
		return err
	}
	lines := newLines(life, q, lease.id)
	client, err := q.newClient(lease.id, &relay{
		deliver:  deliver,
		stopping: stopping,
		sending:  make(chan struct{}, q.cfg.Workers),
		turns:    newTurns(q.cfg.Workers),
		lines:    lines,
	})
	if err != nil {
		return errors.Join(err, lease.release(base))
	}
	snoozed, _ := client.SubscribeConfig(&river.SubscribeConfig{
		ChanSize: 100_000,
		Kinds:    []river.EventKind{river.EventKindJobSnoozed},
	})
	if err := client.Start(base); err != nil {
		return errors.Join(err, lease.release(base))
	}

	var side sync.WaitGroup
	side.Go(func() { lines.wakeSnoozed(snoozed) })
	side.Go(func() { lease.keep(stopping) })
	side.Go(func() { lease.watch(stopping, lines) })
	side.Go(func() { lines.sweepUntil(stopping) })

	<-stopping.Done()
	impatience := time.AfterFunc(stopTimeout, end)
	defer impatience.Stop()
	err = client.Stop(base) // closes snoozed
	side.Wait()
	lines.wait()
	return errors.Join(err, lease.release(base))
}

// newClient returns a River client that works the queue with r.
func (q *Queue) newClient(id string, r *relay) (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, r); err != nil {
		return nil, err
	}
	keepDelivered, keepDiscarded := q.cfg.KeepDelivered, q.cfg.KeepDiscarded
	if keepDelivered < 0 {
		keepDelivered = 1 // River's -1 is for ever
	}
	if keepDiscarded == 0 {
		keepDiscarded = -1
	}
	client, err := river.NewClient(riverpgxv5.New(q.pool), &river.Config{
		ID:                          id,
		Schema:                      q.cfg.Schema,
		Queues:                      map[string]river.QueueConfig{queueName: {MaxWorkers: fetchedPerWorker * q.cfg.Workers}},
		Workers:                     workers,
		FetchCooldown:               fetchCooldown,
		FetchPollInterval:           q.cfg.PollInterval,
		JobTimeout:                  beginWithin + jobTimeout,
		RescueStuckJobsAfter:        rescueAfter,
		RetryPolicy:                 retryPolicy{},
		CompletedJobRetentionPeriod: keepDelivered,
		CancelledJobRetentionPeriod: keepDiscarded,
		DiscardedJobRetentionPeriod: keepDiscarded,
		Logger:                      slog.New(warnings{q.cfg.Logger.Handler()}),
	})
	if err != nil {
		return nil, fmt.Errorf("river client: %w", err)
	}
	return client, nil
}

// retryPolicy is when River hands out a job again whose worker died.
// What an endpoint answers never gets here.
type retryPolicy struct{}

// NextRetry implements river.ClientRetryPolicy.
func (retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().Add(backoff(len(job.Errors)))
}

// wakeSnoozed looks after the lines of events that have been parked: their
// predecessors may have gone before that was written.
func (l *lines) wakeSnoozed(events <-chan *river.Event) {
	for e := range events {
		if m, err := readMetadata(e.Job.Metadata); err == nil && m.Parked && len(e.Job.Tags) > 0 {
			l.wake(e.Job.Tags[0])
		}
	}
}

// sweepUntil sweeps now and then, until ctx ends.
func (l *lines) sweepUntil(ctx context.Context) {
	for {
		start := time.Now()
		l.sweep(ctx)
		select {
		case <-time.After(max(sweepEvery, 50*time.Since(start))): // 2 % of the time at most
		case <-ctx.Done():
			return
		}
	}
}
