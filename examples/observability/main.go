// Command observability publishes events of an app to a sink, with faults now and
// then, and serves what an operator watches:
//
//	/metrics          for Prometheus; alerts.yml and dashboard.json are made for it
//	/health/events    for readiness probes
//
//	go run .
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
	"path/filepath"
	"syscall"
	"time"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
	"github.com/altinn-go/events/publisher/telemetry"
	"github.com/altinn-go/events/testutil"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace/noop"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "observability:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("observability", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:5007", "the address to serve metrics at; port 0 picks a free one")
	every := flags.Duration("every", 100*time.Millisecond, "how often an event is published")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "observability")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sink, err := testutil.StartSink(testutil.SinkConfig{})
	if err != nil {
		return err
	}
	defer sink.Close()
	// One request in ten fails, so that there is something to see.
	sink.Inject(testutil.Fault{Status: http.StatusServiceUnavailable, Rate: 0.1})
	sink.Inject(testutil.Fault{Status: http.StatusBadRequest, Rate: 0.01, Seed: 1})

	db, err := sqlite.OpenDB(filepath.Join(dir, "events.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		return err
	}
	meters := metric.NewMeterProvider(metric.WithReader(exporter))
	var queue *sqlite.Queue // has the observer, which asks it
	observer, err := telemetry.New(telemetry.Config{
		TracerProvider: noop.NewTracerProvider(), MeterProvider: meters,
		Stats: func(ctx context.Context) (outbox.Stats, error) { return queue.Stats(ctx) },
	})
	if err != nil {
		return err
	}
	queue, err = sqlite.New(db, sqlite.Config{Observer: observer})
	if err != nil {
		return err
	}
	client, err := altinn.NewClient(sink.URL(), altinn.Config{Credentials: sink.Credentials()})
	if err != nil {
		return errors.Join(err, queue.Close(ctx))
	}
	defer client.CloseIdleConnections()
	pub, err := publisher.New(client, publisher.Config{
		Queue: queue, Observer: observer, Logger: slog.New(slog.NewTextHandler(stderr, nil)),
		Retry: publisher.RetryPolicy{Base: 100 * time.Millisecond},
	})
	if err != nil {
		return errors.Join(err, queue.Close(ctx))
	}

	e := echo.New()
	e.HideBanner = true
	e.GET("/metrics", echo.WrapHandler(promhttp.HandlerFor(registry, promhttp.HandlerOpts{})))
	e.GET("/health/events", echo.WrapHandler(telemetry.Health(telemetry.HealthConfig{Stats: queue.Stats, Relaying: pub.Relaying, MaxAge: -1})))
	err = serve(ctx, *addr, e, stdout, func() { publishEvery(ctx, pub, observer, *every) })

	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, pub.Close(drain), observer.Close(), queue.Close(drain), meters.Shutdown(drain))
}

// serve serves until ctx ends, while meanwhile runs.
func serve(ctx context.Context, addr string, handler http.Handler, stdout io.Writer, meanwhile func()) error {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(stdout, "observability: listening on http://%s\n", listener.Addr())
	meanwhile()
	// A connection that no request came on holds Shutdown for some six seconds.
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// publishEvery publishes an instance's events, again and again, and handles them as a
// subscriber would.
func publishEvery(ctx context.Context, pub *publisher.Publisher, observer *telemetry.Observer, every time.Duration) {
	app := models.App{Org: "ttd", Name: "apps-test"}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := 0; ; n++ {
		instance := models.Instance{ID: "50019855/" + uuid.NewString(), InstanceOwner: models.InstanceOwner{PartyID: "50019855"}}
		ev := app.Created(instance)
		if n%50 == 7 {
			ev.SetSource("nonsense") // which is refused at once
		}
		_ = pub.Publish(ctx, ev) // metrics tell
		_ = observer.Process(ctx, ev, func(context.Context) error { return nil })
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
