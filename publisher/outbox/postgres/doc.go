// Package postgres is the event queue in a PostgreSQL database, for when one
// machine is outgrown. It is River, https://riverqueue.com, with order per key and
// the words of package outbox on top.
//
//	err = postgres.Migrate(ctx, pool, postgres.Config{})       // where you migrate your own tables
//	queue, err := postgres.New(ctx, pool, postgres.Config{})
//	pub, err := publisher.New(client, publisher.Config{Queue: queue})
//	…
//	tx, err := pool.Begin(ctx)                                 // the change and its event are one commit
//	…
//	err = queue.PublishTx(ctx, tx, events...)
//	err = tx.Commit(ctx)
//
// Close the publisher, then the queue, then the pool.
//
// # What it promises
//
// What package outbox promises of every durable queue, and:
//
//   - Any number of processes share one queue. Each may publish, relay, or both.
//   - Accepted means committed. How safe a commit is, is PostgreSQL's
//     synchronous_commit.
//   - Order per key holds across retries, crashes and processes. For PublishTx it
//     holds between transactions of which one began after the other had committed;
//     overlapping ones may come either way, so lock the instance's row first.
//   - An event is sent again only if its process died, or lost its database for
//     longer than 3 s, before the outcome was written: 3 × Config.Workers of them
//     at most. Outcomes are written before a worker takes another event.
//   - An id is accepted once while the event's row is kept: 24 h after delivery,
//     until Purge after a discard.
//
// # What happens when
//
//	a process dies                 before the commit: nothing was published
//	                               between commit and delivery: another process sends it
//	                               between delivery and its note: it is sent again, by
//	                               another process within about 5 s, or when one starts
//	the leader of River dies       retries that are more than 5 s away come up to 20 s
//	                               late; nothing else waits
//	the database is away           Publish returns the error; deliveries under way are
//	                               noted when it is back; Run goes on by itself
//	a connection breaks in Publish the event may have been taken; publish it again, with
//	                               the same id it is no second event
//
// # What River does, and what we add
//
// An event is one job in River's table river_job: queue "altinn_events", kind
// "altinn_event", the encoded event as bytes in the args, so River's tools and River
// UI show and count it. River listens, fetches, schedules, cleans up and rescues.
// What we add:
//
//   - The publisher's policy. A retry is a snooze of River's until the time that the
//     publisher chose; attempts and the last error stand in the job's metadata. What
//     was given up is a cancelled job with the reason as its last error. River never
//     gives up by itself.
//   - Lines. Before an event is sent, we look whether an older one of its key is
//     unfinished. If that is being sent, the event waits a moment; otherwise it is
//     parked, with all that stand behind it, and costs nothing until the head is
//     done. Who delivers an event claims the next of its line in the transaction
//     that notes it. With 50 events on a key and the endpoint down for 12 attempts,
//     those behind the head were updated twice each.
//   - Leases. Every process holds an advisory lock. What a process had under way
//     that has lost its lock is handed out after 3 s; River alone waits 60 s and
//     for its leader's next round, and remains the second net.
//
// Cancelling or retrying jobs with River's tools is safe: whatever stood behind one
// goes on within seconds. Requeue is better than River's retry, which puts an event
// back in its old place of the line.
//
// # Tables
//
// The queue lives in a schema of its own, "altinn_outbox" by default, made by
// Migrate or by River's migrations and IndexSQL. New says what is missing and
// changes nothing. Do not share the schema with an app's own River: its leader would
// clean and rescue by its own settings, and discard what it does not know.
//
// # Sizing
//
// Each process that relays uses up to eight of its pool's connections, one of them
// to listen, and opens one beside the pool; the pool's default size of 4 works and
// is slow. Delivered rows are kept for 24 h, about 2 KB each with their indexes;
// lower Config.KeepDelivered for millions a day. The defaults of all settings are in
// Config.
package postgres
