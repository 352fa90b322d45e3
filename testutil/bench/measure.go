package main

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// side does n operations.
type side func(n int) error

// contest measures a subject against a peer.
type contest struct {
	subject, peer side
	// base, if not nil, is subtracted from both: what neither side can avoid.
	base side
	// clock is what the sides' cost is read from. Defaults to threadTime.
	clock clock
	// n is how many operations a slice has. 0 is found: a slice as long as the lab's.
	n int
	// rounds is how many pairs of slices there are. Defaults to the lab's.
	rounds int
}

// clock reads how much of a resource has been used so far.
type clock func() time.Duration

// wallTime is the time on the wall.
func wallTime() time.Duration { return time.Since(started) }

var started = time.Now()

// threadTime is the CPU time of this thread, for what runs on one goroutine.
func threadTime() time.Duration { return read(unix.CLOCK_THREAD_CPUTIME_ID) }

// processTime is the CPU time of this process.
func processTime() time.Duration { return read(unix.CLOCK_PROCESS_CPUTIME_ID) }

// read reads a clock of the kernel that counts nanoseconds; getrusage may count
// ticks, which are as long as a slice.
func read(id int32) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

// spread is the median of some figures and where their middle half lies.
type spread struct {
	Median float64 `json:"median"`
	Q1     float64 `json:"q1"`
	Q3     float64 `json:"q3"`
}

func spreadOf(figures []float64) spread {
	sorted := slices.Sorted(slices.Values(figures))
	return spread{Median: quantile(sorted, 0.5), Q1: quantile(sorted, 0.25), Q3: quantile(sorted, 0.75)}
}

// quantile interpolates between the neighbours of a rank.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	rank := q * float64(len(sorted)-1)
	below := int(rank)
	if below+1 == len(sorted) {
		return sorted[below]
	}
	return sorted[below] + (rank-float64(below))*(sorted[below+1]-sorted[below])
}

// quiet reports whether a control says that the machine can be believed.
func (s spread) quiet() bool {
	return math.Abs(s.Median-1) <= 0.10 && s.Q3-s.Q1 <= 0.25
}

func (s spread) String() string { return fmt.Sprintf("%.2f [%.2f–%.2f]", s.Median, s.Q1, s.Q3) }

// ratio is a subject's cost divided by its peer's, and the peer's by its own.
type ratio struct {
	Measured spread `json:"measured"`
	Control  spread `json:"control"`
}

// inverse is the ratio of rates instead of costs.
func (r ratio) inverse() ratio {
	turn := func(s spread) spread { return spread{1 / s.Median, 1 / s.Q3, 1 / s.Q1} }
	return ratio{turn(r.Measured), turn(r.Control)}
}

// differencePieces is how many times the sides take turns within a slice when the
// base is subtracted. What is left may be a fifth of what was measured, and a machine
// with other work drifts by more than that in 20 ms: the middle half of goal 1a's
// ratios was 2.5–5.2 wide in one piece.
const differencePieces = 20

// run measures a contest.
func (l *lab) run(c contest) (ratio, error) {
	if c.clock == nil {
		c.clock = threadTime
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	if c.rounds == 0 {
		c.rounds = l.rounds
	}
	sides := []side{c.subject, c.peer, c.peer}
	if c.base != nil {
		sides = append(sides, c.base)
	}
	if c.n == 0 {
		n, err := sliceLength(c, l.slice)
		if err != nil {
			return ratio{}, err
		}
		c.n = n
	}
	pieces := 1
	if c.base != nil {
		pieces = min(differencePieces, c.n)
	}
	var measured, control []float64
	for round := range c.rounds {
		cost := make([]float64, len(sides))
		for i := range pieces * len(sides) {
			turn := (i + i/len(sides) + round) % len(sides) // nobody is always first
			before := c.clock()
			if err := sides[turn](c.n / pieces); err != nil {
				return ratio{}, err
			}
			cost[turn] += float64(c.clock() - before)
		}
		base := 0.0
		if c.base != nil {
			base = cost[3]
		}
		peer := cost[1] - base
		if peer <= 0 {
			continue // the slice was shorter than the noise
		}
		measured = append(measured, (cost[0]-base)/peer)
		control = append(control, (cost[2]-base)/peer)
	}
	return ratio{spreadOf(measured), spreadOf(control)}, nil
}

// sliceLength returns how many operations of the peer take about as long as a
// slice, after both sides have warmed up.
func sliceLength(c contest, slice time.Duration) (int, error) {
	for n := 1; ; n *= 2 {
		if err := c.subject(n); err != nil {
			return 0, err
		}
		before := c.clock()
		if err := c.peer(n); err != nil {
			return 0, err
		}
		if took := c.clock() - before; took >= slice || n >= 1<<24 {
			return n, nil
		}
	}
}

// allocations returns how often one operation allocates.
func allocations(s side) (float64, error) {
	const n = 200
	if err := s(n); err != nil { // what is made once is made now
		return 0, err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := s(n)
	runtime.ReadMemStats(&after)
	return math.Floor(float64(after.Mallocs-before.Mallocs) / n), err
}
