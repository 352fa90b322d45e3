// Package publisher gets events to the endpoint that takes them: validated,
// filled, encoded once, in order, and again until they have arrived.
//
//	client, err := altinn.NewClient("https://platform.tt02.altinn.no", altinn.Config{Credentials: creds})
//	pub, err := publisher.New(client, publisher.Config{Queue: outbox.NewMemory(outbox.Config{})})
//	err = pub.Publish(ctx, app.Created(instance))
//
// # With a queue and without
//
// Without a queue, Publish itself posts the event and returns what came of it:
// one attempt, unless Config.Retry asks for more. It suits tests, and callers
// that have a retry of their own. With a queue, Publish returns when the queue
// has taken the event, and a relay delivers it in the background; package outbox
// says what queues promise and has the one in memory.
//
// # Guarantees
//
//   - Publish takes all of its events or none: one that breaks a rule stops the
//     call before anything is sent or queued.
//   - An event is encoded once. Every attempt posts the same bytes, with the
//     same id.
//   - Order: events of one key (the source for events of apps, resource and
//     resource instance for others) arrive in the order in which a queue took
//     them, whatever fails on the way. Without a queue order is the caller's.
//   - At least once: what a queue has taken is tried until the endpoint takes it,
//     rejects it, or RetryPolicy gives it up. An answer that got lost makes a
//     repeat. POST /events keeps one event of an id and source; POST /app gives
//     every request a new id, so that a repeat there is a second event.
//   - An event that is given up goes to Observer.Discarded, to the log, and to
//     the queue's list of discarded events.
//   - Close drains within its context and leaves the rest in the queue.
//
// # Errors
//
// They are named by what the caller does next: *models.ValidationError, fix the
// event; ErrRejected, it will never be taken; ErrUnauthorized, mend the
// credentials; ErrUnavailable, try again; ErrQueueFull, slow down; ErrClosed,
// stop.
//
// # Personal data
//
// A subject may hold a national identity number. It is in the event's body and
// nowhere else: not in errors, log lines, or what an Observer is told about an
// Item.
//
// # Defaults
//
//	one attempt        10 s (Config.TryTimeout)
//	pause              full jitter, 1 s doubling to 5 min; Retry-After wins, up to 1 h (RetryPolicy)
//	give up            7 days after publishing; any number of attempts (RetryPolicy)
//	largest event      1 MiB encoded (MaxEventBytes)
//	memory queue       10,000 events, 16 workers (outbox.Config)
package publisher
