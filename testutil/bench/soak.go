package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
	"github.com/altinn-go/events/testutil"
	"github.com/labstack/echo/v4"
)

// soak is everything at once, for long: a client, an Echo app with the middleware,
// the SQLite queue, the Altinn client and the sink, all in this process and over
// sockets.
type soak struct {
	length time.Duration
	rate   int           // requests a second
	fault  time.Duration // how long the sink fails, at the end of
	every  time.Duration
	warmup time.Duration // what is measured in it has no say
	log    io.Writer     // of progress
}

const (
	progressEvery = 30 * time.Second
	// senders is how many requests of the client may be under way at once.
	senders = 64
	// keptEvents is how many events the sink keeps: few, so that it is full long
	// before the warm-up ends.
	keptEvents = 5000
	// drainWithin is how long after the last request everything has to be delivered.
	drainWithin = 5 * time.Minute
)

func soakCommand(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	s := soak{log: os.Stderr}
	flags.DurationVar(&s.length, "for", 30*time.Minute, "how long requests are made")
	flags.IntVar(&s.rate, "rate", 500, "requests a second, each an event")
	flags.DurationVar(&s.fault, "fault", 10*time.Second, "how long the sink fails")
	flags.DurationVar(&s.every, "every", time.Minute, "how often it does")
	flags.DurationVar(&s.warmup, "warmup", 0, "what is measured so early has no say (default a sixth of -for)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.warmup == 0 {
		s.warmup = s.length / 6
	}
	if s.rate < 1 || s.fault <= 0 || s.fault >= s.every || s.warmup <= 0 || s.warmup >= s.length {
		return errors.New("soak: want a -rate of 1 or more, a -fault shorter than -every, a -warmup shorter than -for")
	}
	verdict, err := s.run(ctx)
	if err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	return verdict.print(out)
}

// run soaks, and says what came of it.
func (s soak) run(ctx context.Context) (v verdict, err error) {
	r, err := s.start()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var watching sync.WaitGroup
	watching.Go(func() { r.failNowAndThen(ctx) })
	watching.Go(func() { r.watch(ctx) })
	r.request(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	took := time.Since(r.began)
	stop()
	watching.Wait()
	if err := errors.Join(r.watchError, r.drain()); err != nil {
		return nil, err
	}
	stats, err := r.queue.Stats(context.Background())
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(s.log, "%d requests in %v, %d failures of the sink\n", len(r.ledger.arrivals), took.Round(time.Second), r.faults.Load())
	pending := stats.Pending + stats.Sending
	v = r.ledger.judge(int(r.accepted.Load()), len(r.sink.Received())+r.sink.Dropped(), pending)
	v = append(v,
		criterion{"nothing given up", stats.Discarded == 0, fmt.Sprintf("%d discarded", stats.Discarded)},
		criterion{"queue drained", pending == 0, fmt.Sprintf("%d pending", pending)})
	return append(v, judgeVitals(r.vitals, s.warmup)...), nil
}

// soakRun is a soak that goes on.
type soakRun struct {
	soak

	sink   *testutil.Sink
	folder string
	db     *sql.DB
	queue  *sqlite.Queue
	pub    *publisher.Publisher
	app    *httptest.Server
	client *http.Client

	began      time.Time
	reply      atomic.Pointer[testutil.Reply] // what the sink answers at the moment
	faults     atomic.Int64
	sent       atomic.Int64
	accepted   atomic.Int64
	ledger     *ledger
	vitals     []vital
	watchError error
}

func (s soak) start() (*soakRun, error) {
	r := &soakRun{soak: s, ledger: newLedger(int(s.length.Seconds() * float64(s.rate)))}
	r.reply.Store(&testutil.Reply{})
	var err error
	if r.folder, err = os.MkdirTemp("", "soak"); err != nil {
		return nil, err
	}
	if r.sink, err = testutil.StartSink(testutil.SinkConfig{MaxEvents: keptEvents}); err != nil {
		return nil, errors.Join(err, r.close())
	}
	r.sink.Intercept(r.intercept)
	if r.db, err = sqlite.OpenDB(r.file()); err != nil {
		return nil, errors.Join(err, r.close())
	}
	// Kept for the default of 24 h, delivered events would be all that grows.
	r.queue, err = sqlite.New(r.db, sqlite.Config{KeepDelivered: s.warmup / 5})
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	client, err := altinn.NewClient(r.sink.URL(), altinn.Config{Credentials: r.sink.Credentials(), AllowHTTP: true})
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	r.pub, err = publisher.New(client, publisher.Config{
		Queue: r.queue, TryTimeout: s.fault, Retry: publisher.RetryPolicy{Base: s.fault / 10},
	})
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	r.app = httptest.NewServer(r.echo())
	r.client = &http.Client{Transport: tuned(senders), Timeout: time.Minute}
	r.began = time.Now()
	return r, nil
}

func (r *soakRun) file() string { return filepath.Join(r.folder, "app.db") }

// close ends what start has begun.
func (r *soakRun) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var errs []error
	if r.app != nil {
		r.client.CloseIdleConnections()
		r.app.Close()
	}
	if r.pub != nil {
		errs = append(errs, r.pub.Close(ctx))
	}
	if r.queue != nil {
		errs = append(errs, r.queue.Close(ctx))
	}
	if r.db != nil {
		errs = append(errs, r.db.Close())
	}
	if r.sink != nil {
		r.sink.Close()
	}
	return errors.Join(append(errs, os.RemoveAll(r.folder))...)
}

// lifeSteps is the life of an instance: a request and an event each.
var lifeSteps = []struct{ method, route, eventType string }{
	{http.MethodPost, "/instances", models.TypeInstanceCreated},
	{http.MethodPut, "/instances/:party/:guid/substatus", models.TypeSubstatusChanged},
	{http.MethodPut, "/instances/:party/:guid/process/next", models.TypeProcessCompleted},
}

const guidForm = "00000000-0000-4000-8000-%012d"

// echo is the app.
func (r *soakRun) echo() *echo.Echo {
	e := echo.New()
	e.Use(middleware.AppLifecycleWithConfig(middleware.AppLifecycleConfig{
		Publisher: r.pub, App: testApp, FailClosed: true, PublishTimeout: 10 * time.Second,
	}))
	app := e.Group("/ttd/apps-test")
	instance := func(guid string) models.Instance {
		return models.Instance{ID: "50019855/" + guid, InstanceOwner: testInstance.InstanceOwner}
	}
	app.POST(lifeSteps[0].route, func(c echo.Context) error {
		return c.JSON(http.StatusCreated, instance(c.QueryParam("guid")))
	})
	app.PUT(lifeSteps[1].route, func(c echo.Context) error {
		return c.JSON(http.StatusOK, instance(c.Param("guid")))
	})
	app.PUT(lifeSteps[2].route, func(c echo.Context) error {
		return c.JSON(http.StatusOK, models.ProcessState{EndEvent: "EndEvent_1"})
	})
	return e
}

// address is where the app takes a step of an instance.
func (r *soakRun) address(step, instance int) string {
	guid := fmt.Sprintf(guidForm, instance)
	base := r.app.URL + "/ttd/apps-test/instances"
	switch step {
	case 0:
		return base + "?guid=" + url.QueryEscape(guid)
	case 1:
		return base + "/50019855/" + guid + "/substatus"
	default:
		return base + "/50019855/" + guid + "/process/next"
	}
}

// request makes all requests at the rate, late rather than fewer. As many instances
// begin as there are requests in a second, and go through their steps a second
// apart; those of one instance are made by one sender, one after the other.
func (r *soakRun) request(ctx context.Context) {
	var (
		lines   [senders]chan int
		sending sync.WaitGroup
	)
	for i := range lines {
		lines[i] = make(chan int, 1024)
		sending.Go(func() {
			for n := range lines[i] {
				step, instance := r.ledger.place(n, r.rate)
				if err := r.post(ctx, step, instance); err == nil {
					r.accepted.Add(1)
				}
				r.sent.Add(1)
			}
		})
	}
	defer sending.Wait()
	defer func() {
		for _, line := range &lines {
			close(line)
		}
	}()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for n := 0; n < len(r.ledger.arrivals); {
		due := min(int(time.Since(r.began).Seconds()*float64(r.rate))+1, len(r.ledger.arrivals))
		for ; n < due; n++ {
			_, instance := r.ledger.place(n, r.rate)
			select {
			case lines[instance%senders] <- n:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (r *soakRun) post(ctx context.Context, step, instance int) error {
	req, err := http.NewRequestWithContext(ctx, lifeSteps[step].method, r.address(step, instance), http.NoBody)
	if err != nil {
		return err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("the app answered %d", resp.StatusCode)
	}
	return err
}

// failNowAndThen has the sink fail for some time of every period, each time in
// another way.
func (r *soakRun) failNowAndThen(ctx context.Context) {
	ways := []testutil.Reply{
		{Status: http.StatusServiceUnavailable},
		{Reset: true},
		{Status: http.StatusServiceUnavailable, RetryAfter: r.fault / 5},
		{Reset: true, Stored: true}, // only the answer is lost
		{Delay: r.fault / 10},
		{Status: http.StatusTooManyRequests},
		{Hang: true},
		{Truncate: true},
	}
	wait := func(d time.Duration) bool {
		select {
		case <-time.After(d):
			return true
		case <-ctx.Done():
			return false
		}
	}
	defer r.reply.Store(&testutil.Reply{})
	for n := 0; wait(r.every - r.fault); n++ {
		r.reply.Store(&ways[n%len(ways)])
		r.faults.Add(1)
		if !wait(r.fault) {
			return
		}
		r.reply.Store(&testutil.Reply{})
	}
}

// intercept fails requests to the sink, and notes those that it takes.
func (r *soakRun) intercept(request testutil.Request) testutil.Reply {
	reply := *r.reply.Load()
	if reply.Stored || reply.Status == 0 && !reply.Reset && !reply.Hang {
		r.ledger.arrive(request.Body)
	}
	return reply
}

// watch takes the process's vitals and tells how far it has come.
func (r *soakRun) watch(ctx context.Context) {
	ticker := time.NewTicker(max(r.length/360, 10*time.Millisecond))
	defer ticker.Stop()
	told := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		v, err := takeVitals(r.folder)
		if err != nil {
			r.watchError = err
			return
		}
		v.at = time.Since(r.began)
		r.vitals = append(r.vitals, v)
		if time.Since(told) < progressEvery {
			continue
		}
		told = time.Now()
		stats, err := r.queue.Stats(context.WithoutCancel(ctx))
		if err != nil {
			r.watchError = err
			return
		}
		fmt.Fprintf(r.log, "%6v  sent %d  delivered %d  pending %d  %v\n",
			v.at.Round(time.Second), r.sent.Load(), r.ledger.delivered(), stats.Pending+stats.Sending, v)
	}
}

// drain waits until the queue has nothing left.
func (r *soakRun) drain() error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(drainWithin); ; <-ticker.C {
		stats, err := r.queue.Stats(context.Background())
		if err != nil || stats.Pending+stats.Sending == 0 || time.Now().After(end) {
			return err
		}
	}
}

// criterion is something that a soak has to show.
type criterion struct {
	name string
	met  bool
	text string // what was found
}

type verdict []criterion

// print writes the table, and returns an error if a criterion is not met.
func (v verdict) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "criterion\tverdict\tfound")
	missed := 0
	for _, c := range v {
		word := "met"
		if !c.met {
			word = "MISSED"
			missed++
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.name, word, c.text)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if missed > 0 {
		return fmt.Errorf("soak: %d of %d criteria are missed", missed, len(v))
	}
	return nil
}
