package outboxtest

import (
	"context"
	"errors"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
)

func runWaitsForWhatIsUnderWay(s *setup) {
	q := s.open(Config{})
	ctx, cancel := context.WithCancel(s.ctx())
	defer cancel()
	s.enqueue(q, item("1", "k"), item("2", "k"))
	ended := false
	err := q.Run(ctx, func(ctx context.Context, _ outbox.Item) outbox.Outcome {
		cancel()
		s.sleep(3)
		if ctx.Err() != nil {
			s.Error("the delivery's context ended with Run's")
		}
		ended = true
		return outbox.Outcome{}
	})
	if err != nil || !ended {
		s.Errorf("Run = %v, delivery ended: %v; want nil, after the delivery", err, ended)
	}
	if got := s.stats(q); got.Pending != 1 || got.Sending != 0 {
		s.Errorf("Stats = %+v, want the second item pending", got)
	}
}

func anotherRunGoesOn(s *setup) {
	q := s.open(Config{})
	r := &recorder{decide: func(it outbox.Item) outbox.Outcome {
		if it.ID == "1" && it.Attempt == 1 {
			return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(s.units(5))}
		}
		return outbox.Outcome{}
	}}
	s.enqueue(q, item("1", "k"))
	stop := s.run(q, r.deliver)
	r.await(s, 1)
	stop()
	s.enqueue(q, item("2", "k"))
	s.run(q, r.deliver)
	r.want(s, "1#1", "1#2", "2#1")
}

func oneRunAtATime(s *setup) {
	q := s.open(Config{})
	r := &recorder{}
	s.run(q, r.deliver)
	s.enqueue(q, item("1", "k"))
	r.await(s, 1)
	if err := q.Run(s.ctx(), r.deliver); err == nil {
		s.Error("a second Run returned nil, want an error")
	}
}

func closeDuringDelivery(s *setup) {
	q := s.open(Config{})
	gate := newGate()
	begun := make(chan struct{})
	s.enqueue(q, item("1", "k"))
	stop := s.run(q, func(context.Context, outbox.Item) outbox.Outcome {
		close(begun)
		gate.wait()
		return outbox.Outcome{}
	})
	s.Cleanup(gate.open)
	<-begun
	ctx, cancel := context.WithTimeout(s.Context(), s.units(2))
	defer cancel()
	if err := q.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		s.Errorf("Close = %v, want the deadline: a delivery is under way", err)
	}
	gate.open()
	stop()
	if err := q.Close(s.ctx()); err != nil {
		s.Errorf("Close after the delivery: %v", err)
	}
	if s.store.Persistent {
		if got := s.stats(s.open(Config{})); got.Delivered != 1 || got.Pending != 0 {
			s.Errorf("Stats after reopening = %+v, want the outcome of the delivery kept", got)
		}
	}
}

func closeRefuses(s *setup) {
	q := s.open(Config{})
	s.run(q, (&recorder{}).deliver)
	for range 2 {
		if err := q.Close(s.ctx()); err != nil {
			s.Errorf("Close: %v", err)
		}
	}
	if err := q.Enqueue(s.ctx(), item("2", "k")); !errors.Is(err, outbox.ErrClosed) {
		s.Errorf("Enqueue = %v, want ErrClosed", err)
	}
	if err := q.Run(s.ctx(), (&recorder{}).deliver); !errors.Is(err, outbox.ErrClosed) {
		s.Errorf("Run = %v, want ErrClosed", err)
	}
}

func drainWaitsForWhatIsDue(s *setup) {
	q := s.open(Config{Workers: 2})
	r := &recorder{decide: func(outbox.Item) outbox.Outcome {
		s.sleep(1)
		return outbox.Outcome{}
	}}
	s.enqueue(q, item("1", "k"), item("2", "k"), item("3", "k"), item("4", "other"))
	s.run(q, r.deliver)
	if err := q.Drain(s.ctx()); err != nil {
		s.Fatalf("Drain: %v", err)
	}
	if got := s.stats(q); got.Pending+got.Sending != 0 {
		s.Errorf("Stats after Drain = %+v, want nothing left", got)
	}
	if n := len(r.await(s, 0)); n != 4 {
		s.Errorf("%d delivered when Drain returned, want 4", n)
	}
}

func drainEndsWithItsContext(s *setup) {
	q := s.open(Config{})
	s.enqueue(q, item("1", "k"))
	ctx, cancel := context.WithTimeout(s.Context(), s.units(2))
	defer cancel()
	if err := q.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		s.Errorf("Drain without a Run = %v, want the deadline", err)
	}
}
