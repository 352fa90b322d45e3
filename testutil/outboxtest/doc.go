// Package outboxtest is what every queue between Publish and the endpoint has to
// pass: package outbox's promises as tests.
//
//	func TestConformance(t *testing.T) {
//		outboxtest.Run(t, outboxtest.Harness{
//			NewStore: func(t testing.TB) outboxtest.Store { … },
//			Test:     synctest.Test, // virtual time
//			Unit:     time.Second,
//		})
//	}
//
// # What a store supports
//
// A Store says by its fields what it can do; what it cannot is skipped. Open alone
// is enough for a queue in memory: order, retries, discarding, bounds, stopping.
// Persistent adds reopening, duplicates, purging and listing; Crash adds what a
// process leaves that died while it delivered; Begin adds PublishTx.
//
// # Time
//
// Harness.Unit is the shortest pause that the tests tell apart. With
// testing/synctest it is virtual, and the tests take no longer for it; where
// sockets or other processes are in play, choose some tens of milliseconds.
// Deliveries may come later than due by up to a Unit, never sooner.
package outboxtest
