package outboxtest_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/testutil/outboxtest"
)

type deliverFunc = func(context.Context, outbox.Item) outbox.Outcome

// mutant is a queue that breaks one promise.
type mutant struct {
	*outbox.Memory

	enqueue func(q *outbox.Memory, ctx context.Context, items []outbox.Item) error
	deliver func(next deliverFunc) deliverFunc
	run     func(q *outbox.Memory, ctx context.Context, deliver deliverFunc) error
	drain   func() error
	close   func(q *outbox.Memory, ctx context.Context) error
	stats   func(outbox.Stats) outbox.Stats
	requeue func(n int) int
	list    func([]outbox.DiscardedItem) []outbox.DiscardedItem
}

func (m *mutant) Enqueue(ctx context.Context, items ...outbox.Item) error {
	if m.enqueue != nil {
		return m.enqueue(m.Memory, ctx, slices.Clone(items))
	}
	return m.Memory.Enqueue(ctx, items...)
}

func (m *mutant) Run(ctx context.Context, deliver deliverFunc) error {
	if m.deliver != nil {
		deliver = m.deliver(deliver)
	}
	if m.run != nil {
		return m.run(m.Memory, ctx, deliver)
	}
	return m.Memory.Run(ctx, deliver)
}

func (m *mutant) Drain(ctx context.Context) error {
	if m.drain != nil {
		return m.drain()
	}
	return m.Memory.Drain(ctx)
}

func (m *mutant) Close(ctx context.Context) error {
	if m.close != nil {
		return m.close(m.Memory, ctx)
	}
	return m.Memory.Close(ctx)
}

func (m *mutant) Stats(ctx context.Context) (outbox.Stats, error) {
	s, err := m.Memory.Stats(ctx)
	if m.stats != nil {
		s = m.stats(s)
	}
	return s, err
}

func (m *mutant) Requeue(ctx context.Context, seqs ...int64) (int, error) {
	if m.requeue != nil {
		return m.requeue(len(seqs)), nil
	}
	return m.Memory.Requeue(ctx, seqs...)
}

func (m *mutant) Discarded(ctx context.Context, page outbox.Page) ([]outbox.DiscardedItem, error) {
	items, err := m.Memory.Discarded(ctx, page)
	if m.list != nil {
		items = m.list(items)
	}
	return items, err
}

// Purge and List make it an outbox.Durable that keeps nothing.
func (m *mutant) Purge(context.Context, outbox.Status, time.Duration) (int, error) { return 0, nil }

func (m *mutant) List(context.Context, outbox.Status, outbox.Page) ([]outbox.Record, error) {
	return nil, nil
}

func outcome(change func(outbox.Item, *outbox.Outcome)) func(deliverFunc) deliverFunc {
	return func(next deliverFunc) deliverFunc {
		return func(ctx context.Context, it outbox.Item) outbox.Outcome {
			out := next(ctx, it)
			change(it, &out)
			return out
		}
	}
}

func items(change func(*outbox.Item)) func(*outbox.Memory, context.Context, []outbox.Item) error {
	return func(q *outbox.Memory, ctx context.Context, items []outbox.Item) error {
		for i := range items {
			change(&items[i])
		}
		return q.Enqueue(ctx, items...)
	}
}

// Every case goes red for a queue that breaks its promise.
func TestRun_FindsBrokenQueues(t *testing.T) {
	t.Parallel()
	noOrder := &mutant{enqueue: items(func(it *outbox.Item) { it.Key += it.ID })}
	oneLine := &mutant{enqueue: items(func(it *outbox.Item) { it.Key = "all" })}
	reversed := &mutant{enqueue: func(q *outbox.Memory, ctx context.Context, items []outbox.Item) error {
		slices.Reverse(items)
		return q.Enqueue(ctx, items...)
	}}
	retriesAtOnce := &mutant{deliver: outcome(func(_ outbox.Item, out *outbox.Outcome) { out.RetryAt = time.Now() })}
	countsAll := &mutant{deliver: outcome(func(_ outbox.Item, out *outbox.Outcome) { out.Uncounted = false })}
	retriesDiscarded := &mutant{deliver: outcome(func(_ outbox.Item, out *outbox.Outcome) {
		if out.State == outbox.Discard {
			out.State, out.RetryAt = outbox.Retry, time.Now().Add(time.Hour)
		}
	})}
	noReason := &mutant{deliver: outcome(func(_ outbox.Item, out *outbox.Outcome) { out.Reason = "" })}
	unsorted := &mutant{list: func(d []outbox.DiscardedItem) []outbox.DiscardedItem { slices.Reverse(d); return d }}
	idleRequeue := &mutant{requeue: func(int) int { return 1 }}
	noStats := &mutant{stats: func(outbox.Stats) outbox.Stats { return outbox.Stats{} }}
	half := &mutant{enqueue: func(q *outbox.Memory, ctx context.Context, items []outbox.Item) error {
		return q.Enqueue(ctx, items[:(len(items)+1)/2]...)
	}}
	swallows := &mutant{enqueue: func(q *outbox.Memory, ctx context.Context, items []outbox.Item) error {
		_ = q.Enqueue(ctx, items...)
		return nil
	}}
	cutsBodies := &mutant{enqueue: items(func(it *outbox.Item) { it.Body = slices.Clone(it.Body[:len(it.Body)/2]) })}
	oneByOne := &mutant{enqueue: func(q *outbox.Memory, ctx context.Context, items []outbox.Item) error {
		for _, it := range items {
			if err := q.Enqueue(ctx, it); err != nil {
				return err
			}
		}
		return nil
	}}
	cancels := &mutant{run: func(q *outbox.Memory, ctx context.Context, deliver deliverFunc) error {
		return q.Run(ctx, func(_ context.Context, it outbox.Item) outbox.Outcome { return deliver(ctx, it) })
	}}
	runsOnce := &mutant{}
	once := sync.Once{}
	runsOnce.run = func(q *outbox.Memory, ctx context.Context, deliver deliverFunc) (err error) {
		ran := false
		once.Do(func() { ran, err = true, q.Run(ctx, deliver) })
		if !ran {
			<-ctx.Done()
		}
		return err
	}
	runsTwice := &mutant{run: func(q *outbox.Memory, ctx context.Context, deliver deliverFunc) error {
		_ = q.Run(ctx, deliver)
		return nil
	}}
	idleDrain := &mutant{drain: func() error { return nil }}
	idleClose := &mutant{close: func(*outbox.Memory, context.Context) error { return nil }}

	for _, c := range []struct {
		name   string
		mutant *mutant
		cases  []string
	}{
		{"no order", noOrder, []string{"Order/PerKeyUnderRetriesAndWorkers", "Order/RetryHoldsBackItsKeyOnly"}},
		{"one line", oneLine, []string{
			"Order/RetryHoldsBackItsKeyOnly", "Order/LongBlockedLineStarvesNobody", "Order/ManyBlockedKeysStarveNobody",
		}},
		{"reversed", reversed, []string{"Order/OfOneEnqueue"}},
		{"retries at once", retriesAtOnce, []string{"Retry/ScheduleIsHonoured"}},
		{"counts all", countsAll, []string{"Retry/UncountedDoesNotCount"}},
		{"retries discarded", retriesDiscarded, []string{"Discard/LetsSuccessorsPass", "Discard/IsListedInPages"}},
		{"no reason", noReason, []string{"Discard/IsListedInPages"}},
		{"unsorted", unsorted, []string{"Discard/IsListedInPages"}},
		{"idle requeue", idleRequeue, []string{"Discard/RequeuedIsDelivered", "Discard/RequeueGoesToTheEndOfTheLine"}},
		{"no stats", noStats, []string{"Stats/CountStates"}},
		{"half", half, []string{"Content/TenThousandByteForByte"}},
		{"cuts bodies", cutsBodies, []string{"Content/TenThousandByteForByte"}},
		{"swallows errors", swallows, []string{
			"Full/RefusesAllOrNone", "Full/WaitEndsWithTheContext", "Full/CloseEndsTheWait", "Stop/CloseRefuses",
		}},
		{"one by one", oneByOne, []string{"Full/RefusesAllOrNone", "Full/WaitsForRoomInTurn"}},
		{"cancels", cancels, []string{"Stop/RunWaitsForWhatIsUnderWay"}},
		{"runs once", runsOnce, []string{"Stop/AnotherRunGoesOn"}},
		{"runs twice", runsTwice, []string{"Stop/OneRunAtATime"}},
		{"idle drain", idleDrain, []string{"Drain/WaitsForWhatIsDue", "Drain/EndsWithItsContext"}},
		{"idle close", idleClose, []string{"Stop/CloseDuringDelivery", "Stop/CloseRefuses"}},
	} {
		for _, name := range c.cases {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				wantRed(t, name, outboxtest.Store{Open: open(c.mutant)})
			})
		}
	}
}

// A queue in memory is no durable one, and one that publishes before the commit is
// no transactional one.
func TestRun_FindsWhatIsNotDurable(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Durable/DuplicateIsNoSecondEvent", "Durable/PurgeDeletesByAge", "Durable/ListShowsEveryState",
		"Durable/ReopenGoesOn", "Durable/RetriesSurviveReopen", "Durable/DiscardedSurvivesReopen",
		"Crash/SendsAgainWhatWasUnderWay",
		"Tx/CommitPublishes", "Tx/RollbackLeavesNothing", "Tx/FaultyEventLeavesNothing", "Tx/RepeatIsNoSecondEvent",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := outboxtest.Store{Open: open(&mutant{}), Persistent: true}
			store.Crash = func(testing.TB) outboxtest.Store { return store }
			store.Begin = func(_ testing.TB, q outboxtest.Queue) outboxtest.Tx {
				return outboxtest.Tx{
					PublishTx: func(ctx context.Context, events ...event.Event) error {
						for _, ev := range events {
							item, err := publisher.Encoder{}.Encode(ev, time.Now(), "")
							if err == nil {
								err = q.Enqueue(ctx, item)
							}
							if err != nil {
								return err
							}
						}
						return nil
					},
					Commit:   func() error { return nil },
					Rollback: func() error { return nil },
				}
			}
			wantRed(t, name, store)
		})
	}
}

func TestRun_SkipsWhatAStoreCannotDo(t *testing.T) {
	t.Parallel()
	skipped := 0
	for _, name := range outboxtest.CaseNames() {
		tb := &recordingTB{TB: t}
		if name[0] == 'D' && name[1] == 'u' || name[0] == 'C' && name[1] == 'r' || name[0] == 'T' {
			tb.run(func() { outboxtest.RunCase(tb, name, outboxtest.Store{}) })
			if !tb.skipped {
				t.Errorf("%s ran on a store that supports nothing", name)
			}
			skipped++
		}
	}
	if skipped < 10 {
		t.Errorf("%d cases looked at", skipped)
	}
}

// open opens a fresh memory queue with m's faults.
func open(m *mutant) func(testing.TB, outboxtest.Config) outboxtest.Queue {
	return func(_ testing.TB, cfg outboxtest.Config) outboxtest.Queue {
		broken := *m
		broken.Memory = outbox.NewMemory(outbox.Config{Capacity: cfg.Capacity, WhenFull: cfg.WhenFull, Workers: cfg.Workers})
		return &broken
	}
}

func wantRed(t *testing.T, name string, store outboxtest.Store) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		tb := &recordingTB{TB: t}
		tb.run(func() { outboxtest.RunCase(tb, name, store) })
		for _, cleanup := range slices.Backward(tb.cleanups) {
			tb.run(cleanup)
		}
		if len(tb.errors) == 0 {
			t.Errorf("%s passed", name)
		}
	})
}

// recordingTB is a testing.TB that writes down failures in place of failing.
type recordingTB struct {
	testing.TB
	mu       sync.Mutex
	errors   []string
	skipped  bool
	cleanups []func()
}

func (tb *recordingTB) record(text string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.errors = append(tb.errors, text)
}

// run runs f in a goroutine, which Fatal and Skip may end.
func (tb *recordingTB) run(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if r := recover(); r != nil {
				tb.record(fmt.Sprint("panic: ", r))
			}
		}()
		f()
	}()
	<-done
}

func (tb *recordingTB) Helper()                      {}
func (tb *recordingTB) Error(args ...any)            { tb.record(fmt.Sprint(args...)) }
func (tb *recordingTB) Errorf(f string, args ...any) { tb.record(fmt.Sprintf(f, args...)) }

func (tb *recordingTB) Cleanup(f func()) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.cleanups = append(tb.cleanups, f)
}

func (tb *recordingTB) Fatal(args ...any) {
	tb.record(fmt.Sprint(args...))
	runtime.Goexit()
}

func (tb *recordingTB) Fatalf(f string, args ...any) {
	tb.record(fmt.Sprintf(f, args...))
	runtime.Goexit()
}

func (tb *recordingTB) Skip(...any) {
	tb.skipped = true
	runtime.Goexit()
}
