package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"text/tabwriter"
	"time"
)

const usageText = `bench measures the library beside its peers.

  bench compare [-only REGEXP] [-rounds N] [-json FILE] [-svg FILE]
        the table of goals; -json writes the figures, -svg plots events per second
  bench compare -exact
        those of them that a busy machine hardly disturbs; fails if a gate is missed
  bench growth [-only REGEXP] [-max N]
        cost as work grows, up to N; fails if something grows faster than promised
  bench soak [-for 30m] [-rate 500] [-every 1m] [-fault 10s] [-warmup 5m]
        middleware, SQLite queue and sink for long, with faults; fails unless memory is
        flat and nothing lost
  bench -h
        this text

What needs PostgreSQL reads TEST_DATABASE_URL, and is left out without it.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	command := "compare"
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "endpoint":
		return serveEndpoint()
	case "compare":
		return compare(ctx, args, out)
	case "growth":
		return growthCommand(ctx, args, out)
	case "soak":
		return soakCommand(ctx, args, out)
	case "-h", "-help", "--help", "help":
		_, err := io.WriteString(out, usageText)
		return err
	default:
		return fmt.Errorf("unknown command %q; bench -h lists them", command)
	}
}

func compare(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	only := flags.String("only", "", "measure the goals whose id matches this regular expression")
	exactly := flags.Bool("exact", false, "measure only what a busy machine cannot disturb, and fail if a gate is missed")
	rounds := flags.Int("rounds", 30, "pairs of slices per goal")
	file := flags.String("json", "", "write the figures to this file")
	picture := flags.String("svg", "", "plot events per second over workers and queue depth to this file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	chosen := slices.DeleteFunc(slices.Clone(goals), func(g goal) bool {
		return !wanted.MatchString(g.ID) || *exactly && !slices.Contains(exact, g.ID)
	})
	endpoint, err := startEndpoint(ctx)
	if err != nil {
		return err
	}
	l := &lab{rounds: *rounds, slice: 20 * time.Millisecond, endpoint: endpoint}
	if *exactly {
		// Most slices are over before another process comes in between.
		l.rounds, l.slice, l.tries = 15*l.rounds, time.Millisecond, exactTries
	}
	results, err := measure(ctx, l, chosen)
	var drawn curves
	if err == nil && *picture != "" {
		if drawn, err = measureCurves(ctx, l); err == nil {
			err = writePlot(*picture, drawn)
		}
	}
	if err := errors.Join(err, endpoint.stop()); err != nil {
		return err
	}
	if *file != "" {
		if err := writeJSON(*file, results, drawn); err != nil {
			return err
		}
	}
	err = printTable(out, results)
	if *exactly {
		err = errors.Join(err, gates(results))
	}
	return err
}

// measure measures goals, one after the other.
func measure(ctx context.Context, l *lab, chosen []goal) ([]result, error) {
	var results []result
	for _, g := range chosen {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "%-16s%s\n", g.ID, g.What)
		f, err := g.measure(l)
		for try := 1; try < l.tries && err == nil && f.Control != nil && !g.Gate.met(f.Value); try++ {
			f, err = g.measure(l)
		}
		if errors.Is(err, errNoPostgres) {
			fmt.Fprintln(os.Stderr, "  left out:", err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("goal %s: %w", g.ID, err)
		}
		results = append(results, g.result(f))
	}
	return results, nil
}

// gates returns an error that names every gate that is missed.
func gates(results []result) error {
	var faults []error
	for _, r := range results {
		if r.Verdict == missedGate {
			faults = append(faults, fmt.Errorf("goal %s is missed: %v, want %v (%s)", r.ID, r.figure, r.Gate, r.What))
		}
	}
	return errors.Join(faults...)
}

func writeJSON(file string, results []result, drawn curves) error {
	b, err := json.MarshalIndent(map[string]any{
		"measuredAt": time.Now().UTC().Format(time.RFC3339), "goals": results, "curves": drawn,
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o600)
}

func printTable(out io.Writer, results []result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "goal\tgate\tstretch\tmeasured\tverdict\tcontrol\twhat")
	for _, r := range results {
		control := "exact"
		if r.Control != nil {
			control = r.Control.String()
			if !r.Quiet {
				control += " noisy"
			}
		}
		fmt.Fprintf(w, "%s\t%v\t%v\t%v\t%s\t%s\t%s\n", r.ID, r.Gate, r.Stretch, r.figure, r.Verdict, control, r.What)
	}
	return w.Flush()
}
