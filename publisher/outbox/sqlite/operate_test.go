package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

func TestQueue_Requeue_TakesEachOnce(t *testing.T) {
	t.Parallel()
	q, _ := setup(t, sqlite.Config{})
	enqueue(t, q, item("no", "k"))
	stop := run(t, q, func(context.Context, outbox.Item) outbox.Outcome {
		return outbox.Outcome{State: outbox.Discard, Reason: "no"}
	})
	if err := q.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	list, err := q.Discarded(t.Context(), outbox.Page{})
	if err != nil || len(list) != 1 {
		t.Fatalf("Discarded = %+v, %v; want one", list, err)
	}
	if n, err := q.Requeue(t.Context(), list[0].Seq, list[0].Seq); n != 1 || err != nil {
		t.Errorf("Requeue of the same twice = %d, %v; want 1", n, err)
	}
	if s := stats(t, q); s != (outbox.Stats{Pending: 1, OldestPending: s.OldestPending}) {
		t.Errorf("Stats = %+v, want it pending and no longer discarded", s)
	}
	records, err := q.List(t.Context(), outbox.StatusPending, outbox.Page{})
	if err != nil || len(records) != 1 || records[0].Attempt != 0 || records[0].Seq <= list[0].Seq {
		t.Errorf("List = %+v, %v; want no attempts, and a new number", records, err)
	}
}

func TestQueue_StatsAreTheFiles(t *testing.T) {
	t.Parallel()
	q, db := setup(t, sqlite.Config{})
	enqueue(t, q, item("1", "k"), item("2", "k"))
	other := newQueue(t, db, sqlite.Config{})
	if s := stats(t, other); s.Pending != 2 || time.Since(s.OldestPending) > time.Minute {
		t.Errorf("Stats of another queue on the file = %+v, want 2 pending since just now", s)
	}
}

func TestQueue_RefusesStatesThatDoNotFit(t *testing.T) {
	t.Parallel()
	q, _ := setup(t, sqlite.Config{})
	for _, status := range []outbox.Status{outbox.StatusPending, outbox.StatusSending, 9} {
		if _, err := q.Purge(t.Context(), status, 0); err == nil || !strings.Contains(err.Error(), status.String()) {
			t.Errorf("Purge(%v) = %v, want an error that names it", status, err)
		}
	}
	if _, err := q.List(t.Context(), 9, outbox.Page{}); err == nil || !strings.Contains(err.Error(), "unknown") {
		t.Errorf("List(9) = %v, want an error", err)
	}
	if records, err := q.List(t.Context(), outbox.StatusSending, outbox.Page{}); err == nil {
		t.Errorf("List(sending) = %v, want an error: they are listed as pending", records)
	}
}

// What a database says may quote a row, such as a trigger's message or a constraint's.
func TestQueue_ErrorsMaskWhatTheDatabaseQuotes(t *testing.T) {
	t.Parallel()
	const person = "01017512345"
	q, db := setup(t, sqlite.Config{})
	enqueue(t, q, item("1", "a"))
	stop := run(t, q, func(context.Context, outbox.Item) outbox.Outcome {
		return outbox.Outcome{State: outbox.Discard, Reason: "no"}
	})
	if err := q.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	for _, trigger := range []string{"BEFORE INSERT", "BEFORE UPDATE", "BEFORE DELETE"} {
		_, err := db.ExecContext(t.Context(), fmt.Sprintf(`CREATE TRIGGER "no %s" %s ON altinn_outbox_events BEGIN SELECT RAISE(ABORT, 'no disk for %s'); END`, trigger, trigger, person))
		if err != nil {
			t.Fatal(err)
		}
	}
	_, requeue := q.Requeue(t.Context(), 1)
	_, purge := q.Purge(t.Context(), outbox.StatusDiscarded, 0)
	for name, err := range map[string]error{
		"Enqueue": q.Enqueue(t.Context(), item("2", "b")),
		"Requeue": requeue,
		"Purge":   purge,
	} {
		if err == nil || strings.Contains(err.Error(), person) || !strings.Contains(err.Error(), "no disk for ***********") {
			t.Errorf("%s: %v, want what the database said, without the number", name, err)
		}
		if _, ok := errors.AsType[*outbox.StoreError](err); !ok {
			t.Errorf("%s: %T, want a StoreError", name, err)
		}
	}
}
