// Command outbox shows operators what a durable queue holds, and lets them send
// again or delete what was given up. It works beside the app that uses the queue.
//
//	go run github.com/altinn-go/events/publisher/outbox/cmd/outbox -store sqlite:app.db stats
//
// Run it with -h for the list of its commands. Subjects are masked unless -unmask
// is given.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "outbox:", err)
		os.Exit(1)
	}
}

const usage = `Usage: outbox -store STORE [flags] COMMAND

Commands:
  stats               how many events are pending, sending, delivered, discarded
  watch               stats, again and again, until Ctrl-C
  list                the events of -status, -limit of them after number -after
  show NUMBER         one event: where it stands, why, and what it says
  requeue NUMBER ...  give discarded events another life; "all" means every one
  purge               delete events of -status that are older than -older-than

STORE is sqlite:PATH or postgres://….

Flags:
`

// command is what was asked for.
type command struct {
	printer

	store     string
	status    outbox.Status
	page      outbox.Page
	olderThan time.Duration
	interval  time.Duration
	name      string
	args      []string
}

func parse(args []string, stdout, stderr io.Writer) (command, error) {
	c := command{printer: printer{out: stdout}}
	flags := flag.NewFlagSet("outbox", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.store, "store", "", "the queue: sqlite:PATH or postgres://…")
	status := flags.String("status", "discarded", "pending, delivered or discarded")
	flags.Int64Var(&c.page.After, "after", 0, "list what comes after this number")
	flags.IntVar(&c.page.Limit, "limit", 100, "list at most this many")
	flags.DurationVar(&c.olderThan, "older-than", 0, "purge what has its status for at least this long, such as 720h")
	flags.DurationVar(&c.interval, "interval", 2*time.Second, "how often watch looks")
	flags.BoolVar(&c.json, "json", false, "print JSON, one object to a line")
	flags.BoolVar(&c.unmask, "unmask", false, "print subjects and data as they are: personal data")
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	var words []string
	for rest := args; ; { // flags may stand before and behind the command
		if err := flags.Parse(rest); err != nil {
			return c, err
		}
		if flags.NArg() == 0 {
			break
		}
		words = append(words, flags.Arg(0))
		rest = flags.Args()[1:]
	}
	if len(words) == 0 {
		flags.Usage()
		return c, errors.New("no command given")
	}
	c.name, c.args = words[0], words[1:]
	statuses := map[string]outbox.Status{
		"pending": outbox.StatusPending, "delivered": outbox.StatusDelivered, "discarded": outbox.StatusDiscarded,
	}
	var ok bool
	if c.status, ok = statuses[*status]; !ok {
		return c, fmt.Errorf("-status is %q, want pending, delivered or discarded", *status)
	}
	if c.page.Limit < 1 || c.interval <= 0 {
		return c, errors.New("-limit and -interval must be positive")
	}
	return c, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parse(args, stdout, stderr)
	if err != nil {
		return err
	}
	do, ok := map[string]func(context.Context, outbox.Durable) error{
		"stats": c.stats, "watch": c.watch, "list": c.list, "show": c.show, "requeue": c.requeue, "purge": c.purge,
	}[c.name]
	if !ok {
		return fmt.Errorf("there is no command %q; -h lists them", c.name)
	}
	queue, closeStore, err := open(ctx, c.store)
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, queue), closeStore(context.WithoutCancel(ctx)))
}

func (c command) stats(ctx context.Context, queue outbox.Durable) error {
	s, err := queue.Stats(ctx)
	if err != nil {
		return err
	}
	return c.printStats(s)
}

func (c command) watch(ctx context.Context, queue outbox.Durable) error {
	tick := time.NewTicker(c.interval)
	defer tick.Stop()
	for {
		err := c.stats(ctx, queue)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (c command) list(ctx context.Context, queue outbox.Durable) error {
	records, err := queue.List(ctx, c.status, c.page)
	if err != nil {
		return err
	}
	return c.printList(records)
}

func (c command) show(ctx context.Context, queue outbox.Durable) error {
	seqs, err := c.numbers()
	if err != nil {
		return err
	}
	for _, status := range []outbox.Status{outbox.StatusPending, outbox.StatusDelivered, outbox.StatusDiscarded} {
		records, err := queue.List(ctx, status, outbox.Page{After: seqs[0] - 1, Limit: 1})
		if err != nil {
			return err
		}
		if len(records) == 1 && records[0].Seq == seqs[0] {
			return c.printRecord(records[0])
		}
	}
	return fmt.Errorf("the queue has no event %d", seqs[0])
}

func (c command) requeue(ctx context.Context, queue outbox.Durable) error {
	var total int
	if len(c.args) == 1 && c.args[0] == "all" {
		for {
			seqs, err := firstDiscarded(ctx, queue)
			if err != nil {
				return err
			}
			if len(seqs) == 0 {
				return c.printCount("requeued", total)
			}
			n, err := queue.Requeue(ctx, seqs...)
			if err != nil {
				return err
			}
			total += n
		}
	}
	seqs, err := c.numbers()
	if err != nil {
		return err
	}
	if total, err = queue.Requeue(ctx, seqs...); err != nil {
		return err
	}
	return c.printCount("requeued", total)
}

func firstDiscarded(ctx context.Context, queue outbox.Durable) ([]int64, error) {
	records, err := queue.List(ctx, outbox.StatusDiscarded, outbox.Page{Limit: 1000})
	var seqs []int64
	for i := range records {
		seqs = append(seqs, records[i].Seq)
	}
	return seqs, err
}

func (c command) purge(ctx context.Context, queue outbox.Durable) error {
	if c.status == outbox.StatusPending {
		return errors.New("pending events are not purged: they have not been delivered; -status is delivered or discarded")
	}
	n, err := queue.Purge(ctx, c.status, c.olderThan)
	if err != nil {
		return err
	}
	return c.printCount("purged", n)
}

// numbers reads the command's arguments, at least one.
func (c command) numbers() ([]int64, error) {
	if len(c.args) == 0 {
		return nil, fmt.Errorf("%s wants the number of an event, as list prints it", c.name)
	}
	var seqs []int64
	for _, arg := range c.args {
		seq, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not the number of an event", arg)
		}
		seqs = append(seqs, seq)
	}
	return seqs, nil
}
