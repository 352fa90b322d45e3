package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

// dimension is something that work grows in.
type dimension struct {
	name   string
	values []int
	// open prepares a study of it, which is asked for the values in their order.
	open func(context.Context, *endpoint) (study, error)
}

// study measures at one value after the other.
type study struct {
	at    func(value int) ([]reading, error)
	close func() error
}

// reading is what something costs at a value.
type reading struct {
	what     string
	perEvent time.Duration
	linear   bool    // whether the time may grow with the value, rather than not at all
	memory   float64 // bytes, which may grow with the value; 0 if not measured
	memoryOf string  // what they are
}

// tolerance is how much an exponent may be off: a cost that need not grow may triple
// when the value grows tenfold, for caches miss more often, trees get deeper and the
// kernel has to find more memory. What is worse by one power is off by 1.
const tolerance = 0.5

var dimensions = []dimension{
	{"memory queue, depth", decades(10, 1_000_000), memoryDepth},
	{"SQLite queue, depth", decades(10, 1_000_000), sqliteDepth},
	{"workers", []int{1, 4, 16, 64, 256}, workers},
	{"event size", []int{300, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10}, eventSize},
	{"subscriptions", decades(1, 10_000), subscriptions},
	{"SQLite queue, retained", decades(10_000, 10_000_000), sqliteRetained},
	{"PostgreSQL queue, retained", decades(10_000, 10_000_000), postgresRetained},
}

// decades are the powers of ten times first, up to last.
func decades(first, last int) (values []int) {
	for v := first; v <= last; v *= 10 {
		values = append(values, v)
	}
	return values
}

// row is a reading at a value, and how it has grown.
type row struct {
	reading

	dimension    string
	value        int
	time, memory float64 // exponents of growth against the row before; NaN in the first
}

func growthCommand(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("growth", flag.ContinueOnError)
	only := flags.String("only", "", "measure the dimensions whose name matches this regular expression")
	most := flags.Int("max", 10_000_000, "leave out larger values, but the first of each dimension")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	e, err := startEndpoint(ctx)
	if err != nil {
		return err
	}
	rows, err := grow(ctx, e, wanted, *most)
	return errors.Join(err, e.stop(), printGrowth(out, rows))
}

// grow measures dimensions.
func grow(ctx context.Context, e *endpoint, wanted *regexp.Regexp, most int) ([]row, error) {
	var rows []row
	for _, d := range dimensions {
		if !wanted.MatchString(d.name) {
			continue
		}
		debug.FreeOSMemory() // what the dimension before has left
		s, err := d.open(ctx, e)
		if errors.Is(err, errNoPostgres) {
			fmt.Fprintln(os.Stderr, d.name, "is left out:", err)
			continue
		}
		if err != nil {
			return rows, fmt.Errorf("%s: %w", d.name, err)
		}
		var found []row
		for i, value := range d.values {
			if i > 0 && value > most || ctx.Err() != nil {
				break
			}
			fmt.Fprintln(os.Stderr, d.name, value)
			var readings []reading
			if readings, err = s.at(value); err != nil {
				break
			}
			for _, r := range readings {
				found = append(found, row{reading: r, dimension: d.name, value: value, time: math.NaN(), memory: math.NaN()})
			}
		}
		rows = append(rows, grown(found)...)
		if err := errors.Join(err, s.close(), ctx.Err()); err != nil {
			return rows, fmt.Errorf("%s: %w", d.name, err)
		}
	}
	return rows, nil
}

// grown puts rows about the same thing together and says how each has grown.
func grown(rows []row) []row {
	var order []string
	for _, r := range rows {
		if !slices.Contains(order, r.what) {
			order = append(order, r.what)
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return slices.Index(order, a.what) - slices.Index(order, b.what) })
	for i := 1; i < len(rows); i++ {
		before, now := &rows[i-1], &rows[i]
		if before.what != now.what {
			continue
		}
		exponent := func(from, to float64) float64 {
			return math.Log(to/from) / math.Log(float64(now.value)/float64(before.value))
		}
		now.time = exponent(float64(before.perEvent), float64(now.perEvent))
		if now.memory = math.NaN(); now.memoryOf != "" {
			now.memory = exponent(before.reading.memory, now.reading.memory)
		}
	}
	return rows
}

// verdict is what there is to say of the growth to a row, and whether it is as
// promised.
func (r row) verdict() (text string, ok bool) {
	promise := 0.0
	if r.linear {
		promise = 1
	}
	switch {
	case math.IsNaN(r.time):
		return "–", true
	case r.time > promise+tolerance && !r.linear:
		return "TIME GROWS", false
	case r.time > promise+tolerance:
		return "TIME WORSE THAN LINEAR", false
	case r.memory > 1+tolerance:
		return "MEMORY WORSE THAN LINEAR", false
	default:
		return "linear or better", true
	}
}

// printGrowth writes the table, and returns an error if something grows more than
// promised.
func printGrowth(out io.Writer, rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "dimension\tvalue\twhat\ttime per event\tgrowth\tpromised\tmemory\tgrowth\tverdict")
	var faults []error
	exponent := func(e float64) string {
		if math.IsNaN(e) {
			return "–"
		}
		return fmt.Sprintf("%.2f", e)
	}
	for _, r := range rows {
		text, ok := r.verdict()
		if !ok {
			faults = append(faults, fmt.Errorf("%s, %s, at %d: %s", r.dimension, r.what, r.value, text))
		}
		promise, memory := "0", "–"
		if r.linear {
			promise = "1"
		}
		if r.memoryOf != "" {
			memory = size(r.reading.memory) + " " + r.memoryOf
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%v\t%s\t%s\t%s\t%s\t%s\n", r.dimension, thousands(r.value), r.what,
			r.perEvent.Round(10*time.Nanosecond), exponent(r.time), promise, memory, exponent(r.memory), text)
	}
	return errors.Join(append([]error{w.Flush()}, faults...)...)
}

// thousands writes a number with its thousands apart.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// best measures three times and keeps the least, which others have disturbed least.
func best(measure func() (time.Duration, error)) (time.Duration, error) {
	least := time.Duration(math.MaxInt64)
	for range 3 {
		took, err := measure()
		if err != nil {
			return 0, err
		}
		least = min(least, took)
	}
	return least, nil
}
