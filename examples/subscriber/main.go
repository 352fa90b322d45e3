// Command subscriber subscribes to the events of an app or of another resource, and
// prints each that arrives once, also when Altinn Events sends it again or the program
// was stopped in between.
//
//	go run ./testutil/cmd/eventsink &
//	go run ./examples/subscriber &
//	go run ./examples/apptemplate
package main

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware/webhook"
	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/credentials"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

// drainTime is how long a stop may take. A connection that no request came on holds
// http.Server.Shutdown for some six seconds.
const drainTime = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "subscriber:", err)
		os.Exit(1)
	}
}

type options struct{ addr, publicURL, eventsURL, app, resource, store, secret string }

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("subscriber", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.addr, "addr", "127.0.0.1:5006", "the address to receive at; port 0 picks a free one")
	flags.StringVar(&o.publicURL, "public-url", "", "what Altinn Events reaches that address by (default http://ADDR)")
	flags.StringVar(&o.eventsURL, "events-url", "http://127.0.0.1:5080", "the platform's address, without /events/api/v1")
	flags.StringVar(&o.app, "app", "ttd/apps-test", "org and name of the app whose events to receive")
	flags.StringVar(&o.resource, "resource", "", "the URN of a resource whose events to receive in place of an app's")
	flags.StringVar(&o.store, "store", "subscriber.db", "the SQLite file of what was received")
	flags.Usage = func() {
		fmt.Fprint(stderr, "Usage: subscriber [flags]\n\nPrints every event once. WEBHOOK_SECRET is the webhook's secret (16 characters or more).\n"+
			"With ALTINN_ENVIRONMENT set, credentials come of the environment, see package credentials.\n\n")
		flags.PrintDefaults()
	}
	o.secret = cmp.Or(os.Getenv("WEBHOOK_SECRET"), "a secret for development only")
	return o, flags.Parse(args)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	db, err := sqlite.OpenDB(o.store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	receiver, err := newReceiver(ctx, db, o, stdout, logger)
	if err != nil {
		return err
	}
	client, err := newClient(o)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()

	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", o.addr)
	if err != nil {
		return err
	}
	e := echo.New()
	e.HideBanner = true
	e.POST("/events", receiver.Echo())
	server := &http.Server{Handler: e, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	// The webhook answers before Altinn Events is told of it.
	wanted := altinn.Subscription{
		EndPoint:       cmp.Or(o.publicURL, "http://"+listener.Addr().String()) + "/events?" + url.Values{"code": {o.secret}}.Encode(),
		ResourceFilter: o.resource,
	}
	if o.resource == "" {
		org, name, _ := strings.Cut(o.app, "/")
		wanted.ResourceFilter = models.AppResource(org, name)
	}
	plan, err := client.Ensure(ctx, altinn.EnsureConfig{Delete: true}, wanted)
	if err == nil {
		fmt.Fprintf(stderr, "subscriber: listening on http://%s\n%s", listener.Addr(), plan)
		select {
		case err = <-served:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		err = nil // stopped before all was said, which is no fault
	}
	// Events that were taken are handled while the connections end.
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	shutdown := make(chan error, 1)
	go func() { shutdown <- server.Shutdown(stop) }()
	return errors.Join(err, receiver.Close(stop), <-shutdown)
}

func newClient(o options) (*altinn.Client, error) {
	set, err := credentials.Development(o.eventsURL)
	if os.Getenv("ALTINN_ENVIRONMENT") != "" {
		set, err = credentials.FromEnv(credentials.EnvOptions{})
	}
	if err != nil {
		return nil, err
	}
	return altinn.NewClient(set.Environment.PlatformURL, altinn.Config{
		Credentials: altinn.Credentials{Bearer: set.Bearer, SubscriptionKey: set.SubscriptionKey},
	})
}

// newReceiver returns a receiver that keeps and prints each event once.
func newReceiver(ctx context.Context, db *sql.DB, o options, stdout io.Writer, logger *slog.Logger) (*webhook.Receiver, error) {
	if _, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS received (n INTEGER PRIMARY KEY, type TEXT NOT NULL, about TEXT NOT NULL)"); err != nil {
		return nil, err
	}
	inbox, err := sqlite.NewInbox(db, sqlite.InboxConfig{})
	if err != nil {
		return nil, err
	}
	receiver, err := webhook.New(webhook.Config{Secrets: []string{o.secret}, Inbox: inbox, Logger: logger})
	if err != nil {
		return nil, err
	}
	var printing sync.Mutex
	receiver.On("*", func(ctx context.Context, r webhook.Received) error {
		about := cmp.Or(r.Instance.ResourceInstance(), r.FileTransferID)
		tx, _ := sqlite.InboxTx(ctx)
		var n int64
		err := tx.QueryRowContext(ctx, "INSERT INTO received (type, about) VALUES (?, ?) RETURNING n", r.Event.Type(), about).Scan(&n)
		if err != nil {
			return err
		}
		line, err := json.Marshal(map[string]any{"n": n, "type": r.Event.Type(), "about": about, "id": r.Event.ID()})
		if err != nil {
			return webhook.Permanent(err)
		}
		printing.Lock()
		defer printing.Unlock()
		_, err = fmt.Fprintf(stdout, "%s\n", line)
		return err
	})
	return receiver, nil
}
