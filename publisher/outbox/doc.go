// Package outbox says what a queue between Publish and the endpoint promises,
// and has the one that lives in memory.
//
//	queue := outbox.NewMemory(outbox.Config{})
//	pub, err := publisher.New(client, publisher.Config{Queue: queue})
//	…
//	err = pub.Close(ctx) // delivers what is left, within ctx
//
// # What every queue promises
//
//   - All or none: Enqueue takes every item that it was given, or none.
//   - Order: items with equal keys are delivered in the order in which they
//     were taken, one at a time, across retries. An item that waits for its
//     next attempt holds back its successors; one that is discarded lets them
//     pass. Different keys never wait for each other.
//   - At least once: an item is done only after the endpoint has taken it. If
//     the answer is lost, it is sent again.
//   - Bounds: a queue has a capacity. Beyond it Enqueue waits with its context
//     or refuses with ErrFull, and loses nothing that it accepted.
//   - Sleep: a queue with nothing due uses no processor time.
//
// # What the memory queue adds, and what it does not
//
// Memory takes an item in well under a microsecond and needs nothing but
// memory. What it holds is gone when the process dies: use it where that is
// acceptable, as in tests and for events that can be made again. Publisher.Close
// drains it within its context.
//
// # What a durable queue adds
//
// Durable is a queue on disk: package sqlite in one file, package postgres for
// several machines. Accepted means on disk, so what Publish took survives the end
// of the process. PublishTx writes in the caller's own transaction: its commit
// publishes, its rollback leaves nothing. The same id and source again is no second
// event while the first is kept. Order per key holds across crashes too; between
// transactions it holds if one began after the other had committed, so lock what
// the events are about (the instance's row) before PublishTx.
//
// What a crash, kill -9 or loss of power leaves, by where it strikes:
//
//	where                                  the event afterwards
//	before Enqueue has committed           gone; Publish had not returned, or returned an error
//	after the commit, before Publish       kept and delivered; a repeat by the caller with the
//	    returned                           same id is no second event
//	in a transaction with PublishTx,       gone, with the change that it spoke of
//	    before its commit
//	after that commit                      kept and delivered
//	while it waits, or between attempts    kept, with its attempts and next due time
//	before the endpoint took it            delivered by the next relay; the attempt is not counted
//	after the endpoint took it, before     delivered again by the next relay: this is the only
//	    the outcome was written            duplicate, bounded by the deliveries under way
//	after the outcome was written          done
//	while it is discarded or requeued      either as before or as after, never neither
//
// A duplicate has the same id and source. POST /events keeps one event of them;
// POST /app makes two.
//
// Items that were given up stay as discarded until somebody requeues or purges
// them. Package testutil/outboxtest tests all of this, for any queue.
package outbox
