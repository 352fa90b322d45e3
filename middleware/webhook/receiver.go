package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"github.com/altinn-go/events/models"
)

// maxBodyBytes is as much as Altinn Events takes itself.
const maxBodyBytes = 1 << 20

// Config configures a Receiver. Secrets is required; every other field has a
// default.
type Config struct {
	// Secrets are those of which the endpoint's URL has to have one. Two serve while
	// one is replaced by the other. At least 16 characters each.
	Secrets []string

	// SecretParameter is the name of the query parameter that has the secret.
	// Defaults to "code".
	SecretParameter string

	// AllowedSources are the addresses that may send; EgressProduction and EgressTT02
	// are Altinn's. Empty means any.
	AllowedSources []netip.Prefix

	// TrustedProxies are those whose header X-Forwarded-For is believed. Empty means
	// none: the address is that of the connection.
	TrustedProxies []netip.Prefix

	// Inbox remembers what was done. Defaults to NewMemoryInbox(100_000).
	Inbox Inbox

	// Concurrency bounds the events that are handled at once. Defaults to 64.
	Concurrency int

	// Timeout bounds one event from its arrival, waiting included. Defaults to 30 s.
	Timeout time.Duration

	// HoldBack is how long an event waits for older ones of its instance before it is
	// handled, for those that arrive out of order. Defaults to 0.
	HoldBack time.Duration

	// RejectUnknown answers 400 to types without a handler, as the .NET library does.
	RejectUnknown bool

	// DeadLetter gets events whose handler returned Permanent, before they are answered
	// 200. Its error is answered 500, and the event comes again. Nil: they are logged.
	DeadLetter func(ctx context.Context, r Received, err error) error

	// Observe is told of every request's end. Nil: nobody.
	Observe func(ctx context.Context, o Observation)

	// Logger gets a line for every event that was not done, without subject and data. Of
	// refused requests and of events that nobody handles 10 lines a second are written;
	// the next has the key suppressed, how many were not.
	// Nil is silent.
	Logger *slog.Logger
}

// EgressProduction is the address from which Altinn pushes in production.
//
// Source: Altinn/altinn-studio-docs, events/subscribe-to-events (2026-08).
func EgressProduction() netip.Prefix { return netip.MustParsePrefix("20.100.46.139/32") }

// EgressTT02 is the address from which Altinn pushes in TT02.
func EgressTT02() netip.Prefix { return netip.MustParsePrefix("20.100.24.41/32") }

func (c Config) withDefaults() Config {
	if c.SecretParameter == "" {
		c.SecretParameter = "code"
	}
	if c.Inbox == nil {
		c.Inbox = NewMemoryInbox(defaultInboxSize)
	}
	if c.Concurrency == 0 {
		c.Concurrency = 64
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Observe == nil {
		c.Observe = func(context.Context, Observation) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

const minSecret = 16

func (c Config) validate() error {
	var faults []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("webhook.Config: "+format, args...))
		}
	}
	add(len(c.Secrets) == 0, "Secrets is empty; Altinn Events proves who it is by nothing else")
	for i, secret := range c.Secrets {
		add(len(secret) < minSecret, "secret %d has %d characters, want %d or more", i, len(secret), minSecret)
	}
	add(c.Concurrency < 0, "Concurrency is %d, want 1 or more", c.Concurrency)
	add(c.Timeout < 0, "Timeout is %v, want a positive duration", c.Timeout)
	timeout := c.withDefaults().Timeout
	add(c.HoldBack < 0 || c.HoldBack >= timeout, "HoldBack is %v, want less than the Timeout of %v", c.HoldBack, timeout)
	return errors.Join(faults...)
}

// Receiver is the endpoint that a subscription names: an http.Handler for its POST
// requests. Its methods are safe for concurrent use.
type Receiver struct {
	cfg      Config
	secrets  secrets
	handlers handlers
	lanes    lanes
	slots    chan struct{}

	strangers  *rate.Limiter // of the lines about them
	suppressed atomic.Int64  // lines since the last one

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// New returns a Receiver. The error names every fault of cfg.
func New(cfg Config) (*Receiver, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &Receiver{
		cfg:     cfg,
		secrets: newSecrets(cfg.Secrets),
		lanes:   newLanes(cfg.HoldBack),
		slots:   make(chan struct{}, cfg.Concurrency),

		strangers: rate.NewLimiter(strangersLines, strangersLines),
	}, nil
}

// Echo returns the receiver as a handler of Echo.
func (rc *Receiver) Echo() echo.HandlerFunc { return echo.WrapHandler(rc) }

// Close answers 503 from now on, so that Altinn Events sends later, and waits until
// the events under way are done or ctx ends, whose error it returns then.
func (rc *Receiver) Close(ctx context.Context) error {
	rc.mu.Lock()
	rc.closed = true
	rc.mu.Unlock()
	done := make(chan struct{})
	go func() {
		rc.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("webhook: close: %w", ctx.Err())
	}
}

// begin counts a request in; it reports false once the receiver is closed.
func (rc *Receiver) begin() bool {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	if rc.closed {
		return false
	}
	rc.running.Add(1)
	return true
}

// ServeHTTP receives one event.
func (rc *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	if !rc.begin() {
		w.Header().Set("Retry-After", "10")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer rc.running.Done()
	ctx, cancel := context.WithTimeoutCause(r.Context(), rc.cfg.Timeout, errTimeout)
	defer cancel()

	o := rc.receive(ctx, w, r)
	o.Took = time.Since(began)
	rc.log(ctx, o)
	rc.cfg.Observe(ctx, o)
	w.WriteHeader(o.Status)
}

var errTimeout = errors.New("not done within webhook.Config.Timeout")

// receive decides about a request and has its event handled.
func (rc *Receiver) receive(ctx context.Context, w http.ResponseWriter, r *http.Request) Observation {
	refused := func(status int, err error) Observation { return Observation{Kind: Refused, Status: status, Err: err} }
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refused(http.StatusMethodNotAllowed, errors.New("the method is not POST"))
	}
	if !rc.allowedSource(r) {
		return refused(http.StatusForbidden, errors.New("the source address is not allowed"))
	}
	if !rc.secrets.match(r.URL.Query().Get(rc.cfg.SecretParameter)) {
		return refused(http.StatusUnauthorized, errors.New("the secret is wrong or missing"))
	}
	// A body that trickles in has no more time than the rest; a server that cannot
	// bound it has a ReadTimeout.
	body := http.NewResponseController(w)
	deadline, _ := ctx.Deadline()
	_ = body.SetReadDeadline(deadline)
	ev, status, err := decode(w, r)
	_ = body.SetReadDeadline(time.Time{})
	if err != nil {
		return refused(status, err)
	}
	o := Observation{Status: http.StatusOK, ID: ev.ID(), Source: ev.Source(), Type: ev.Type()}
	if equalType(ev.Type(), models.TypeValidateSubscription) {
		o.Kind = Validated
		return o
	}
	h := rc.handlers.find(ev.Type())
	if h == nil {
		o.Kind = Unknown
		if rc.cfg.RejectUnknown {
			o.Status = http.StatusBadRequest
		}
		return o
	}
	turn, err := rc.lanes.enter(ctx, laneOf(ev), ev.Time())
	if err == nil {
		defer turn.leave()
		err = rc.slot(ctx)
	}
	if err != nil {
		o.Kind, o.Status, o.Err = Failed, http.StatusServiceUnavailable, fmt.Errorf("waiting for its turn: %w", err)
		return o
	}
	defer func() { <-rc.slots }()
	o.OutOfOrder = turn.outOfOrder
	o.Kind, o.Err = rc.once(ctx, h, newReceived(ev, r.Header))
	o.Status = o.Kind.status()
	if o.Kind == Handled || o.Kind == DeadLettered {
		turn.handled()
	}
	return o
}

// slot waits until one more event may be handled.
func (rc *Receiver) slot(ctx context.Context) error {
	select {
	case rc.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// once handles an event unless it was done before.
func (rc *Receiver) once(ctx context.Context, h HandlerFunc, r Received) (Kind, error) {
	kind := Duplicate
	var cause error
	err := rc.cfg.Inbox.Once(ctx, r.Event.ID(), r.Event.Source(), func(ctx context.Context) error {
		kind = Handled
		cause = call(ctx, h, r)
		if permanent, ok := errors.AsType[*permanentError](cause); ok {
			kind, cause = DeadLettered, permanent.err
			if rc.cfg.DeadLetter != nil {
				if err := rc.cfg.DeadLetter(ctx, r, permanent.err); err != nil {
					cause = fmt.Errorf("dead letter: %w", err)
					return cause
				}
			}
			return nil
		}
		return cause
	})
	switch {
	case err == nil:
		return kind, cause
	case errors.Is(err, ErrNotYet):
		return NotYet, err
	default:
		return Failed, err
	}
}

// call calls a handler and turns a panic into an error, which names its type and not
// its value.
func call(ctx context.Context, h HandlerFunc, r Received) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("the handler panicked: %T", panicked)
		}
	}()
	return h(ctx, r)
}

// laneOf is the key of events that are handled one after the other.
func laneOf(ev event.Event) string {
	if instance, _ := ev.Extensions()[models.ExtResourceInstance].(string); instance != "" {
		resource, _ := ev.Extensions()[models.ExtResource].(string)
		return resource + " " + instance
	}
	return ev.Source()
}
