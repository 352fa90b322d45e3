package outboxtest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/publisher/outbox"
)

func duplicateIsNoSecondEvent(s *setup) {
	q := s.open(Config{})
	r := &recorder{decide: discardIf("no")}
	elsewhere := item("x", "k")
	elsewhere.Source = "https://example.com/elsewhere"
	s.enqueue(q, item("x", "k"), item("x", "k"), elsewhere, item("no", "k"))
	s.enqueue(q, item("x", "k"), item("y", "k"))
	s.run(q, r.deliver)
	r.want(s, "x#1", "x#1", "no#1", "y#1")
	s.eventually(q, outbox.Stats{Delivered: 3, Discarded: 1})

	s.enqueue(q, item("x", "k"), item("no", "k"))
	r.want(s, "x#1", "x#1", "no#1", "y#1")
}

func purgeDeletesByAge(s *setup) {
	q := s.durable(Config{})
	r := &recorder{decide: discardIf("old-no", "new-no")}
	s.run(q, r.deliver)
	s.enqueue(q, item("old-yes", "a"), item("old-no", "b"))
	s.eventually(q, outbox.Stats{Delivered: 1, Discarded: 1})
	s.sleep(20)
	s.enqueue(q, item("new-yes", "a"), item("new-no", "b"))
	s.eventually(q, outbox.Stats{Delivered: 2, Discarded: 2})

	for _, status := range []outbox.Status{outbox.StatusDelivered, outbox.StatusDiscarded} {
		for _, olderThan := range []time.Duration{s.units(20), 0} {
			if n, err := q.Purge(s.Context(), status, olderThan); n != 1 || err != nil {
				s.Errorf("Purge(%v, %v) = %d, %v; want 1", status, olderThan, n, err)
			}
		}
	}
	s.eventually(q, outbox.Stats{})
	if _, err := q.Purge(s.Context(), outbox.StatusPending, 0); err == nil {
		s.Error("Purge of pending items returned nil, want an error")
	}
	s.enqueue(q, item("old-yes", "a"))
	s.eventually(q, outbox.Stats{Delivered: 1}) // its id is accepted again
}

func listShowsEveryState(s *setup) {
	q := s.durable(Config{Workers: 1})
	r := &recorder{decide: func(it outbox.Item) outbox.Outcome {
		if it.ID == "later" {
			return s.never()
		}
		return discardIf("no")(it)
	}}
	stop := s.run(q, r.deliver)
	s.enqueue(q, item("yes", "a"), item("no", "b"), item("later", "c"), item("behind", "c"))
	r.await(s, 3)
	s.eventually(q, outbox.Stats{Pending: 2, Delivered: 1, Discarded: 1})
	stop()
	for status, want := range map[outbox.Status][]string{
		outbox.StatusPending:   {"later#1 not yet", "behind#0 "},
		outbox.StatusDelivered: {"yes#1 "},
		outbox.StatusDiscarded: {"no#1 rejected no"},
	} {
		records, err := q.List(s.Context(), status, outbox.Page{})
		if err != nil {
			s.Fatalf("List(%v): %v", status, err)
		}
		var got []string
		for i := range records {
			rec := &records[i]
			got = append(got, fmt.Sprintf("%s#%d %s", rec.ID, rec.Attempt, rec.Reason))
			if rec.Status != status || rec.Since.IsZero() || rec.NextAttempt.IsZero() != (rec.ID != "later") {
				s.Errorf("record %+v: want status %v, a Since, and a NextAttempt at the head of a line only", *rec, status)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			s.Errorf("List(%v) (-want +got):\n%s", status, diff)
		}
	}
}

func reopenGoesOn(s *setup) {
	q := s.open(Config{})
	s.enqueue(q, item("1", "k"), item("2", "k"), item("3", "other"))
	s.close(q)
	q = s.open(Config{Workers: 1})
	s.enqueue(q, item("4", "k"), item("1", "k"))
	r := &recorder{}
	s.run(q, r.deliver)
	calls := r.await(s, 4)
	var ofK []string
	for i := range calls {
		if calls[i].item.Key == "k" {
			ofK = append(ofK, calls[i].id)
		}
	}
	if diff := cmp.Diff([]string{"1", "2", "4"}, ofK); diff != "" {
		s.Errorf("key k (-want +got):\n%s", diff)
	}
	s.eventually(q, outbox.Stats{Delivered: 4})
}

func retriesSurviveReopen(s *setup) {
	q := s.open(Config{})
	var (
		mu  sync.Mutex
		due time.Time
	)
	r := &recorder{decide: func(it outbox.Item) outbox.Outcome {
		mu.Lock()
		defer mu.Unlock()
		if it.ID == "1" && it.Attempt == 1 {
			due = time.Now().Add(s.units(10))
			return outbox.Outcome{State: outbox.Retry, RetryAt: due}
		}
		return outbox.Outcome{}
	}}
	s.enqueue(q, item("1", "k"), item("2", "k"))
	stop := s.run(q, r.deliver)
	r.await(s, 1)
	stop()
	s.close(q)
	s.run(s.open(Config{}), r.deliver)
	calls := r.want(s, "1#1", "1#2", "2#1")
	mu.Lock()
	defer mu.Unlock()
	if calls[1].at.Before(due) {
		s.Errorf("the retry came %v before it was due", due.Sub(calls[1].at))
	}
}

func discardedSurvivesReopen(s *setup) {
	q := s.open(Config{})
	s.enqueue(q, item("no", "k"))
	stop := s.run(q, (&recorder{decide: discardIf("no")}).deliver)
	s.eventually(q, outbox.Stats{Discarded: 1})
	stop()
	s.close(q)
	q = s.open(Config{})
	list := s.discarded(q, outbox.Page{})
	if len(list) != 1 || list[0].ID != "no" || list[0].Reason != "rejected no" {
		s.Fatalf("discarded after reopening: %+v, want the one", list)
	}
	if n, err := q.Requeue(s.Context(), list[0].Seq); n != 1 || err != nil {
		s.Fatalf("Requeue = %d, %v; want 1", n, err)
	}
	r := &recorder{}
	s.run(q, r.deliver)
	r.want(s, "no#1")
}

func crashSendsAgain(s *setup) {
	q := s.open(Config{Workers: 2})
	gate := newGate()
	var r recorder
	s.enqueue(q, item("done", "a"), item("under way", "b"), item("behind", "b"))
	s.run(q, func(ctx context.Context, it outbox.Item) outbox.Outcome {
		if it.Key == "b" {
			gate.wait()
		}
		return r.deliver(ctx, it)
	})
	s.Cleanup(gate.open)
	s.eventually(q, outbox.Stats{Pending: 1, Sending: 1, Delivered: 1})

	after := &setup{TB: s.TB, store: s.store.Crash(s.TB), unit: s.unit}
	again := &recorder{}
	after.run(after.open(Config{}), again.deliver)
	if calls := again.await(after, 2); calls[0].id != "under way" || calls[1].id != "behind" || len(calls) != 2 {
		s.Errorf("after the crash %v came, want under way and behind", texts(calls))
	}
}
