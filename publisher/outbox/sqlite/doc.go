// Package sqlite is the embedded durable queue: one file, which can be the app's
// own database, and no server.
//
//	db, err := sqlite.OpenDB("app.db") // the app's tables live here too
//	queue, err := sqlite.New(db, sqlite.Config{})
//	pub, err := publisher.New(client, publisher.Config{Queue: queue})
//
// Close in the other order: the publisher, the queue, the database.
//
// # The change and its event in one commit
//
//	tx, err := db.BeginTx(ctx, nil)
//	// … the change …
//	err = queue.PublishTx(ctx, tx, app.Created(instance))
//	err = tx.Commit()
//
// Between BeginTx and Commit use PublishTx, not Publish: the file has one writer at
// a time, and that is the transaction.
//
// # Guarantees
//
// Those of package outbox, and its table of crash points. In particular:
//
//   - What Publish took is on disk. Calls at the same time share one commit.
//   - An id and source are taken once as long as their row is kept: 24 h after
//     delivery, and until it is purged when it was discarded.
//   - Order per key holds across retries, crashes and restarts. A key that waits
//     for a retry costs the others nothing, however long its line.
//   - A crash makes at most Config.Workers events be sent again.
//   - What is on disk is never held in memory: a million pending events are read as
//     they come due, some hundred at a time.
//
// # Several processes
//
// All of them may publish into one file; one relays, guarded by a lock on the file
// "app.db-relay" beside it. When that process ends, also by kill -9, the next takes
// over within a second. The lock is the operating system's, so the file belongs on
// a local disk, as SQLite's WAL does anyway.
//
// # Time in tests
//
// The queue works in a testing/synctest bubble: open the database and the queue
// inside it. While a transaction is held there, let no virtual time pass: who waits
// for the file does so in real time.
//
// # In the file
//
// The tables are altinn_outbox_events, altinn_outbox_depth and altinn_outbox_meta.
// Migrations run when the queue is opened; a file of a newer version is refused. To
// look at events with other tools read altinn_outbox_events: state is 0 pending, 1
// delivered, 2 discarded, and times are nanoseconds since 1970. Body holds personal
// data; the other columns do not.
package sqlite
