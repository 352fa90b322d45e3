// Command eventsink is the Altinn Events API for a desk or a CI job: it checks,
// answers, stores and pushes as the service does, and forgets everything when it
// ends.
//
//	go run github.com/altinn-go/events/testutil/cmd/eventsink@latest
//
// The first line on stdout says where it listens. The API is below /events/api/v1,
// what tests ask and tell the sink below /_sink; package testutil describes both. At
// the address itself is the inspector, a page that shows what comes.
// Point the Events API address of an app at it, and publish.
//
// It ends on SIGINT and SIGTERM: requests under way have five seconds to finish.
// Exit codes: 0 after a signal, 1 if it cannot serve, 2 for flags or files that
// cannot be meant.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/altinn-go/events/testutil"
)

const stopTimeout = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const usage = `eventsink is the Altinn Events API for a desk or a CI job.

Usage: eventsink [flags]

  eventsink                                  serve on 127.0.0.1:5080
  eventsink -addr :0                         pick a free port; stdout says which
  eventsink -auth off                        ask for no tokens
  eventsink -auth verify -keys jwks.json     check signatures
  eventsink -retry-scale 1440                a day of webhook retries in a minute

Page:      / (the inspector: what came, what was refused, what was pushed)
API:       /events/api/v1 (POST /app, POST /events, queries, subscriptions)
Control:   /_sink (GET events, GET wait, GET deliveries, POST faults, POST tokens, …)
Health:    /health

Flags:
`

// options are the flags that SinkConfig has not.
type options struct {
	cfg                               testutil.SinkConfig
	allowRemote, httpWebhooks         bool
	keysFile, partiesFile, policyFile string
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	opts, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "eventsink: %v\n", err)
		return 2
	}
	sink, err := testutil.StartSink(opts.cfg)
	if err != nil {
		fmt.Fprintf(stderr, "eventsink: %v\n", err)
		return 1
	}
	fmt.Fprintf(stdout, "eventsink: listening on %s\n", sink.URL())
	<-ctx.Done()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := sink.Shutdown(stopping); err != nil {
		fmt.Fprintf(stderr, "eventsink: requests were under way after %v and broken off\n", stopTimeout)
	}
	return 0
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("eventsink", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.cfg.Addr, "addr", "127.0.0.1:5080", "listen on `host:port`; without a host 127.0.0.1, with port 0 a free one; another machine's reach needs -allow-remote")
	flags.BoolVar(&o.allowRemote, "allow-remote", false, "allow an -addr that is not a loopback address")
	auth := flags.String("auth", string(testutil.AuthDecode), "how tokens are checked: decode (well-formed, not expired), verify (also signed by a key of -keys), off (the caller is /org/ttd)")
	flags.StringVar(&o.keysFile, "keys", "", "JWKS or PEM `file` with public keys, for -auth verify")
	flags.StringVar(&o.partiesFile, "parties", "", "JSON `file` with the register: an array of {\"partyId\", \"organisationNumber\" or \"personNumber\", \"mainUnit\"}")
	flags.StringVar(&o.policyFile, "policy", "", "JSON `file` with the policy: an array of {\"consumer\", \"resource\", \"action\", \"decision\"}; the first match decides, none permits")
	flags.DurationVar(&o.cfg.VisibilityLag, "visibility-lag", 0, "hide the newest events from queries so long; the service does for 30s")
	flags.BoolVar(&o.httpWebhooks, "http-webhooks", true, "take webhooks by http on loopback addresses; the service takes https only")
	flags.BoolVar(&o.cfg.RemoteWebhooks, "remote-webhooks", false, "connect to webhooks on other machines; without it their deliveries are recorded as held back")
	flags.Float64Var(&o.cfg.RetryScale, "retry-scale", 1, "divide the waits between attempts to deliver by this `number`")
	flags.StringVar(&o.cfg.AppsDomain, "apps-domain", "apps.altinn.no", "the `domain` that makes a source filter an app's")
	flags.StringVar(&o.cfg.BaseURL, "base-url", "", "the `URL` that next links and validation events begin with (default: where it listens)")
	flags.IntVar(&o.cfg.MaxEvents, "max-events", 100_000, "how many events are kept; beyond it the oldest go first")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stderr, usage)
			flags.SetOutput(stderr)
			flags.PrintDefaults()
			return o, err
		}
		return o, fmt.Errorf("%w; -h lists the flags", err)
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag; -h lists them", flags.Arg(0))
	}
	o.cfg.Auth, o.cfg.HTTPSOnly = testutil.AuthMode(*auth), !o.httpWebhooks
	err := o.complete()
	return o, err
}

// complete checks what flags say together and reads the files that they name.
func (o *options) complete() error {
	host, port, err := net.SplitHostPort(o.cfg.Addr)
	if err != nil {
		return fmt.Errorf("-addr %q: want host:port, such as 127.0.0.1:5080", o.cfg.Addr)
	}
	switch host {
	case "", "localhost":
		o.cfg.Addr = net.JoinHostPort("127.0.0.1", port)
	default:
		if ip := net.ParseIP(host); (ip == nil || !ip.IsLoopback()) && !o.allowRemote {
			return fmt.Errorf("-addr %s: other machines could reach it; add -allow-remote if they should", o.cfg.Addr)
		}
	}
	switch o.cfg.Auth {
	case testutil.AuthDecode, testutil.AuthOff:
		if o.keysFile != "" {
			return fmt.Errorf("-keys has no meaning with -auth %s; want -auth verify", o.cfg.Auth)
		}
	case testutil.AuthVerify:
		if o.keysFile == "" {
			return errors.New("-auth verify needs the public keys: -keys FILE, a JWKS or PEM")
		}
	default:
		return fmt.Errorf("-auth %q: want decode, verify or off", o.cfg.Auth)
	}
	if o.cfg.RetryScale <= 0 {
		return fmt.Errorf("-retry-scale %v: want more than 0", o.cfg.RetryScale)
	}
	if o.cfg.MaxEvents <= 0 {
		return fmt.Errorf("-max-events %d: want 1 or more", o.cfg.MaxEvents)
	}
	for _, file := range []struct {
		flag, path string
		read       func([]byte) error
	}{
		{"-keys", o.keysFile, func(data []byte) (err error) { o.cfg.Keys, err = testutil.ParseKeys(data); return err }},
		{"-parties", o.partiesFile, func(data []byte) (err error) { o.cfg.Parties, err = testutil.ParseParties(data); return err }},
		{"-policy", o.policyFile, func(data []byte) (err error) { o.cfg.Policy, err = testutil.ParsePolicy(data); return err }},
	} {
		if file.path == "" {
			continue
		}
		data, err := os.ReadFile(file.path)
		if err == nil {
			err = file.read(data)
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", file.flag, file.path, err)
		}
	}
	return nil
}
