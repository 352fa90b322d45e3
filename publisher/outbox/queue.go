package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/altinn-go/events/models"
)

// Errors of every queue. Both are sentinels for errors.Is.
var (
	// ErrFull means that the queue holds as many events as it may. The events
	// of the refused Enqueue were not taken, none of them.
	ErrFull = errors.New("queue is full")

	// ErrClosed means that the queue takes no more events.
	ErrClosed = errors.New("queue is closed")
)

// Item is one event on its way to its endpoint: encoded once, then carried
// unchanged through storage and every attempt.
//
// Body holds subjects in the clear, and what the other fields hold is up to who
// publishes. Printed or logged, an Item shows neither Body nor numbers. Body may be
// shared, not copied: nobody changes it after Enqueue.
type Item struct {
	// ID and Source identify the event; a durable queue takes a pair once.
	ID     string
	Source string

	// Type is the event's type, for logs and metrics.
	Type string

	// Key orders: items with equal keys are delivered one after another, in
	// the order in which Enqueue took them. Items with different keys are
	// delivered in parallel.
	Key string

	// Endpoint names the operation that takes the event: "/app" or "/events".
	Endpoint string

	// Body is the encoded event, as it is posted.
	Body []byte

	// TraceParent is the W3C trace context of whoever published, or empty.
	TraceParent string

	// PublishedAt is when the event was accepted, or last requeued. The age
	// limit counts from here.
	PublishedAt time.Time

	// Attempt counts deliveries: 1 in the first call of deliver. It is the
	// queue's to keep; Enqueue ignores it.
	Attempt int
}

// Format writes id, type, endpoint and attempt, redacted, whatever the verb.
func (i Item) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "event %s of type %s to %s, attempt %d",
		models.Redact(i.ID), models.Redact(i.Type), models.Redact(i.Endpoint), i.Attempt)
}

// LogValue returns id, type, endpoint and attempt, redacted, under the keys of the
// publisher's own lines.
func (i Item) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("event_id", models.Redact(i.ID)),
		slog.String("event_type", models.Redact(i.Type)),
		slog.String("endpoint", models.Redact(i.Endpoint)),
		slog.Int("attempt", i.Attempt),
	)
}

// Queue keeps items until they are delivered or discarded.
//
// The publisher decides what happens to an item (Outcome); a queue stores,
// orders and calls. Implementations are safe for concurrent use.
type Queue interface {
	// Enqueue takes all items or none. When it returns nil they are kept as
	// safely as the queue keeps anything: in memory, or on disk. An item whose
	// ID and Source a durable queue already holds is taken as done and is no
	// second event.
	//
	// It returns ErrFull or ErrClosed, wrapped, where they apply, and the
	// context's error if ctx ended while it waited for room.
	Enqueue(ctx context.Context, items ...Item) error

	// Run hands due items to deliver, several keys at a time, until ctx ends
	// or Close is called; it then starts no further delivery, waits for those
	// under way and returns. It returns nil after such an end and an error
	// when it cannot go on. One Run at a time; another may follow.
	//
	// The context that deliver receives carries no cancellation of ctx: what
	// has begun may finish. Whoever provides deliver bounds it in time.
	Run(ctx context.Context, deliver func(context.Context, Item) Outcome) error

	// Drain waits until no item waits for delivery here any more, or ctx ends.
	// A durable queue may also return once all that is left waits for a retry,
	// because it keeps those. The error says how many items are left and wraps
	// the context's.
	Drain(ctx context.Context) error

	// Close stops Run, waits for it within ctx and releases what the queue
	// holds. After Close, Enqueue returns ErrClosed. Closing twice is no error.
	Close(ctx context.Context) error
}

// Outcome is the publisher's decision on one delivery. The zero value means
// delivered.
type Outcome struct {
	// State is what becomes of the item: Delivered, Retry or Discard.
	State State

	// RetryAt is the earliest time of the next attempt; only with Retry.
	RetryAt time.Time

	// Reason says why it was not delivered, without personal data; only with
	// Retry and Discard.
	Reason string

	// Uncounted marks a Retry that does not count as an attempt, because the
	// delivery was cut short by a stop and not by the endpoint.
	Uncounted bool
}

// State is what an Outcome makes of an item.
type State uint8

// The three states that a delivery can leave an item in.
const (
	Delivered State = iota
	Retry
	Discard
)

// String returns "delivered", "retry" or "discard".
func (s State) String() string {
	switch s {
	case Delivered:
		return "delivered"
	case Retry:
		return "retry"
	case Discard:
		return "discard"
	default:
		return "unknown"
	}
}

// Stats is a queue's depth at one moment.
type Stats struct {
	// Pending items wait for their first attempt or their next.
	Pending int
	// Sending items are being delivered now.
	Sending int
	// Delivered items are done and still kept (durable queues only).
	Delivered int
	// Discarded items were given up and are still kept.
	Discarded int
	// OldestPending is when the oldest pending or sending item was published;
	// zero if there is none.
	OldestPending time.Time
}

// DiscardedItem is an item that was given up, and why.
type DiscardedItem struct {
	Item

	// Seq is the queue's own number for the item, rising in the order in which
	// items were taken. Page and Requeue take it.
	Seq int64

	// Reason is the Reason of the Outcome that discarded it.
	Reason string
	// DiscardedAt is when that was.
	DiscardedAt time.Time
}

// Page asks for a part of a listing that is ordered by Seq. The zero value asks
// for the first items.
type Page struct {
	// After is the last Seq that was seen.
	After int64
	// Limit bounds the answer. Defaults to 100.
	Limit int
}

// Status is where an item stands in a queue that keeps it.
type Status uint8

// The four states of an item in a durable queue.
const (
	// StatusPending items wait for their first attempt or their next.
	StatusPending Status = iota
	// StatusSending items are being delivered now.
	StatusSending
	// StatusDelivered items are done and still kept.
	StatusDelivered
	// StatusDiscarded items were given up and are still kept.
	StatusDiscarded
)

// String returns "pending", "sending", "delivered" or "discarded".
func (s Status) String() string {
	switch s {
	case StatusPending:
		return "pending"
	case StatusSending:
		return "sending"
	case StatusDelivered:
		return "delivered"
	case StatusDiscarded:
		return "discarded"
	default:
		return "unknown"
	}
}

// Record is an item as a durable queue keeps it.
type Record struct {
	// Item is the event. Its Attempt is that of the last attempt that counted, 0
	// before the first.
	Item

	// Seq is the queue's own number for the item, rising in the order in which
	// items were taken.
	Seq int64

	// Status is where the item stands, and Since when it came there.
	Status Status
	Since  time.Time

	// NextAttempt is when a pending item may next be tried; zero if it waits
	// behind another one of its key.
	NextAttempt time.Time

	// Reason is why the last attempt failed, without personal data.
	Reason string
}

// Durable is a Queue on disk, with what operators need. PublishTx comes on top of
// it, with each store's own kind of transaction.
type Durable interface {
	Queue

	// Stats returns the depth by state.
	Stats(ctx context.Context) (Stats, error)

	// List returns the items of a state, in order of Seq.
	List(ctx context.Context, status Status, page Page) ([]Record, error)

	// Discarded returns the discarded items, in order of Seq.
	Discarded(ctx context.Context, page Page) ([]DiscardedItem, error)

	// Requeue gives discarded items another life: attempts and age start anew,
	// and each goes to the end of its key's line, under a new Seq. Numbers that
	// are not those of discarded items are passed over. It returns how many
	// items were requeued.
	Requeue(ctx context.Context, seqs ...int64) (int, error)

	// Purge deletes items that have been delivered, or discarded, for at least
	// olderThan, and returns how many. Their ids are accepted again afterwards.
	// Pending items cannot be purged.
	Purge(ctx context.Context, status Status, olderThan time.Duration) (int, error)
}
