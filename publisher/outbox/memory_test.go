package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/publisher/outbox"
)

// recorder is a deliver function that remembers what it was given.
type recorder struct {
	mu   sync.Mutex
	seen []string
	// decide may be nil: everything is delivered.
	decide func(outbox.Item) outbox.Outcome
}

func (r *recorder) deliver(_ context.Context, item outbox.Item) outbox.Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, fmt.Sprintf("%s#%d", item.ID, item.Attempt))
	if r.decide == nil {
		return outbox.Outcome{}
	}
	return r.decide(item)
}

func (r *recorder) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.seen...)
}

// run runs q with deliver until the test or bubble ends.
func run(t *testing.T, q *outbox.Memory, deliver func(context.Context, outbox.Item) outbox.Outcome) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx, deliver) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, outbox.ErrClosed) {
			t.Errorf("Run: %v", err)
		}
	})
}

func item(id, key string) outbox.Item {
	return outbox.Item{ID: id, Key: key, PublishedAt: time.Now()}
}

func enqueue(t *testing.T, q *outbox.Memory, items ...outbox.Item) {
	t.Helper()
	if err := q.Enqueue(t.Context(), items...); err != nil {
		t.Fatalf("Enqueue: %v", err)
	}
}

func drain(t *testing.T, q *outbox.Memory) {
	t.Helper()
	if err := q.Drain(t.Context()); err != nil {
		t.Fatalf("Drain: %v", err)
	}
}

func TestMemory_DeliversInOrderPerKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const keys, perKey = 50, 40
		q := outbox.NewMemory(outbox.Config{Workers: 8})
		var mu sync.Mutex
		next := map[string]int{}
		busy := map[string]bool{}
		run(t, q, func(_ context.Context, it outbox.Item) outbox.Outcome {
			mu.Lock()
			if busy[it.Key] {
				t.Errorf("key %s: two items under way at once", it.Key)
			}
			busy[it.Key] = true
			mu.Unlock()
			time.Sleep(time.Duration(rand.IntN(int(time.Millisecond))))
			mu.Lock()
			defer mu.Unlock()
			busy[it.Key] = false
			if rand.IntN(4) == 0 {
				return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(time.Duration(rand.IntN(int(time.Minute))))}
			}
			if want := strconv.Itoa(next[it.Key]); it.ID != want {
				t.Errorf("key %s: got item %s, want %s", it.Key, it.ID, want)
			}
			next[it.Key]++
			return outbox.Outcome{}
		})
		for n := range perKey {
			for k := range keys {
				enqueue(t, q, item(strconv.Itoa(n), fmt.Sprint("key", k)))
			}
		}
		drain(t, q)
		for k := range keys {
			if got := next[fmt.Sprint("key", k)]; got != perKey {
				t.Errorf("key%d: %d delivered, want %d", k, got, perKey)
			}
		}
	})
}

func TestMemory_RetryHoldsBackItsKeyOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := outbox.NewMemory(outbox.Config{Workers: 1})
		r := &recorder{decide: func(it outbox.Item) outbox.Outcome {
			if it.ID == "a1" && it.Attempt < 3 {
				return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(time.Hour)}
			}
			return outbox.Outcome{}
		}}
		start := time.Now()
		enqueue(t, q, item("a1", "a"), item("a2", "a"), item("b1", "b"), item("b2", "b"))
		run(t, q, r.deliver)
		drain(t, q)
		want := []string{"a1#1", "b1#1", "b2#1", "a1#2", "a1#3", "a2#1"}
		if diff := cmp.Diff(want, r.got()); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
		if took := time.Since(start); took != 2*time.Hour {
			t.Errorf("took %v, want exactly the two pauses of an hour", took)
		}
	})
}

// Behind very many items that wait for their key, one that need not is found, whether
// they came while the worker slept or while it was busy.
func TestMemory_FindsWhatIsReadyBehindMany(t *testing.T) {
	t.Parallel()
	const many = 5_000
	items := make([]outbox.Item, many)
	for i := range items {
		items[i] = item(strconv.Itoa(i), "blocked")
	}
	items[many-1].Key = "free"
	for name, busy := range map[string]bool{"AsleepBefore": false, "BusyBefore": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := outbox.NewMemory(outbox.Config{Workers: 1})
				start := time.Now()
				var after time.Duration
				run(t, q, func(_ context.Context, it outbox.Item) outbox.Outcome {
					switch {
					case it.Key == "free":
						after = time.Since(start)
					case it.ID == "head" && it.Attempt == 1:
						if busy {
							time.Sleep(time.Second)
						}
						return outbox.Outcome{State: outbox.Retry, RetryAt: start.Add(time.Hour)}
					}
					return outbox.Outcome{}
				})
				enqueue(t, q, item("head", "blocked"))
				synctest.Wait()
				enqueue(t, q, items...)
				drain(t, q)
				if after > time.Second {
					t.Errorf("the item of a free key was delivered after %v, want it not to wait for the other key", after)
				}
			})
		})
	}
}

func TestMemory_EarlierRetryComesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := outbox.NewMemory(outbox.Config{Workers: 1})
		start := time.Now()
		var soon time.Duration
		run(t, q, func(_ context.Context, it outbox.Item) outbox.Outcome {
			switch {
			case it.Attempt > 1 && it.ID == "soon":
				soon = time.Since(start)
				return outbox.Outcome{}
			case it.Attempt > 1:
				return outbox.Outcome{}
			case it.ID == "soon":
				return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(time.Second)}
			default:
				return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(time.Hour)}
			}
		})
		enqueue(t, q, item("late", "a"), item("soon", "b"))
		drain(t, q)
		if soon != time.Second {
			t.Errorf("the earlier retry came after %v, want 1s", soon)
		}
	})
}

func TestMemory_UncountedRetryKeepsTheAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := outbox.NewMemory(outbox.Config{})
		cut := true
		r := &recorder{decide: func(outbox.Item) outbox.Outcome {
			defer func() { cut = false }()
			if cut {
				return outbox.Outcome{State: outbox.Retry, Uncounted: true}
			}
			return outbox.Outcome{}
		}}
		enqueue(t, q, item("a", "k"))
		run(t, q, r.deliver)
		drain(t, q)
		if diff := cmp.Diff([]string{"a#1", "a#1"}, r.got()); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
	})
}

func TestMemory_Discard(t *testing.T) {
	t.Parallel()
	discardFirst := func(it outbox.Item) outbox.Outcome {
		if it.Attempt == 1 && it.ID[0] == 'x' {
			return outbox.Outcome{State: outbox.Discard, Reason: "no"}
		}
		return outbox.Outcome{}
	}
	t.Run("LetsSuccessorsPassAndIsListed", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q := outbox.NewMemory(outbox.Config{})
			r := &recorder{decide: discardFirst}
			enqueue(t, q, item("x1", "k"), item("a", "k"))
			run(t, q, r.deliver)
			drain(t, q)
			if diff := cmp.Diff([]string{"x1#1", "a#1"}, r.got()); diff != "" {
				t.Errorf("deliveries (-want +got):\n%s", diff)
			}
			list, err := q.Discarded(t.Context(), outbox.Page{})
			if err != nil || len(list) != 1 || list[0].ID != "x1" || list[0].Reason != "no" || !list[0].DiscardedAt.Equal(time.Now()) {
				t.Errorf("Discarded = %+v, %v; want x1 with its reason and time", list, err)
			}
		})
	})
	t.Run("RequeueGivesAnotherLife", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q := outbox.NewMemory(outbox.Config{})
			no := true
			r := &recorder{decide: func(outbox.Item) outbox.Outcome {
				if no {
					return outbox.Outcome{State: outbox.Discard}
				}
				return outbox.Outcome{}
			}}
			enqueue(t, q, item("x1", "k"), item("x2", "k"))
			run(t, q, r.deliver)
			drain(t, q)
			no = false
			time.Sleep(time.Hour)
			list, _ := q.Discarded(t.Context(), outbox.Page{})
			n, err := q.Requeue(t.Context(), list[0].Seq, list[1].Seq, 4711)
			if n != 2 || err != nil {
				t.Fatalf("Requeue = %d, %v; want 2, nil", n, err)
			}
			if s, _ := q.Stats(t.Context()); s.Pending+s.Sending != 2 || !s.OldestPending.Equal(time.Now()) {
				t.Errorf("Stats = %+v; want both pending, as old as the requeue", s)
			}
			drain(t, q)
			if diff := cmp.Diff([]string{"x1#1", "x2#1", "x1#1", "x2#1"}, r.got()); diff != "" {
				t.Errorf("deliveries (-want +got):\n%s", diff)
			}
			if list, _ := q.Discarded(t.Context(), outbox.Page{}); len(list) != 0 {
				t.Errorf("still discarded: %+v", list)
			}
		})
	})
	t.Run("KeepsTheNewest", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q := outbox.NewMemory(outbox.Config{KeepDiscarded: 3})
			r := &recorder{decide: discardFirst}
			for n := range 5 {
				enqueue(t, q, item(fmt.Sprint("x", n), "k"))
			}
			run(t, q, r.deliver)
			drain(t, q)
			first, _ := q.Discarded(t.Context(), outbox.Page{Limit: 2})
			rest, _ := q.Discarded(t.Context(), outbox.Page{After: first[1].Seq})
			var ids []string
			for _, d := range append(first, rest...) {
				ids = append(ids, d.ID)
			}
			if diff := cmp.Diff([]string{"x2", "x3", "x4"}, ids); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("KeepsNoneIfToldSo", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q := outbox.NewMemory(outbox.Config{KeepDiscarded: -1})
			enqueue(t, q, item("x", "k"))
			run(t, q, (&recorder{decide: discardFirst}).deliver)
			drain(t, q)
			if s, _ := q.Stats(t.Context()); s != (outbox.Stats{}) {
				t.Errorf("Stats = %+v, want nothing", s)
			}
		})
	})
}

func TestMemory_Full(t *testing.T) {
	t.Parallel()
	t.Run("RefusesAllOrNone", func(t *testing.T) {
		t.Parallel()
		q := outbox.NewMemory(outbox.Config{Capacity: 3, WhenFull: outbox.Refuse})
		enqueue(t, q, item("1", "k"), item("2", "k"))
		if err := q.Enqueue(t.Context(), item("3", "k"), item("4", "k")); !errors.Is(err, outbox.ErrFull) {
			t.Errorf("Enqueue = %v, want ErrFull", err)
		}
		if s, _ := q.Stats(t.Context()); s.Pending != 2 {
			t.Errorf("pending = %d, want 2: a refused batch leaves nothing", s.Pending)
		}
		enqueue(t, q, item("3", "k"))
	})
	t.Run("RefusesABatchThatNeverFits", func(t *testing.T) {
		t.Parallel()
		q := outbox.NewMemory(outbox.Config{Capacity: 1})
		if err := q.Enqueue(t.Context(), item("1", "k"), item("2", "k")); !errors.Is(err, outbox.ErrFull) {
			t.Errorf("Enqueue = %v, want ErrFull at once, not a wait for ever", err)
		}
	})
	t.Run("WaitsForRoomInTurn", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q := outbox.NewMemory(outbox.Config{Capacity: 3})
			enqueue(t, q, item("1", "a"), item("2", "b"))
			big := make(chan error, 1)
			small := make(chan error, 1)
			go func() { big <- q.Enqueue(t.Context(), item("3", "c"), item("4", "d")) }()
			synctest.Wait()
			go func() { small <- q.Enqueue(t.Context(), item("5", "e")) }()
			synctest.Wait()
			if s, _ := q.Stats(t.Context()); s.Pending != 2 {
				t.Fatalf("pending = %d, want 2: one item would fit, but comes after the two that wait", s.Pending)
			}
			r := &recorder{}
			run(t, q, r.deliver)
			if err := errors.Join(<-big, <-small); err != nil {
				t.Fatalf("Enqueue: %v", err)
			}
			drain(t, q)
			if n := len(r.got()); n != 5 {
				t.Errorf("%d delivered, want 5", n)
			}
		})
	})
	t.Run("WaitEndsWithTheContext", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q := outbox.NewMemory(outbox.Config{Capacity: 2})
			enqueue(t, q, item("1", "a"))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			small := make(chan error, 1)
			go func() {
				time.Sleep(time.Millisecond)
				small <- q.Enqueue(t.Context(), item("4", "d")) // fits, but must wait in line
			}()
			if err := q.Enqueue(ctx, item("2", "b"), item("3", "c")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Enqueue = %v, want the deadline", err)
			}
			if err := <-small; err != nil {
				t.Errorf("the caller behind it: %v, want its turn", err)
			}
			if s, _ := q.Stats(t.Context()); s.Pending != 2 {
				t.Errorf("pending = %d, want 2", s.Pending)
			}
		})
	})
	t.Run("CloseEndsTheWait", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q := outbox.NewMemory(outbox.Config{Capacity: 1})
			enqueue(t, q, item("1", "a"))
			waiting := make(chan error, 1)
			go func() { waiting <- q.Enqueue(t.Context(), item("2", "b")) }()
			synctest.Wait()
			if err := q.Close(t.Context()); err == nil {
				t.Error("Close = nil, want an error that says that one event is lost")
			}
			if err := <-waiting; !errors.Is(err, outbox.ErrClosed) {
				t.Errorf("Enqueue = %v, want ErrClosed", err)
			}
		})
	})
}

func TestMemory_Stop(t *testing.T) {
	t.Parallel()
	t.Run("RunWaitsForWhatIsUnderWay", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q := outbox.NewMemory(outbox.Config{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			enqueue(t, q, item("1", "k"), item("2", "k"))
			go func() {
				done <- q.Run(ctx, func(ctx context.Context, _ outbox.Item) outbox.Outcome {
					cancel()
					time.Sleep(time.Second)
					if ctx.Err() != nil {
						t.Error("the delivery's context ended with Run's")
					}
					return outbox.Outcome{}
				})
			}()
			if err := <-done; err != nil {
				t.Fatalf("Run: %v", err)
			}
			if s, _ := q.Stats(t.Context()); s.Pending != 1 || s.Sending != 0 {
				t.Errorf("Stats = %+v, want the second item pending", s)
			}
			r := &recorder{}
			run(t, q, r.deliver) // another Run goes on
			drain(t, q)
			if diff := cmp.Diff([]string{"2#1"}, r.got()); diff != "" {
				t.Errorf("second Run (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("RetriesSurviveARestart", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q := outbox.NewMemory(outbox.Config{})
			enqueue(t, q, item("1", "k"))
			ctx, cancel := context.WithCancel(t.Context())
			_ = q.Run(ctx, func(context.Context, outbox.Item) outbox.Outcome {
				cancel()
				return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(time.Minute)}
			})
			r := &recorder{}
			run(t, q, r.deliver)
			drain(t, q)
			if diff := cmp.Diff([]string{"1#2"}, r.got()); diff != "" {
				t.Errorf("after the restart (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("OneRunAtATime", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q := outbox.NewMemory(outbox.Config{})
			run(t, q, (&recorder{}).deliver)
			synctest.Wait()
			if err := q.Run(t.Context(), (&recorder{}).deliver); err == nil {
				t.Error("second Run = nil, want an error")
			}
		})
	})
	t.Run("DrainEndsWithItsContext", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q := outbox.NewMemory(outbox.Config{})
			enqueue(t, q, item("1", "k"))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := q.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Drain = %v, want the deadline", err)
			}
		})
	})
	t.Run("CloseStopsRunAndRefuses", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q := outbox.NewMemory(outbox.Config{})
			run(t, q, (&recorder{}).deliver)
			enqueue(t, q, item("1", "k"))
			drain(t, q)
			for range 2 {
				if err := q.Close(t.Context()); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
			if err := q.Enqueue(t.Context(), item("2", "k")); !errors.Is(err, outbox.ErrClosed) {
				t.Errorf("Enqueue = %v, want ErrClosed", err)
			}
			if err := q.Run(t.Context(), (&recorder{}).deliver); !errors.Is(err, outbox.ErrClosed) {
				t.Errorf("Run = %v, want ErrClosed", err)
			}
		})
	})
	t.Run("CloseWithinItsContext", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q := outbox.NewMemory(outbox.Config{})
			release := make(chan struct{})
			enqueue(t, q, item("1", "k"))
			run(t, q, func(context.Context, outbox.Item) outbox.Outcome { <-release; return outbox.Outcome{} })
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := q.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Close = %v, want the deadline", err)
			}
			close(release)
		})
	})
}

func TestMemory_SleepsWhileNothingIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := outbox.NewMemory(outbox.Config{})
		calls := 0
		enqueue(t, q, item("1", "k"))
		run(t, q, func(context.Context, outbox.Item) outbox.Outcome {
			calls++
			return outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(24 * time.Hour)}
		})
		time.Sleep(7*24*time.Hour - time.Second)
		synctest.Wait()
		if calls != 7 {
			t.Errorf("%d attempts in a week of daily retries, want 7", calls)
		}
	})
}

func TestNewMemory_PanicsOnEveryFault(t *testing.T) {
	t.Parallel()
	defer func() {
		err, _ := recover().(error)
		if err == nil {
			t.Fatal("no panic with an error")
		}
		for _, field := range []string{"Capacity", "Workers", "KeepDiscarded", "WhenFull"} {
			if !strings.Contains(err.Error(), field) {
				t.Errorf("error %q does not name %s", err, field)
			}
		}
	}()
	outbox.NewMemory(outbox.Config{Capacity: -1, Workers: -1, KeepDiscarded: -2, WhenFull: 7})
}

func TestState_String(t *testing.T) {
	t.Parallel()
	got := fmt.Sprint(outbox.Delivered, outbox.Retry, outbox.Discard, outbox.State(9))
	if want := "delivered retry discard unknown"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
