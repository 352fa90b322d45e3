package outboxtest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/publisher/outbox"
)

func orderPerKey(s *setup) {
	const keys, perKey = 20, 25
	q := s.open(Config{Workers: 8})
	var (
		mu   sync.Mutex
		next = map[string]int{}
		busy = map[string]bool{}
	)
	r := &recorder{decide: func(it outbox.Item) outbox.Outcome {
		mu.Lock()
		if busy[it.Key] {
			s.Errorf("key %s: two items under way at once", it.Key)
		}
		busy[it.Key] = true
		mu.Unlock()
		<-time.After(rand.N(s.unit / 10)) //nolint:gosec // no secret
		mu.Lock()
		defer mu.Unlock()
		busy[it.Key] = false
		if rand.IntN(5) == 0 { //nolint:gosec // no secret
			return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(rand.N(s.unit))} //nolint:gosec // no secret
		}
		if want := fmt.Sprint(it.Key, "-", next[it.Key]); it.ID != want {
			s.Errorf("key %s: got %s, want %s", it.Key, it.ID, want)
		}
		next[it.Key]++
		return outbox.Outcome{}
	}}
	s.run(q, r.deliver)
	var callers sync.WaitGroup
	for k := range keys {
		callers.Go(func() {
			key := fmt.Sprint("k", k)
			for n := range perKey {
				if err := q.Enqueue(s.Context(), item(fmt.Sprint(key, "-", n), key)); err != nil {
					s.Errorf("Enqueue: %v", err)
				}
			}
		})
	}
	callers.Wait()
	s.eventually(q, outbox.Stats{Delivered: keys * perKey})
	mu.Lock()
	defer mu.Unlock()
	for k := range keys {
		if got := next[fmt.Sprint("k", k)]; got != perKey {
			s.Errorf("k%d: %d delivered, want %d", k, got, perKey)
		}
	}
}

func orderOfOneEnqueue(s *setup) {
	q := s.open(Config{Workers: 4})
	r := &recorder{}
	s.enqueue(q, item("1", "k"), item("2", "k"), item("3", "k"))
	s.run(q, r.deliver)
	r.want(s, "1#1", "2#1", "3#1")
}

func retryHoldsBackItsKeyOnly(s *setup) {
	q := s.open(Config{Workers: 1})
	r := &recorder{decide: func(it outbox.Item) outbox.Outcome {
		if it.ID == "a1" && it.Attempt < 3 {
			return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(s.units(5))}
		}
		return outbox.Outcome{}
	}}
	s.enqueue(q, item("a1", "a"), item("a2", "a"), item("b1", "b"), item("b2", "b"))
	s.run(q, r.deliver)
	r.await(s, 6)
	s.sleep(3)
	calls := texts(r.await(s, 0))
	// Which key comes first is not promised; that b does not wait for a is.
	for key, want := range map[string][]string{"a": {"a1#1", "a1#2", "a1#3", "a2#1"}, "b": {"b1#1", "b2#1"}} {
		got := slices.DeleteFunc(slices.Clone(calls), func(call string) bool { return !strings.HasPrefix(call, key) })
		if diff := cmp.Diff(want, got); diff != "" {
			s.Errorf("deliveries of key %s (-want +got):\n%s", key, diff)
		}
	}
	if slices.Index(calls, "b2#1") > slices.Index(calls, "a1#2") {
		s.Errorf("key b waited for key a: %v", calls)
	}
}

// never is an outcome that comes again far beyond any test.
func (s *setup) never() outbox.Outcome {
	return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(s.units(100 * patience)), Reason: "not yet"}
}

func blockedLineStarvesNobody(s *setup) {
	const line = 5000
	q := s.open(Config{Workers: 2})
	r := &recorder{decide: func(it outbox.Item) outbox.Outcome {
		if it.Key == "blocked" {
			return s.never()
		}
		return outbox.Outcome{}
	}}
	blocked := make([]outbox.Item, line)
	for n := range blocked {
		blocked[n] = item(fmt.Sprint("blocked-", n), "blocked")
	}
	s.enqueue(q, blocked...)
	s.run(q, r.deliver)
	r.await(s, 1)
	s.enqueue(q, item("free", "free"))
	r.want(s, "blocked-0#1", "free#1")
}

func blockedKeysStarveNobody(s *setup) {
	const keys = 1000
	q := s.open(Config{Workers: 4})
	var items []outbox.Item
	for n := range keys {
		key := fmt.Sprint("blocked-", n)
		items = append(items, item(key+"-a", key), item(key+"-b", key))
	}
	r := &recorder{decide: func(it outbox.Item) outbox.Outcome {
		if it.Key == "free" {
			return outbox.Outcome{}
		}
		return s.never()
	}}
	s.enqueue(q, items...)
	s.run(q, r.deliver)
	r.await(s, keys)
	s.enqueue(q, item("free", "free"))
	if calls := r.await(s, keys+1); calls[keys].id != "free" {
		s.Errorf("delivery %d is %v, want free#1", keys, &calls[keys])
	}
}

func scheduleIsHonoured(s *setup) {
	q := s.open(Config{})
	var (
		mu  sync.Mutex
		due []time.Time
	)
	r := &recorder{decide: func(outbox.Item) outbox.Outcome {
		mu.Lock()
		defer mu.Unlock()
		at := time.Now().Add(s.units(len(due)*3 + 2))
		due = append(due, at)
		if len(due) == 4 {
			return outbox.Outcome{}
		}
		return outbox.Outcome{State: outbox.Retry, RetryAt: at, Reason: "503"}
	}}
	s.run(q, r.deliver)
	s.enqueue(q, item("x", "k"))
	calls := r.want(s, "x#1", "x#2", "x#3", "x#4")
	mu.Lock()
	defer mu.Unlock()
	for n, at := range due[:min(len(due), len(calls))-1] {
		if late := calls[n+1].at.Sub(at); late < 0 || late > s.unit {
			s.Errorf("attempt %d came %v after it was due, want 0 to %v", n+2, late, s.unit)
		}
	}
}

func uncountedDoesNotCount(s *setup) {
	q := s.open(Config{})
	calls := 0
	r := &recorder{decide: func(outbox.Item) outbox.Outcome {
		if calls++; calls == 4 {
			return outbox.Outcome{}
		}
		return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(s.unit), Uncounted: calls == 2}
	}}
	s.run(q, r.deliver)
	s.enqueue(q, item("x", "k"))
	r.want(s, "x#1", "x#2", "x#2", "x#3")
}

func tenThousandByteForByte(s *setup) {
	const total = 10_000
	q := s.open(Config{Workers: 64})
	want := map[string]outbox.Item{}
	var batch []outbox.Item
	var (
		sizes   = rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret
		content = rand.NewChaCha8([32]byte{})
	)
	for n := range total {
		it := item(fmt.Sprint("id-", n), fmt.Sprint("key-", n%977))
		it.Type, it.Endpoint = fmt.Sprint("type-", n%5), []string{"/app", "/events"}[n%2]
		it.TraceParent = []string{"", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}[n%2]
		it.Body = make([]byte, sizes.IntN(600))
		_, _ = content.Read(it.Body)
		it.PublishedAt = it.PublishedAt.Truncate(time.Microsecond)
		want[it.ID] = it
		if batch = append(batch, it); len(batch) == 500 {
			s.enqueue(q, batch...)
			batch = nil
		}
	}
	var mu sync.Mutex
	s.run(q, func(_ context.Context, got outbox.Item) outbox.Outcome {
		mu.Lock()
		defer mu.Unlock()
		it, ok := want[got.ID]
		delete(want, got.ID)
		if it.Attempt = 1; !ok || !sameItem(it, got) {
			s.Errorf("%s: got %+v, want %+v (known: %v)", got.ID, got, it, ok)
		}
		return outbox.Outcome{}
	})
	s.eventually(q, outbox.Stats{Delivered: total})
	mu.Lock()
	defer mu.Unlock()
	if len(want) > 0 {
		s.Errorf("%d of %d items never came", len(want), total)
	}
}

// sameItem compares items; times as instants, bodies byte for byte.
func sameItem(a, b outbox.Item) bool {
	sameTime, sameBody := a.PublishedAt.Equal(b.PublishedAt), bytes.Equal(a.Body, b.Body)
	a.PublishedAt, a.Body, b.Body = b.PublishedAt, nil, nil
	return sameTime && sameBody && fmt.Sprint(a) == fmt.Sprint(b)
}
