package outboxtest

import (
	"errors"
	"strconv"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher/outbox"
)

// txKey is the key of newEvent.
const txKey = "urn:altinn:resource:test/k"

// newEvent is an event of the key txKey.
func newEvent(id string) event.Event {
	ev := event.New()
	ev.SetID(id)
	ev.SetSource("https://example.com/broker")
	ev.SetType("test.outbox")
	ev.SetSubject("/party/50019855")
	ev.SetExtension(models.ExtResource, "urn:altinn:resource:test")
	ev.SetExtension(models.ExtResourceInstance, "k")
	return ev
}

func (s *setup) publishTx(tx Tx, events ...event.Event) {
	s.Helper()
	if err := tx.PublishTx(s.ctx(), events...); err != nil {
		s.Fatalf("PublishTx: %v", err)
	}
}

func (s *setup) commit(tx Tx) {
	s.Helper()
	if err := tx.Commit(); err != nil {
		s.Fatalf("Commit: %v", err)
	}
}

func (s *setup) rollback(tx Tx) {
	s.Helper()
	if err := tx.Rollback(); err != nil {
		s.Fatalf("Rollback: %v", err)
	}
}

func commitPublishes(s *setup) {
	q := s.open(Config{})
	r := &recorder{}
	s.run(q, r.deliver)
	tx := s.store.Begin(s.TB, q)
	s.publishTx(tx, newEvent("1"), newEvent("2"))
	s.sleep(3)
	if calls := r.await(s, 0); len(calls) != 0 {
		s.Errorf("%v came before the commit", texts(calls))
	}
	s.commit(tx)
	calls := r.want(s, "1#1", "2#1")
	if it := calls[0].item; it.Key != txKey || it.Endpoint != "/events" || len(it.Body) == 0 {
		s.Errorf("item %+v, want the encoded event", it)
	}
}

func rollbackLeavesNothing(s *setup) {
	q := s.open(Config{})
	tx := s.store.Begin(s.TB, q)
	s.publishTx(tx, newEvent("1"))
	s.rollback(tx)
	if got := s.stats(q); got != (outbox.Stats{}) {
		s.Errorf("Stats = %+v, want nothing", got)
	}
	tx = s.store.Begin(s.TB, q)
	s.publishTx(tx, newEvent("1")) // its id was not used
	s.commit(tx)
	r := &recorder{}
	s.run(q, r.deliver)
	r.want(s, "1#1")
}

func faultyEventLeavesNothing(s *setup) {
	q := s.open(Config{})
	tx := s.store.Begin(s.TB, q)
	faulty := newEvent("2")
	faulty.SetType("")
	err := tx.PublishTx(s.ctx(), newEvent("1"), faulty)
	if _, ok := errors.AsType[*models.ValidationError](err); !ok {
		s.Errorf("PublishTx = %v, want a *models.ValidationError", err)
	}
	s.publishTx(tx, newEvent("3")) // the transaction can go on
	s.commit(tx)
	r := &recorder{}
	s.run(q, r.deliver)
	r.want(s, "3#1")
}

func repeatIsNoSecondEvent(s *setup) {
	q := s.open(Config{})
	for range 2 {
		tx := s.store.Begin(s.TB, q)
		s.publishTx(tx, newEvent("1"))
		s.commit(tx)
	}
	r := &recorder{}
	s.run(q, r.deliver)
	r.want(s, "1#1")
}

func orderBetweenTransactions(s *setup) {
	const total = 50
	q := s.open(Config{Workers: 8})
	r := &recorder{}
	s.run(q, r.deliver)
	for n := range total {
		tx := s.store.Begin(s.TB, q)
		s.publishTx(tx, newEvent(strconv.Itoa(n)))
		s.commit(tx)
		if n%7 == 0 { // Enqueue and PublishTx share a line
			it := item("enqueued "+strconv.Itoa(n), txKey)
			s.enqueue(q, it)
		}
	}
	next := 0
	calls := r.await(s, total+total/7+1)
	for i := range calls {
		id := calls[i].id
		if id == strconv.Itoa(next) {
			next++
		} else if id != "enqueued "+strconv.Itoa(next-1) {
			s.Fatalf("%s came where %d was next", id, next)
		}
	}
}
