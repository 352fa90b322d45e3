// Command bench measures the library beside its peers, each goal in one run.
//
//	go run . compare            # the table of goals, in under ten minutes
//	go run . compare -exact     # what CI holds
//	go run . growth             # cost as work grows
//	go run . soak -for 30m      # middleware, SQLite queue and sink under load and faults
//
// "compare" prints a row per goal: gate, stretch, what was measured, the verdict,
// and whether the control was quiet enough to believe it. -json writes the
// figures and -svg a plot of events per second over workers and over queue depth.
//
// # How it measures
//
// A goal is a ratio of the library to a peer. Both run in turns, a short slice
// each, in an order that changes from round to round, so that what the machine does
// besides hits both. A control runs the peer a second time in the same rounds: were
// the machine quiet and the slices long enough, its ratio to the peer would be 1.
// What is printed is the median of the rounds' ratios with its quartiles. A control
// whose median is off by more than a tenth, or whose quartiles lie more than a
// quarter apart, makes the row "noisy": repeat it on a quiet machine.
//
// Where a goal speaks of time added, the same request without anything in between
// is measured too and subtracted from both sides.
//
// Time on one goroutine is CPU time of its thread, which other processes do not
// stretch. Allocations and connections are counted, exactly. CPU of a whole client
// is that of this process; the endpoint is another one.
//
// With -exact only the goals listed in exact are measured, in slices of a millisecond,
// and a gate that is missed three times is an error.
//
// # Growth
//
// "growth" prints what an event costs at each of several queue depths, numbers of
// workers and subscriptions, sizes and numbers of retained rows, and the exponent by
// which that has grown since the row before: 0 is not at all, 1 with the value. What
// an event costs may grow with its size, and counting a table in PostgreSQL with its
// rows; nothing else may. The exponent may be off by a half, for caches miss more
// often. Time is CPU time of this process, for PostgreSQL time on the wall, the best
// of three. Retained rows are made by SQL in the queue's own tables. Memory is the
// live heap, what is resident (RSS) or the store's size on disk, as the table says.
// All of it takes most of an hour and some 20 GB of disk; -max and -only take less.
//
// # Soak
//
// "soak" has an Echo app with the middleware, the SQLite queue, the Altinn client and
// the sink in one process and makes requests over a socket, each an event. For some
// seconds of every minute the sink fails, each time in another way. What is compared
// is the median of the first third after the warm-up with that of the last: memory,
// goroutines, file descriptors and the file may differ by a tenth. Delivered events
// are kept for a fifth of the warm-up, and the sink keeps 5,000, so that both are
// full when it ends; with the default of 24 h the file would grow all that time.
// At the end every event must have arrived, those of an instance in order.
//
// It runs on any machine that keeps up with the rate; else the queue grows, and says
// so.
//
// # Peers
//
//	net/http, tuned     POST of bytes that are ready, reply drained, keep-alive
//	floor               the same bytes on connections written by hand
//	fasthttp            the same bytes
//	sdk-go              Send of a client of cloudevents/sdk-go as it comes, and fixed:
//	                    with a tuned transport and drained replies
//	Watermill           the HTTP publisher as it comes, and fixed likewise
//	River               jobs whose worker makes the same POST, without our queue
//	bare table          one SQLite table whose inserts share commits
//	BodyDump            Echo's middleware of that name
package main
