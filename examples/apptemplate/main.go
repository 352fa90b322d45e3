// Command apptemplate is a small Altinn App that shows both ways of publishing.
//
//	go run ./examples/apptemplate
//
// What happens to an instance and the event that tells it are one transaction in
// one store (PublishTx), so that neither is ever there without the other. The
// substatus takes the other way: the lifecycle middleware publishes it before the
// answer leaves, and answers 500 if it cannot.
//
// It delivers to a local Altinn Events at -events-url. SIGTERM stops it: what was
// not delivered within 5 s stays in the store for the next start.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
)

// How long requests under way and queued events have at a stop. A connection that no
// request came on holds http.Server.Shutdown for some six seconds.
const (
	shutdownTime = 10 * time.Second
	drainTime    = 5 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "apptemplate:", err)
		os.Exit(1)
	}
}

// options are the program's flags.
type options struct {
	addr, app, appBaseURL, eventsURL, store string
	logLevel                                slog.Level
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("apptemplate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.addr, "addr", "127.0.0.1:5005", "the address to serve at; port 0 picks a free one")
	flags.StringVar(&o.app, "app", "ttd/apps-test", "org and name of the app")
	flags.StringVar(&o.appBaseURL, "app-base-url", "", "what event sources begin with (default https://{org}.apps.altinn.no/{org}/{app})")
	flags.StringVar(&o.eventsURL, "events-url", "http://127.0.0.1:5080", "the platform's address, without /events/api/v1")
	flags.StringVar(&o.store, "store", "sqlite:apptemplate.db", "where instances and events are kept: sqlite:PATH or postgres://…")
	flags.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "debug, info, warn or error")
	flags.Usage = func() {
		fmt.Fprint(stderr, "Usage: apptemplate [flags]\n\n"+
			"A small Altinn App whose instances and events are one transaction. Try:\n\n"+
			"  curl -H 'Content-Type: application/json' -d '"+template+"' http://127.0.0.1:5005/ttd/apps-test/instances\n\n")
		flags.PrintDefaults()
	}
	return o, flags.Parse(args)
}

const template = `{"instanceOwner":{"partyId":"50019855","personNumber":"01017512345"}}`

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	org, name, _ := strings.Cut(o.app, "/")
	app := models.App{Org: org, Name: name, BaseURL: o.appBaseURL}
	if err := app.Validate(); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: o.logLevel}))

	store, err := openStore(ctx, o.store, logger)
	if err != nil {
		return err
	}
	client, err := altinn.NewClient(o.eventsURL, altinn.Config{Credentials: developmentCredentials()})
	if err != nil {
		return errors.Join(err, store.close(ctx))
	}
	defer client.CloseIdleConnections()
	pub, err := publisher.New(client, publisher.Config{Queue: store.queue(), Logger: logger})
	if err != nil {
		return errors.Join(err, store.close(ctx))
	}

	err = serve(ctx, o.addr, newServer(app, store, pub, logger), stdout)

	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if left := pub.Close(drain); left != nil {
		logger.LogAttrs(drain, slog.LevelWarn, "events are left for the next start", slog.String("reason", left.Error()))
	}
	return errors.Join(err, store.close(context.WithoutCancel(ctx)))
}

// serve serves until ctx ends, then lets the requests under way finish.
func serve(ctx context.Context, addr string, handler http.Handler, stdout io.Writer) error {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(stdout, "apptemplate: listening on http://%s\n", listener.Addr())

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}
