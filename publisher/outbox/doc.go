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
package outbox
