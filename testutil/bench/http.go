package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/altinn-go/events/publisher"
	"github.com/google/uuid"
)

// inFlight is how many requests are under way at once, where a goal says so.
const inFlight = 64

var testTime = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// crowd makes a side of send: n calls, inFlight at a time.
func crowd(send func() error) side { return crowdOf(inFlight, send) }

// crowdOf is crowd with another number at a time.
func crowdOf(workers int, send func() error) side {
	return func(n int) error {
		var (
			left  atomic.Int64
			group sync.WaitGroup
			first atomic.Pointer[error]
		)
		left.Store(int64(n))
		for range min(workers, n) {
			group.Go(func() {
				for left.Add(-1) >= 0 && first.Load() == nil {
					if err := send(); err != nil {
						first.Store(&err)
					}
				}
			})
		}
		group.Wait()
		if err := first.Load(); err != nil {
			return *err
		}
		return nil
	}
}

// ours is Publish without a queue.
func (l *lab) ours(base string) (func() error, error) {
	p, err := newPublisher(base, nil, publisher.Config{})
	if err != nil {
		return nil, err
	}
	return func() error { return p.Publish(context.Background(), testApp.Created(testInstance)) }, nil
}

// clients are those that goal 4 compares.
type clients struct {
	ours, plain, floor, fast                         func() error
	sdkFixed, sdkStock, watermillFixed, watermillStd func() error
}

func (l *lab) clients() (clients, error) { return l.clientsWith(inFlight) }

// clientsWith are clients that keep so many connections.
func (l *lab) clientsWith(connections int) (clients, error) {
	base := l.endpoint.url
	item, err := encoded()
	if err != nil {
		return clients{}, err
	}
	var (
		c    clients
		errs [6]error
	)
	c.ours, errs[0] = l.ours(base)
	c.plain = netHTTP(base, tuned(connections), item.Body)
	f, err := newFloor(base, item.Body)
	errs[1] = err
	if err == nil {
		c.floor = f.send
	}
	c.fast = fast(base, connections, item.Body)
	c.sdkFixed, errs[2] = sdk(base, drained{tuned(connections)})
	c.sdkStock, errs[3] = sdk(base, http.DefaultTransport) //nolint:forbidigo // that is how it comes
	c.watermillFixed, errs[4] = watermill(base, &http.Client{Transport: drained{tuned(connections)}}, item.Body)
	c.watermillStd, errs[5] = watermill(base, nil, item.Body)
	return c, errors.Join(errs[:]...)
}

// rate is the subject's events per second against a peer's.
func rate(subject, peer func(clients) func() error) func(*lab) (figure, error) {
	return rateOver(socketRounds, subject, peer)
}

// rateOver is rate with as many times the lab's rounds.
func rateOver(times int, subject, peer func(clients) func() error) func(*lab) (figure, error) {
	return func(l *lab) (figure, error) {
		r, err := l.sockets(times, subject, peer, wallTime)
		return r.inverse().figure(), err
	}
}

// cpu is the CPU that this process spends on the subject against a peer's.
func cpu(subject, peer func(clients) func() error) func(*lab) (figure, error) {
	return func(l *lab) (figure, error) {
		r, err := l.sockets(socketRounds, subject, peer, processTime)
		return r.figure(), err
	}
}

// socketRounds is how many times more pairs a contest over sockets has than others: what
// two processes do on two cores varies by a fifth from slice to slice.
const socketRounds = 3

func (l *lab) sockets(times int, subject, peer func(clients) func() error, clock clock) (ratio, error) {
	c, err := l.clients()
	if err != nil {
		return ratio{}, err
	}
	return l.run(contest{
		subject: crowd(subject(c)), peer: crowd(peer(c)), clock: clock, n: 2000, rounds: times * l.rounds,
	})
}

func oursOf(c clients) func() error { return c.ours }

// connectionsPer1000 counts what 1000 events at 64 in flight open, once there are
// connections.
func connectionsPer1000(l *lab) (figure, error) {
	send, err := l.ours(l.endpoint.url)
	if err != nil {
		return figure{}, err
	}
	s := crowd(send)
	if err := s(1000); err != nil {
		return figure{}, err
	}
	before, err := l.endpoint.connections()
	if err != nil {
		return figure{}, err
	}
	if err := s(1000); err != nil {
		return figure{}, err
	}
	after, err := l.endpoint.connections()
	return count(float64(after - before)), err
}

// latencyBound is the share of workers/latency that a slow endpoint admits.
func latencyBound(l *lab) (figure, error) {
	send, err := l.ours(l.endpoint.url + slowPath)
	if err != nil {
		return figure{}, err
	}
	const n = 40 * inFlight
	s := crowd(send)
	if err := s(inFlight); err != nil {
		return figure{}, err
	}
	var shares []float64
	for range max(3, l.rounds/5) {
		before := time.Now()
		if err := s(n); err != nil {
			return figure{}, err
		}
		ideal := time.Duration(n/inFlight) * slowAnswer
		shares = append(shares, ideal.Seconds()/time.Since(before).Seconds())
	}
	found := spreadOf(shares)
	return figure{Value: found.Median, Q1: found.Q1, Q3: found.Q3, Control: &spread{1, 1, 1}}, nil
}
