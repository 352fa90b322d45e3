package outboxtest

import (
	"cmp"
	"context"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/publisher/outbox"
)

// Queue is what is tested. A Persistent store opens an outbox.Durable.
type Queue interface {
	outbox.Queue
	Stats(ctx context.Context) (outbox.Stats, error)
	Discarded(ctx context.Context, page outbox.Page) ([]outbox.DiscardedItem, error)
	Requeue(ctx context.Context, seqs ...int64) (int, error)
}

// Config is how a test wants its queue. A zero field means the queue's default.
type Config struct {
	Workers  int
	Capacity int
	WhenFull outbox.WhenFull
}

// Store is where one test's queue keeps its items.
type Store struct {
	// Open opens the queue, for a Persistent store again after it was closed,
	// with what was left in it. It fails the test if it cannot. The tests close
	// what they open. Delivered items are to be kept for at least a day.
	Open func(tb testing.TB, cfg Config) Queue

	// Persistent says that items outlive the queue that took them.
	Persistent bool

	// Crash returns a store with what this one would hold if every process that
	// uses it died now. Nil if the store cannot say.
	Crash func(tb testing.TB) Store

	// Begin begins a transaction for q, which this store opened. Nil if there is
	// no PublishTx.
	Begin func(tb testing.TB, q Queue) Tx
}

// Tx is a transaction of the app that PublishTx can write in.
type Tx struct {
	PublishTx func(ctx context.Context, events ...event.Event) error
	Commit    func() error
	Rollback  func() error
}

// Harness is how a queue is tested.
type Harness struct {
	// NewStore returns an empty store, which goes when the test ends.
	NewStore func(tb testing.TB) Store

	// Test runs one test: synctest.Test for virtual time, or nil.
	Test func(t *testing.T, test func(*testing.T))

	// Unit is the shortest pause that the tests tell apart. Defaults to 1 s,
	// which suits virtual time.
	Unit time.Duration
}

// Run tests the queue that h describes, in parallel subtests.
func Run(t *testing.T, h Harness) {
	t.Helper()
	h.Unit = cmp.Or(h.Unit, time.Second)
	if h.Test == nil {
		h.Test = func(t *testing.T, test func(*testing.T)) {
			t.Helper()
			test(t)
		}
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h.Test(t, func(t *testing.T) {
				t.Helper()
				c.start(t, h)
			})
		})
	}
}

// testCase is one promise.
type testCase struct {
	name  string
	needs func(Store) bool // nil if any store will do
	run   func(s *setup)
}

func (c testCase) start(tb testing.TB, h Harness) {
	tb.Helper()
	store := h.NewStore(tb)
	if c.needs != nil && !c.needs(store) {
		tb.Skip("the store does not support it")
	}
	c.run(&setup{TB: tb, store: store, unit: h.Unit})
}

func persistent(s Store) bool    { return s.Persistent }
func crashes(s Store) bool       { return s.Persistent && s.Crash != nil }
func transactional(s Store) bool { return s.Begin != nil }

// cases is everything that is promised.
var cases = []testCase{
	{"Order/PerKeyUnderRetriesAndWorkers", nil, orderPerKey},
	{"Order/OfOneEnqueue", nil, orderOfOneEnqueue},
	{"Order/RetryHoldsBackItsKeyOnly", nil, retryHoldsBackItsKeyOnly},
	{"Order/LongBlockedLineStarvesNobody", nil, blockedLineStarvesNobody},
	{"Order/ManyBlockedKeysStarveNobody", nil, blockedKeysStarveNobody},
	{"Retry/ScheduleIsHonoured", nil, scheduleIsHonoured},
	{"Retry/UncountedDoesNotCount", nil, uncountedDoesNotCount},
	{"Discard/LetsSuccessorsPass", nil, discardLetsSuccessorsPass},
	{"Discard/IsListedInPages", nil, discardedIsListedInPages},
	{"Discard/TakesAnyReason", nil, discardTakesAnyReason},
	{"Discard/RequeuedIsDelivered", nil, requeuedIsDelivered},
	{"Discard/RequeueGoesToTheEndOfTheLine", nil, requeueGoesToTheEnd},
	{"Stats/CountStates", nil, statsCountStates},
	{"Full/RefusesAllOrNone", nil, refusesAllOrNone},
	{"Full/WaitsForRoomInTurn", nil, waitsForRoomInTurn},
	{"Full/WaitEndsWithTheContext", nil, waitEndsWithTheContext},
	{"Full/CloseEndsTheWait", nil, closeEndsTheWait},
	{"Stop/RunWaitsForWhatIsUnderWay", nil, runWaitsForWhatIsUnderWay},
	{"Stop/AnotherRunGoesOn", nil, anotherRunGoesOn},
	{"Stop/OneRunAtATime", nil, oneRunAtATime},
	{"Stop/CloseDuringDelivery", nil, closeDuringDelivery},
	{"Stop/CloseRefuses", nil, closeRefuses},
	{"Drain/WaitsForWhatIsDue", nil, drainWaitsForWhatIsDue},
	{"Drain/EndsWithItsContext", nil, drainEndsWithItsContext},
	{"Content/TenThousandByteForByte", nil, tenThousandByteForByte},
	{"Durable/DuplicateIsNoSecondEvent", persistent, duplicateIsNoSecondEvent},
	{"Durable/PurgeDeletesByAge", persistent, purgeDeletesByAge},
	{"Durable/ListShowsEveryState", persistent, listShowsEveryState},
	{"Durable/ReopenGoesOn", persistent, reopenGoesOn},
	{"Durable/RetriesSurviveReopen", persistent, retriesSurviveReopen},
	{"Durable/DiscardedSurvivesReopen", persistent, discardedSurvivesReopen},
	{"Crash/SendsAgainWhatWasUnderWay", crashes, crashSendsAgain},
	{"Tx/CommitPublishes", transactional, commitPublishes},
	{"Tx/RollbackLeavesNothing", transactional, rollbackLeavesNothing},
	{"Tx/FaultyEventLeavesNothing", transactional, faultyEventLeavesNothing},
	{"Tx/RepeatIsNoSecondEvent", transactional, repeatIsNoSecondEvent},
	{"Tx/OrderBetweenTransactions", transactional, orderBetweenTransactions},
}
