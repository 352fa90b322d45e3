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

// curveRounds is how often each point is measured, all of a value in turns.
const curveRounds = 5

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

// plotPoint adds the rates of runners at a value to their curves.
func plotPoint(found []curve, at int, runners []runner) ([]curve, error) {
	rates := make([][]float64, len(runners))
	for round := range curveRounds {
		for i := range runners {
			turn := (i + round) % len(runners)
			r := runners[turn]
			took, err := r.run(r.n)
			if err != nil {
				return nil, fmt.Errorf("%s at %d: %w", r.name, at, err)
			}
			rates[turn] = append(rates[turn], float64(r.n)/took.Seconds())
		}
	}
	for i, r := range runners {
		if len(found) == i {
			found = append(found, curve{Name: r.name, Ours: r.ours})
		}
		found[i].Points = append(found[i].Points, point{at, spreadOf(rates[i]).Median})
	}
	return found, nil
}

// measureCurves measures events per second over workers and over queue depth.
func measureCurves(ctx context.Context, l *lab) (c curves, err error) {
	for _, workers := range []int{1, 4, 16, 64, 256} {
		fmt.Fprintln(os.Stderr, "curves over workers,", workers)
		clients, err := l.clientsWith(workers)
		if err != nil {
			return c, err
		}
		var runners []runner
		for _, side := range []struct {
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
				return c, err
			}
			runners = append(runners, runner{side.name, len(runners) == 0, side.n, timed(crowd)})
		}
		if c.Workers, err = plotPoint(c.Workers, workers, runners); err != nil {
			return c, err
		}
		if err := ctx.Err(); err != nil {
			return c, err
		}
	}
	c.Depth, err = depthCurves(ctx, l)
	return c, err
}

// depthCurves deliver with 16 in flight what has waited longest, while as many events
// wait as the value says.
func depthCurves(ctx context.Context, l *lab) (found []curve, err error) {
	d, err := newDurable()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	const (
		workers, n = 16, 2000
		// What is under way when a queue has delivered enough is delivered too.
		slack = curveRounds * workers
	)
	post := netHTTPBody(l.endpoint.url, tuned(workers))
	memory := outbox.NewMemory(outbox.Config{Capacity: 1 << 22, Workers: workers})
	waiting := 0
	// fill adds events to all three.
	fill := func(events int) error {
		for events > 0 {
			batch := make([]outbox.Item, min(1000, events))
			for i := range batch {
				batch[i] = d.items.next()
			}
			if err := errors.Join(memory.Enqueue(ctx, batch...), d.queue.Enqueue(ctx, batch...), d.bare.insert(ctx, batch)); err != nil {
				return err
			}
			events -= len(batch)
		}
		return nil
	}
	queued := func(q outbox.Queue) func(int) (time.Duration, error) {
		return func(n int) (time.Duration, error) { return deliverTo(ctx, q, n, post) }
	}
	for _, depth := range decades(100, 100_000) {
		fmt.Fprintln(os.Stderr, "curves over depth,", depth)
		// What a point delivers comes on top, so that as many wait at the end.
		if err := fill(depth - waiting + curveRounds*n + slack); err != nil {
			return nil, err
		}
		waiting = depth
		found, err = plotPoint(found, depth, []runner{
			{"memory queue", true, n, queued(memory)},
			{"SQLite queue", true, n, queued(d.queue)},
			{"bare SQLite table", false, n, timed(func(n int) error { return d.bare.deliver(ctx, n, post) })},
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
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
		errs = append(errs, <-done)
	}
	took := time.Since(before)
	stop()
	return took, errors.Join(append(errs, <-ended)...)
}
