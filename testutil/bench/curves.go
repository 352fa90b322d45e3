package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
)

// curve is events per second over something.
type curve struct {
	Name   string  `json:"name"`
	Ours   bool    `json:"ours"`
	Points []point `json:"points"`
}

type point struct {
	At   int     `json:"at"`
	Rate float64 `json:"eventsPerSecond"` // median
}

// curves are what is plotted.
type curves struct {
	Workers []curve `json:"workers"`
	Depth   []curve `json:"depth"`
}

// curveRounds is how often each point is measured. After 7 rounds the lines of clients
// that are equally fast still crossed.
const curveRounds = 21

// runner does n events and returns how long they took.
type runner struct {
	name string
	ours bool
	n    int
	run  func(n int) (time.Duration, error)
}

// timed is a side as a runner's.
func timed(s side) func(int) (time.Duration, error) {
	return func(n int) (time.Duration, error) {
		before := time.Now()
		err := s(n)
		return time.Since(before), err
	}
}

// plotPoints makes curves of the rates of runners at some values. What the machine
// does besides hits all of them: every round goes through all values.
func plotPoints(values []int, runners [][]runner) (found []curve, err error) {
	rates := map[[2]int][]float64{} // by value and runner
	for round := range curveRounds {
		for v, at := range values {
			for i := range runners[v] {
				turn := (i + round) % len(runners[v])
				r := runners[v][turn]
				took, err := r.run(r.n)
				if err != nil {
					return nil, fmt.Errorf("%s at %d: %w", r.name, at, err)
				}
				rates[[2]int{v, turn}] = append(rates[[2]int{v, turn}], float64(r.n)/took.Seconds())
			}
		}
	}
	for v, at := range values {
		for i, r := range runners[v] {
			if len(found) == i {
				found = append(found, curve{Name: r.name, Ours: r.ours})
			}
			found[i].Points = append(found[i].Points, point{at, spreadOf(rates[[2]int{v, i}]).Median})
		}
	}
	return found, nil
}

// measureCurves measures events per second over workers and over queue depth.
func measureCurves(ctx context.Context, l *lab) (c curves, err error) {
	fmt.Fprintln(os.Stderr, "curves over workers")
	values := []int{1, 4, 16, 64, 256}
	var runners [][]runner
	for _, workers := range values {
		at, err := l.publishers(workers)
		if err != nil {
			return c, err
		}
		runners = append(runners, at)
	}
	if c.Workers, err = plotPoints(values, runners); err != nil {
		return c, err
	}
	c.Depth, err = depthCurves(ctx, l)
	return c, err
}

// publishers are clients with so many requests under way, connected.
func (l *lab) publishers(workers int) (found []runner, err error) {
	clients, err := l.clientsWith(workers)
	if err != nil {
		return nil, err
	}
	for i, side := range []struct {
		name string
		send func() error
		n    int
	}{
		{"this library", clients.ours, 1500},
		{"net/http, tuned", clients.plain, 1500},
		{"fasthttp", clients.fast, 1500},
		{"written by hand", clients.floor, 1500},
		{"Watermill, fixed", clients.watermillFixed, 1500},
		{"sdk-go, fixed", clients.sdkFixed, 1500},
		{"sdk-go as it comes", clients.sdkStock, 500}, // a connection each
	} {
		crowd := crowdOf(workers, side.send)
		if err := crowd(2 * workers); err != nil {
			return nil, fmt.Errorf("%s: %w", side.name, err)
		}
		found = append(found, runner{side.name, i == 0, side.n, timed(crowd)})
	}
	return found, nil
}

// depthCurves deliver with 16 in flight what has waited longest, while as many events
// wait as the value says.
func depthCurves(ctx context.Context, l *lab) (found []curve, failed error) {
	fmt.Fprintln(os.Stderr, "curves over depth")
	values := decades(100, 100_000)
	var (
		runners [][]runner
		opened  []*durable
	)
	defer func() {
		for _, d := range opened {
			failed = errors.Join(failed, d.close())
		}
	}()
	for _, depth := range values {
		d, err := newDurable()
		if err != nil {
			return nil, err
		}
		opened = append(opened, d)
		at, err := l.deliverers(ctx, d, depth)
		if err != nil {
			return nil, err
		}
		runners = append(runners, at)
	}
	return plotPoints(values, runners)
}

// deliverers are queues with so many events, and those that they will deliver.
func (l *lab) deliverers(ctx context.Context, d *durable, depth int) ([]runner, error) {
	const (
		workers, n = 16, 1500
		// What is under way when a queue has delivered enough is delivered too, and
		// what begins until it is told to stop: more than 20 events a round.
		slack = 4 * curveRounds * workers
	)
	memory := outbox.NewMemory(outbox.Config{Capacity: 1 << 22, Workers: workers})
	for left := depth + curveRounds*n + slack; left > 0; {
		batch := make([]outbox.Item, min(1000, left))
		for i := range batch {
			batch[i] = d.items.next()
		}
		if err := errors.Join(memory.Enqueue(ctx, batch...), d.queue.Enqueue(ctx, batch...), d.bare.insert(ctx, batch)); err != nil {
			return nil, err
		}
		left -= len(batch)
	}
	post := netHTTPBody(l.endpoint.url, tuned(workers))
	queued := func(q outbox.Queue) func(int) (time.Duration, error) {
		return func(n int) (time.Duration, error) { return deliverTo(ctx, q, n, post) }
	}
	return []runner{
		{"memory queue", true, n, queued(memory)},
		{"SQLite queue", true, n, queued(d.queue)},
		{"bare SQLite table", false, n, timed(func(n int) error { return d.bare.deliver(ctx, n, post) })},
	}, nil
}

// deliverTo has a queue deliver n events or a few more, and returns how long it took.
func deliverTo(ctx context.Context, q outbox.Queue, n int, post func([]byte) error) (time.Duration, error) {
	run, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, n)
	ended := make(chan error, 1)
	before := time.Now()
	go func() {
		ended <- q.Run(run, func(_ context.Context, it outbox.Item) outbox.Outcome {
			err := post(it.Body)
			select {
			case done <- err:
			default:
			}
			return outbox.Outcome{}
		})
	}()
	var errs []error
	for range n {
		select {
		case err := <-done:
			errs = append(errs, err)
		case <-ctx.Done():
			return 0, errors.Join(ctx.Err(), <-ended)
		}
	}
	took := time.Since(before)
	stop()
	return took, errors.Join(append(errs, <-ended)...)
}
