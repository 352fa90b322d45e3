package outboxtest

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/publisher/outbox"
)

func discardLetsSuccessorsPass(s *setup) {
	q := s.open(Config{})
	r := &recorder{decide: discardIf("1")}
	s.enqueue(q, item("1", "k"), item("2", "k"))
	s.run(q, r.deliver)
	r.want(s, "1#1", "2#1")
	s.eventually(q, outbox.Stats{Delivered: 1, Discarded: 1})
}

func discardedIsListedInPages(s *setup) {
	q := s.open(Config{Workers: 1})
	var items []outbox.Item
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		items = append(items, item(id, "k"))
	}
	start := time.Now()
	s.enqueue(q, items...)
	s.run(q, (&recorder{decide: discardIf("1", "2", "4", "5")}).deliver)
	s.eventually(q, outbox.Stats{Delivered: 1, Discarded: 4})

	first := s.discarded(q, outbox.Page{Limit: 3})
	if len(first) != 3 {
		s.Fatalf("%d listed, want the limit of 3", len(first))
	}
	rest := s.discarded(q, outbox.Page{After: first[2].Seq})
	var ids []string
	all := slices.Concat(first, rest)
	for i := range all {
		d := &all[i]
		ids = append(ids, d.ID)
		if d.Reason != "rejected "+d.ID || d.Attempt != 1 || string(d.Body) != `{"id":"`+d.ID+`"}` {
			s.Errorf("listed %+v, want its reason, attempt and body", *d)
		}
		if d.DiscardedAt.Before(start.Truncate(time.Microsecond)) || d.DiscardedAt.After(time.Now()) {
			s.Errorf("%s: discarded at %v, want between %v and now", d.ID, d.DiscardedAt, start)
		}
	}
	if diff := cmp.Diff([]string{"1", "2", "4", "5"}, ids); diff != "" {
		s.Errorf("listed (-want +got):\n%s", diff)
	}
}

// Reasons come from endpoints: one that a store cannot take as it is must not hold up
// what is settled together with it.
func discardTakesAnyReason(s *setup) {
	q := s.open(Config{})
	r := &recorder{decide: func(it outbox.Item) outbox.Outcome {
		switch {
		case it.ID == "ok":
			return outbox.Outcome{}
		case it.Attempt == 1:
			return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(s.unit), Reason: "\x00\xff"}
		default:
			return outbox.Outcome{State: outbox.Discard, Reason: "\x00\xff"}
		}
	}}
	s.enqueue(q, item("no", "a"), item("ok", "b"))
	s.run(q, r.deliver)
	s.eventually(q, outbox.Stats{Delivered: 1, Discarded: 1})
	if list := s.discarded(q, outbox.Page{}); len(list) != 1 || list[0].Reason == "" {
		s.Errorf("listed %+v, want one with a reason", list)
	}
}

func requeuedIsDelivered(s *setup) {
	q := s.open(Config{})
	var no atomic.Bool
	no.Store(true)
	r := &recorder{decide: func(it outbox.Item) outbox.Outcome {
		if no.Load() && it.Attempt == 1 {
			return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(s.unit)}
		} else if no.Load() {
			return outbox.Outcome{State: outbox.Discard, Reason: "no"}
		}
		return outbox.Outcome{}
	}}
	s.enqueue(q, item("x", "k"))
	s.run(q, r.deliver)
	s.eventually(q, outbox.Stats{Discarded: 1})
	no.Store(false)
	s.sleep(5)

	before := time.Now()
	seq := s.discarded(q, outbox.Page{})[0].Seq
	if n, err := q.Requeue(s.Context(), seq, seq+4711); n != 1 || err != nil {
		s.Fatalf("Requeue = %d, %v; want 1: the other number is passed over", n, err)
	}
	calls := r.want(s, "x#1", "x#2", "x#1")
	if at := calls[2].item.PublishedAt; at.Before(before.Truncate(time.Microsecond)) {
		s.Errorf("PublishedAt = %v, want that of the requeue, %v: its age starts anew", at, before)
	}
	s.eventually(q, outbox.Stats{Delivered: 1})
}

func requeueGoesToTheEnd(s *setup) {
	q := s.open(Config{})
	r := &recorder{decide: discardIf("1")}
	s.enqueue(q, item("1", "k"))
	stop := s.run(q, r.deliver)
	s.eventually(q, outbox.Stats{Discarded: 1})
	stop()
	s.enqueue(q, item("2", "k"))
	if n, err := q.Requeue(s.Context(), s.discarded(q, outbox.Page{})[0].Seq); n != 1 || err != nil {
		s.Fatalf("Requeue = %d, %v; want 1", n, err)
	}
	s.enqueue(q, item("3", "k"))
	r.decide = nil
	s.run(q, r.deliver)
	r.want(s, "1#1", "2#1", "1#1", "3#1")
}

func statsCountStates(s *setup) {
	q := s.open(Config{})
	if got := s.stats(q); got != (outbox.Stats{}) {
		s.Errorf("Stats of an empty queue = %+v", got)
	}
	first := time.Now().Truncate(time.Microsecond)
	s.enqueue(q, item("a1", "a"), item("a2", "a"))
	s.sleep(2)
	s.enqueue(q, item("no", "n"), item("yes", "y"))
	if got := s.stats(q); got.Pending != 4 || got.OldestPending.Before(first) || got.OldestPending.After(first.Add(s.unit)) {
		s.Errorf("Stats = %+v, want 4 pending, the oldest since %v", got, first)
	}
	gate := newGate()
	r := &recorder{decide: discardIf("no")}
	s.run(q, func(ctx context.Context, it outbox.Item) outbox.Outcome {
		if it.ID == "a1" {
			gate.wait()
		}
		return r.deliver(ctx, it)
	})
	s.Cleanup(gate.open)
	s.eventually(q, outbox.Stats{Pending: 1, Sending: 1, Delivered: 1, Discarded: 1})
	gate.open()
	s.eventually(q, outbox.Stats{Delivered: 3, Discarded: 1})
	if got := s.stats(q); !got.OldestPending.IsZero() {
		s.Errorf("OldestPending = %v, want none", got.OldestPending)
	}
}
