// Command bench measures the library beside its peers, each goal in one run.
//
//	go run . compare            # the table of goals, in under ten minutes
//	go run . growth             # cost as work grows
//	go run . soak -for 30m      # middleware, SQLite queue and sink under load and faults
//
// "compare" prints a row per goal: gate, stretch, what was measured, the verdict,
// and whether the control was quiet enough to believe it. -json and -svg write the
// figures and a plot.
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
// is getrusage of this process; the endpoint is another one.
//
// # Peers
//
//	net/http, tuned     POST of bytes that are ready, reply drained, keep-alive
//	floor               the same bytes on connections written by hand
//	fasthttp            the same bytes
//	sdk-go              the HTTP client of cloudevents/sdk-go as it comes, and fixed:
//	                    with a tuned transport and drained replies
//	Watermill           the HTTP publisher as it comes, and fixed likewise
//	River               jobs whose worker makes the same POST, without our queue
//	bare table          one SQLite table whose inserts share commits
//	BodyDump            Echo's middleware of that name
package main
