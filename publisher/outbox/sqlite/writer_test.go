package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

// What waits for the file is written in one transaction when the file is free, and
// one batch that cannot be written does not fail the others.
func TestWriter_FoldsAndIsolates(t *testing.T) {
	t.Parallel()
	q, db := setup(t, sqlite.Config{})
	refuse(t, db, "BEFORE INSERT", "NEW.id = 'bad'")
	tx := begin(t, db) // holds the file
	var callers sync.WaitGroup
	errs := make([]error, 20)
	for n := range errs {
		callers.Go(func() {
			items := []outbox.Item{item(strconv.Itoa(n), "k")}
			if n == 7 {
				items = append(items, item("bad", "k"))
			}
			errs[n] = q.Enqueue(t.Context(), items...)
		})
	}
	time.Sleep(50 * time.Millisecond)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	callers.Wait()
	for n, err := range errs {
		if bad := n == 7; (err != nil) != bad {
			t.Errorf("caller %d: %v", n, err)
		}
	}
	if s := stats(t, q); s.Pending != len(errs)-1 {
		t.Errorf("Stats = %+v, want %d pending: the bad batch leaves nothing", s, len(errs)-1)
	}
}

func TestWriter_WaitForTheFileEndsWithTheContext(t *testing.T) {
	t.Parallel()
	q, db := setup(t, sqlite.Config{})
	tx := begin(t, db)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := q.Enqueue(ctx, item("1", "k")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Enqueue = %v, want the deadline", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v, want it to end with the context", took)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	enqueue(t, q, item("2", "k"))
	if s := stats(t, q); s.Pending != 1 {
		t.Errorf("Stats = %+v, want only the second: the first was withdrawn", s)
	}
}

func TestWriter_RoomMadeByAnotherProcessIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, db := setup(t, sqlite.Config{Capacity: 1})
		enqueue(t, q, item("1", "k"))
		done := make(chan error)
		go func() { done <- q.Enqueue(t.Context(), item("2", "k")) }()
		time.Sleep(time.Minute)
		if _, err := db.ExecContext(t.Context(), "UPDATE altinn_outbox_events SET state = 1"); err != nil {
			t.Fatal(err)
		}
		freed := time.Now()
		if err := <-done; err != nil {
			t.Errorf("Enqueue: %v", err)
		}
		if took := time.Since(freed); took > 50*time.Millisecond {
			t.Errorf("it took %v, want the poll interval at most", took)
		}
	})
}

func TestWriter_DiskFull(t *testing.T) {
	t.Parallel()
	q, _ := setup(t, sqlite.Config{})
	pages, err := q.Pages()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.LimitPages(pages + 20); err != nil {
		t.Fatal(err)
	}
	accepted := 0
	for ; accepted < 10_000; accepted++ {
		if err = q.Enqueue(t.Context(), item(fmt.Sprintf("%06d", accepted), "k")); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "full") {
		t.Fatalf("Enqueue on a full disk = %v, want an error that says so", err)
	}
	if s := stats(t, q); s.Pending != accepted || accepted == 0 {
		t.Errorf("Stats = %+v, want the %d that were accepted", s, accepted)
	}
	got := make(collector)
	run(t, q, got.deliver)
	for n, id := range got.next(t, accepted) {
		if id != fmt.Sprintf("%06d", n) {
			t.Fatalf("delivery %d is %s", n, id)
		}
	}
	if err := q.LimitPages(0); err != nil {
		t.Fatal(err)
	}
	enqueue(t, q, item("room again", "k"))
	got.next(t, 1)
}
