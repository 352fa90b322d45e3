package outboxtest

import (
	"context"
	"errors"

	"github.com/altinn-go/events/publisher/outbox"
)

func refusesAllOrNone(s *setup) {
	q := s.open(Config{Capacity: 3, WhenFull: outbox.Refuse})
	s.enqueue(q, item("1", "k"), item("2", "k"))
	if err := q.Enqueue(s.ctx(), item("3", "k"), item("4", "k")); !errors.Is(err, outbox.ErrFull) {
		s.Errorf("Enqueue = %v, want ErrFull", err)
	}
	if got := s.stats(q).Pending; got != 2 {
		s.Errorf("%d pending, want 2: a refused batch leaves nothing", got)
	}
	s.enqueue(q, item("3", "k"))
	if err := q.Enqueue(s.ctx(), item("4", "k"), item("5", "k"), item("6", "k"), item("7", "k")); !errors.Is(err, outbox.ErrFull) {
		s.Errorf("Enqueue of more than the capacity = %v, want ErrFull", err)
	}
}

func waitsForRoomInTurn(s *setup) {
	q := s.open(Config{Capacity: 2})
	s.enqueue(q, item("1", "a"), item("2", "b"))
	big, small := make(chan error, 1), make(chan error, 1)
	go func() { big <- q.Enqueue(s.ctx(), item("3", "c"), item("4", "d")) }()
	s.sleep(2)
	go func() { small <- q.Enqueue(s.ctx(), item("5", "e")) }()
	s.sleep(2)
	if got := s.stats(q).Pending; got != 2 {
		s.Fatalf("%d pending, want the capacity of 2", got)
	}
	r := &recorder{}
	s.run(q, r.deliver)
	if err := errors.Join(<-big, <-small); err != nil {
		s.Fatalf("Enqueue: %v", err)
	}
	if calls := r.await(s, 5); calls[4].id != "5" {
		s.Errorf("deliveries %v, want 5 last: it came last", texts(calls))
	}
}

func waitEndsWithTheContext(s *setup) {
	q := s.open(Config{Capacity: 2})
	s.enqueue(q, item("1", "a"))
	ctx, cancel := context.WithTimeout(s.Context(), s.units(5))
	defer cancel()
	small := make(chan error, 1)
	go func() {
		s.sleep(1)
		small <- q.Enqueue(s.ctx(), item("4", "d")) // fits, but must wait in line
	}()
	if err := q.Enqueue(ctx, item("2", "b"), item("3", "c")); !errors.Is(err, context.DeadlineExceeded) {
		s.Errorf("Enqueue = %v, want the deadline", err)
	}
	if err := <-small; err != nil {
		s.Errorf("the caller behind it: %v, want its turn", err)
	}
	if got := s.stats(q).Pending; got != 2 {
		s.Errorf("%d pending, want 2", got)
	}
}

func closeEndsTheWait(s *setup) {
	q := s.open(Config{Capacity: 1})
	s.enqueue(q, item("1", "a"))
	waiting := make(chan error, 1)
	go func() { waiting <- q.Enqueue(s.ctx(), item("2", "b")) }()
	s.sleep(2)
	s.close(q)
	if err := <-waiting; !errors.Is(err, outbox.ErrClosed) {
		s.Errorf("Enqueue = %v, want ErrClosed", err)
	}
}
