package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"syscall"
	"time"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
)

// stub is a transport that takes every event without a network, and a floor under
// what a request can cost.
type stub struct{ response http.Response }

func newStub() *stub {
	return &stub{http.Response{StatusCode: http.StatusCreated, Body: http.NoBody}}
}

func (s *stub) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	_ = r.Body.Close()
	return &s.response, nil
}

// slow is a transport that takes every event as long after it was asked as an endpoint
// may take.
type slow struct{ http.RoundTripper }

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(slowAnswer):
		return s.RoundTripper.RoundTrip(r)
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// down is a transport to an endpoint that is not there.
type down struct{}

func (down) RoundTrip(r *http.Request) (*http.Response, error) {
	_ = r.Body.Close()
	return nil, syscall.ECONNREFUSED
}

const stubURL = "http://localhost"

// oneByOne makes a side of send.
func oneByOne(send func() error) side {
	return func(n int) error {
		for range n {
			if err := send(); err != nil {
				return err
			}
		}
		return nil
	}
}

// encode is goal 3: from an instance to bytes.
func encode(l *lab) (figure, error) {
	r, err := l.run(contest{
		subject: oneByOne(func() error {
			_, err := publisher.Encoder{}.Encode(testApp.Created(testInstance), time.Now(), "")
			return err
		}),
		peer: oneByOne(func() error {
			ev := sdkEvent()
			ev.SetID(newID())
			ev.SetTime(time.Now())
			if err := ev.Validate(); err != nil {
				return err
			}
			_, err := json.Marshal(ev)
			return err
		}),
	})
	return r.figure(), err
}

// sdkStub sends a pre-built event with the SDK over a stub.
func sdkStub() (func() error, error) {
	send, err := sdkClient(stubURL, newStub())
	ev := sdkEvent()
	ev.SetID(newID())
	ev.SetTime(testTime)
	return func() error { return send(ev) }, err
}

// publishStub publishes a pre-built event over a stub.
func publishStub() (func() error, error) {
	p, err := newPublisher(stubURL, newStub(), publisher.Config{})
	ev := testApp.Created(testInstance)
	ev.SetID(newID())
	ev.SetTime(testTime)
	return func() error { return p.Publish(context.Background(), ev) }, err
}

func prebuilt(l *lab) (figure, error) {
	subject, err := publishStub()
	if err != nil {
		return figure{}, err
	}
	peer, err := sdkStub()
	if err != nil {
		return figure{}, err
	}
	r, err := l.run(contest{subject: oneByOne(subject), peer: oneByOne(peer)})
	return r.figure(), err
}

// prebuiltAllocs leaves out what any request allocates: what a transport is handed,
// and two of net/http that track a body.
func prebuiltAllocs(*lab) (figure, error) {
	send, err := publishStub()
	if err != nil {
		return figure{}, err
	}
	n, err := allocations(oneByOne(send))
	return count(n), err
}

// asynchronous returns a Publish to a memory queue whose endpoint is behind
// transport.
func asynchronous(transport http.RoundTripper) (send func() error, stop func(), err error) {
	queue := outbox.NewMemory(outbox.Config{Capacity: 1 << 22, Workers: 1})
	p, err := newPublisher(stubURL, transport, publisher.Config{Queue: queue, Retry: publisher.RetryPolicy{
		Base: time.Hour, Max: time.Hour,
	}})
	if err != nil {
		return nil, nil, err
	}
	ev := testApp.Created(testInstance)
	send = func() error { return p.Publish(context.Background(), ev) }
	stop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		_, _ = p.Close(ctx), queue.Close(ctx)
	}
	return send, stop, nil
}

// onRequestPath is goal 5: what Publish costs its caller. Behind a transport that answers
// at once the relay is never idle, and the two share caches, memory and collector: that
// makes a Publish half as dear again as behind one that takes as long as endpoints do.
func onRequestPath(transport http.RoundTripper) func(*lab) (figure, error) {
	return func(l *lab) (figure, error) {
		peer, err := sdkStub()
		if err != nil {
			return figure{}, err
		}
		send, stop, err := asynchronous(transport)
		if err != nil {
			return figure{}, err
		}
		defer stop()
		r, err := l.run(contest{subject: oneByOne(send), peer: oneByOne(peer), n: 2000})
		return r.figure(), err
	}
}

// endpointDown is what Publish costs while the endpoint is down, against up.
func endpointDown(l *lab) (figure, error) {
	away, stopAway, err := asynchronous(down{})
	if err != nil {
		return figure{}, err
	}
	defer stopAway()
	up, stopUp, err := asynchronous(newStub())
	if err != nil {
		return figure{}, err
	}
	defer stopUp()
	r, err := l.run(contest{subject: oneByOne(away), peer: oneByOne(up), n: 2000})
	return r.figure(), err
}
