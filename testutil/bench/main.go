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
	"text/tabwriter"
	"time"
)

const usageText = `bench measures the library beside its peers.

  bench compare [-only REGEXP] [-rounds N] [-json FILE]   the table of goals
  bench -h                                               this text

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
	rounds := flags.Int("rounds", 40, "pairs of slices per goal")
	file := flags.String("json", "", "write the figures to this file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	endpoint, err := startEndpoint(ctx)
	if err != nil {
		return err
	}
	l := &lab{rounds: *rounds, endpoint: endpoint}
	var results []result
	for _, g := range goals {
		if !wanted.MatchString(g.ID) {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		fmt.Fprintf(os.Stderr, "%-16s%s\n", g.ID, g.What)
		f, err := g.measure(l)
		if errors.Is(err, errNoPostgres) {
			fmt.Fprintln(os.Stderr, "  left out:", err)
			continue
		}
		if err != nil {
			return errors.Join(fmt.Errorf("goal %s: %w", g.ID, err), endpoint.stop())
		}
		results = append(results, g.result(f))
	}
	if err := errors.Join(ctx.Err(), endpoint.stop()); err != nil {
		return err
	}
	if *file != "" {
		if err := writeJSON(*file, results); err != nil {
			return err
		}
	}
	return printTable(out, results)
}

func writeJSON(file string, results []result) error {
	b, err := json.MarshalIndent(map[string]any{"measuredAt": time.Now().UTC().Format(time.RFC3339), "goals": results}, "", "  ")
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
