package testutil

import (
	"crypto"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

const (
	// basePath is where the Events API stands below the platform's address.
	basePath = "/events/api/v1"

	defaultMaxEvents = 100_000
	maxBodyBytes     = 1 << 20
)

// SinkConfig configures a Sink. The zero value is the Events API as an app
// meets it.
type SinkConfig struct {
	// Auth says how tokens are checked: AuthDecode, AuthVerify or AuthOff. Defaults
	// to AuthDecode.
	Auth AuthMode

	// Addr is where URL and StartSink listen. On a loopback address requests are
	// refused whose Host header names another machine, so that no page elsewhere
	// reaches the sink through a browser. Defaults to "127.0.0.1:0", a free port.
	Addr string

	// MaxEvents is how many requests with an event are kept; beyond it the
	// oldest go first, see Sink.Dropped. Whatever it says, at most 256 MiB of
	// requests are kept. Defaults to 100,000.
	MaxEvents int

	// Unmask prints subjects in failures of the assertions as they are, and shows
	// everything but secrets on the inspector's page. Without it both are masked,
	// because test output ends up in build logs and pages on screens that others
	// see. Set it when all test data is synthetic.
	Unmask bool

	// Parties is the register: it turns persons and organisations into parties, for
	// queries and filters, and knows sub-units. Defaults to none.
	Parties []Party

	// Policy decides who may publish, read and subscribe to what. Defaults to
	// permitting everything.
	Policy []PolicyRule

	// Keys verify tokens with AuthVerify, besides the sink's own key. ParseKeys reads
	// them.
	Keys []crypto.PublicKey

	// BaseURL is what "next" links and validation events begin with. Defaults to the
	// sink's address if it listens, and else to "https://platform.altinn.no".
	BaseURL string

	// AppsDomain makes a source filter whose host ends with it that of an app.
	// Defaults to "apps.altinn.no".
	AppsDomain string

	// VisibilityLag hides the newest events from queries, as the service does for 30 s.
	// Defaults to 0: an accepted event is in the next query.
	VisibilityLag time.Duration

	// MatchCache is how long the sink goes on with what it found an event's
	// subscriptions to be, as the service does for an hour: new subscriptions get
	// nothing so long, deleted ones still do. Defaults to 0: not at all.
	MatchCache time.Duration

	// HTTPSOnly refuses webhooks by http, as the service does. Without it they may
	// be on a loopback address.
	HTTPSOnly bool

	// RemoteWebhooks lets the sink connect to webhooks on other machines. Without it
	// their deliveries are held back and recorded as such.
	RemoteWebhooks bool

	// WebhookTransport sends deliveries in place of the network, and must return when
	// its request's context ends. In a synctest bubble it has to be in process.
	WebhookTransport http.RoundTripper

	// RetryScale divides the waits between attempts to deliver, so that a day can
	// pass in minutes. Defaults to 1.
	RetryScale float64
}

func (c SinkConfig) withDefaults() SinkConfig {
	if c.Auth == "" {
		c.Auth = AuthDecode
	}
	if c.MaxEvents == 0 {
		c.MaxEvents = defaultMaxEvents
	}
	if c.Addr == "" {
		c.Addr = "127.0.0.1:0"
	}
	if c.AppsDomain == "" {
		c.AppsDomain = "apps.altinn.no"
	}
	if c.RetryScale == 0 {
		c.RetryScale = 1
	}
	return c
}

func (c SinkConfig) validate() error {
	var faults []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("testutil.SinkConfig: "+format, args...))
		}
	}
	add(!slices.Contains([]AuthMode{"", AuthDecode, AuthVerify, AuthOff}, c.Auth),
		"Auth is %q, want %q, %q or %q", c.Auth, AuthDecode, AuthVerify, AuthOff)
	add(c.MaxEvents < 0, "MaxEvents is %d, want 0 (100,000) or more", c.MaxEvents)
	add(c.VisibilityLag < 0, "VisibilityLag is %v, want 0 (none) or more", c.VisibilityLag)
	add(c.MatchCache < 0, "MatchCache is %v, want 0 (none) or more", c.MatchCache)
	add(c.RetryScale < 0 || math.IsNaN(c.RetryScale), "RetryScale is %v, want more than 0", c.RetryScale)
	base, err := url.Parse(c.BaseURL)
	add(err != nil || c.BaseURL != "" && (base.Host == "" || base.Scheme != "http" && base.Scheme != "https"),
		"BaseURL is %q, want an absolute URL", c.BaseURL)
	for i, key := range c.Keys {
		_, err := publicKey(key)
		add(err != nil, "Keys: key %d: %v", i, err)
	}
	for _, err := range []error{validatePolicy(c.Policy), validateParties(c.Parties)} {
		add(err != nil, "%w", err)
	}
	return errors.Join(faults...)
}

// Sink is the Altinn Events API in memory: it checks, answers and stores what is
// posted as the real one does, and tells the test about it. The package
// documentation lists what it emulates.
//
// It is reached in process, through Client or Transport, and over a loopback
// socket, through URL. All methods are safe for concurrent use.
type Sink struct {
	cfg    SinkConfig
	tb     testing.TB // nil for StartSink
	mux    *http.ServeMux
	store  store
	faults faults

	register      register
	policy        policy
	subscriptions subscriptions
	pushes        pushes

	signing func() (signer, error)
	tokens  tokenCache
	claims  claimsCache

	readTimeout time.Duration // of one request

	mu       sync.Mutex
	closed   bool
	closing  chan struct{} // ends delays and hanging answers
	ending   chan struct{} // ends what inspectors look at, before requests under way
	end      sync.Once     // closes ending
	listener net.Listener  // nil until URL is called
	server   *http.Server
	unused   unusedConns    // of server
	serving  sync.WaitGroup // exchanges under way and the server
}

// NewSink returns a Sink that is closed when the test ends.
//
// It opens no socket before URL is called. In a synctest bubble call NewSink
// inside the bubble and use Client, Transport or Publisher.
func NewSink(tb testing.TB) *Sink {
	tb.Helper()
	return NewSinkWithConfig(tb, SinkConfig{})
}

// NewSinkWithConfig is NewSink with a configuration. A bad one fails the test,
// with every fault named.
func NewSinkWithConfig(tb testing.TB, cfg SinkConfig) *Sink {
	tb.Helper()
	s, err := newSink(cfg)
	if err != nil {
		tb.Fatalf("new sink: %v", err)
	}
	s.tb = tb
	tb.Cleanup(s.Close)
	return s
}

// StartSink returns a Sink that listens on a free loopback port, for programs
// and for TestMain. Close it when done.
//
// The error names every fault of cfg, or says why there is no port.
func StartSink(cfg SinkConfig) (*Sink, error) {
	s, err := newSink(cfg)
	if err == nil {
		err = s.listen()
	}
	if err != nil {
		return nil, fmt.Errorf("start sink: %w", err)
	}
	return s, nil
}

func newSink(cfg SinkConfig) (*Sink, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Sink{
		cfg:     cfg,
		closing: make(chan struct{}),
		ending:  make(chan struct{}),

		readTimeout: time.Minute,

		signing: sync.OnceValues(newSigner),
		tokens:  tokenCache{kept: map[string]*oauth2.Token{}},
	}
	s.store.init(cfg.MaxEvents)
	s.register.set(cfg.Parties)
	s.policy.set(cfg.Policy)
	s.subscriptions.init()
	s.pushes.init(s)
	s.mux = s.routes()
	return s, nil
}

// routes is the table of operations.
func (s *Sink) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, op := range map[string]func(*exchange){
		"POST /app":                        s.postApp,
		"GET /app/{org}/{app}":             s.getApp,
		"GET /app/party":                   s.getAppParty,
		"POST /events":                     s.postEvents,
		"GET /events":                      s.getEvents,
		"POST /subscriptions":              s.postSubscriptions,
		"GET /subscriptions":               s.getSubscriptions,
		"GET /subscriptions/{id}":          s.getSubscription,
		"DELETE /subscriptions/{id}":       s.deleteSubscription,
		"PUT /subscriptions/validate/{id}": s.putValidate,
		"POST /tests/webhookreceiver":      s.postWebhookReceiver,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+basePath+path, operation(op))
	}
	mux.HandleFunc("GET /health", operation(func(x *exchange) {
		x.header.Set("Content-Type", "text/plain; charset=utf-8")
		x.status, x.answer = http.StatusOK, []byte("ok\n")
	}))
	for pattern, op := range map[string]func(*exchange){
		"GET /events":     s.controlEvents,
		"DELETE /events":  s.controlReset,
		"GET /wait":       s.controlWait,
		"GET /deliveries": s.controlDeliveries,
		"POST /faults":    s.controlInject,
		"DELETE /faults":  s.controlLift,
		"POST /tokens":    s.controlToken,
		"PUT /policy":     s.controlPolicy,
		"PUT /parties":    s.controlParties,

		"GET /requests":                      s.inspectRequests,
		"GET /requests/{number}":             s.inspectRequest,
		"DELETE /requests/{number}":          s.inspectForget,
		"POST /requests/{number}/forward":    s.inspectForward,
		"GET /subscriptions":                 s.inspectSubscriptions,
		"GET /subscriptions/{id}":            s.inspectSubscription,
		"POST /subscriptions/{id}/validate":  s.inspectValidate,
		"POST /subscriptions/{id}/redeliver": s.inspectRedeliver,
		"GET /faults":                        s.inspectFaults,
		"DELETE /faults/{id}":                s.inspectLift,
		"GET /samples":                       s.inspectSamples,
		"POST /samples":                      s.inspectSend,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+controlPath+path, control(op))
	}
	return mux
}

// baseURL is what the sink calls its own address.
func (s *Sink) baseURL() string {
	if s.cfg.BaseURL != "" {
		return strings.TrimSuffix(s.cfg.BaseURL, "/")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return "http://" + s.listener.Addr().String()
	}
	return "https://platform.altinn.no"
}

// Close ends the sink: requests under way break off, later ones are refused as
// by a host on which nothing listens. What was received stays readable. Closing
// twice does nothing.
func (s *Sink) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
		s.end.Do(func() { close(s.ending) })
		s.pushes.cancel()
		if s.server != nil {
			_ = s.server.Close()
		}
	}
	s.mu.Unlock()
	s.serving.Wait()
	s.pushes.close()
}

// begin counts an exchange in; it reports false once the sink is closed.
func (s *Sink) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.serving.Add(1)
	return true
}
