// Command quickstart shows the whole way of an event in one process: an Altinn
// App on Echo with the lifecycle middleware, a publisher with a queue, and a sink
// that stands for Altinn Events.
//
//	go run ./examples/quickstart
//
// It creates one instance over HTTP and prints the CloudEvent that arrives.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
	"github.com/altinn-go/events/testutil"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// firstEvent is how long -once waits.
const firstEvent = 15 * time.Second

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	once := flags.Bool("once", false, "exit after the first delivered event; fail if none came in 15 s")
	flags.Usage = func() {
		fmt.Fprint(stderr, "Usage: quickstart [-once]\n\n"+
			"Starts an app template and a local Altinn Events on loopback, creates an instance,\n"+
			"prints the CloudEvents that arrive to stdout and serves until Ctrl-C.\n\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}

	sink, err := testutil.StartSink(testutil.SinkConfig{})
	if err != nil {
		return err
	}
	defer sink.Close()

	client, err := altinn.NewClient(sink.URL(), altinn.Config{Credentials: sink.Credentials()})
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()

	queue, closeQueue, err := openQueue()
	if err != nil {
		return err
	}
	arrivals := &arrivals{sink: sink, out: stdout, first: make(chan struct{})}
	pub, err := publisher.New(client, publisher.Config{Queue: queue, Observer: arrivals})
	if err != nil {
		return errors.Join(err, closeQueue(ctx))
	}
	defer func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = errors.Join(err, pub.Close(drain), closeQueue(drain))
	}()

	address, shutdown, err := serve(newApp(pub))
	if err != nil {
		return err
	}
	defer shutdown()

	instances := address + "/ttd/apps-test/instances"
	fmt.Fprintf(stderr, "app:       %s\nevents:    %s/events/api/v1\ninspector: %s/\n\n", instances, sink.URL(), sink.URL())
	if err := createInstance(ctx, instances); err != nil {
		return err
	}
	select {
	case <-arrivals.first:
	case <-ctx.Done():
		return nil
	case <-time.After(firstEvent):
		if *once {
			return fmt.Errorf("no event arrived within %v", firstEvent)
		}
	}
	if *once {
		return nil
	}
	fmt.Fprintf(stderr, "\nTry next (Ctrl-C ends):\n\n  curl -H 'Content-Type: application/json' -d '%s' %s\n\n", template, instances)
	<-ctx.Done()
	return nil
}

// openQueue opens a queue in a temporary folder, which closing it removes. An app
// would use the file that its own tables are in.
func openQueue() (*sqlite.Queue, func(context.Context) error, error) {
	folder, err := os.MkdirTemp("", "quickstart-")
	if err != nil {
		return nil, nil, err
	}
	db, err := sqlite.OpenDB(filepath.Join(folder, "quickstart.db"))
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(folder))
	}
	queue, err := sqlite.New(db, sqlite.Config{})
	if err != nil {
		return nil, nil, errors.Join(err, db.Close(), os.RemoveAll(folder))
	}
	return queue, func(ctx context.Context) error {
		return errors.Join(queue.Close(ctx), db.Close(), os.RemoveAll(folder))
	}, nil
}

// template is what an instance is made from. The number is that of Altinn's own
// example; nobody has it.
const template = `{"instanceOwner":{"partyId":"50019855","personNumber":"01017512345"}}`

// serve serves handler on a free port of the loopback interface.
func serve(handler http.Handler) (address string, shutdown func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // ends with shutdown
	}()
	return "http://" + listener.Addr().String(), func() { _ = server.Close(); <-served }, nil
}

// createInstance does what a person would do with curl.
func createInstance(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(template))
	if err != nil {
		return err
	}
	req.Header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		return fmt.Errorf("POST %s: %s", url, res.Status)
	}
	return nil
}

// newApp is the app: one line makes its lifecycle known.
func newApp(pub *publisher.Publisher) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Use(middleware.AppLifecycle(pub, models.App{Org: "ttd", Name: "apps-test"}))

	store := &store{instances: map[string]models.Instance{}}
	app := e.Group("/:org/:app/instances")
	app.POST("", store.create)
	app.PUT("/:party/:guid/process/next", store.next)
	return e
}

// arrivals prints every event that the sink has stored, as it arrives.
type arrivals struct {
	publisher.NopObserver
	sink  *testutil.Sink
	out   io.Writer
	first chan struct{}

	mu      sync.Mutex
	printed int
}

// Delivered implements publisher.Observer.
func (a *arrivals) Delivered(context.Context, outbox.Item) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ev := range a.sink.Events()[a.printed:] {
		text, err := json.MarshalIndent(ev, "", "  ")
		if err != nil {
			text = []byte(err.Error())
		}
		fmt.Fprintln(a.out, string(text))
		a.printed++
		if a.printed == 1 {
			close(a.first)
		}
	}
}
