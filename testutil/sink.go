package testutil

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"

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
	// Auth says how tokens are checked: AuthDecode or AuthOff. Defaults to
	// AuthDecode.
	Auth AuthMode

	// MaxEvents is how many requests with an event are kept; beyond it the
	// oldest go first, see Sink.Dropped. Whatever it says, at most 256 MiB of
	// requests are kept. Defaults to 100,000.
	MaxEvents int

	// Unmask prints subjects in failures of the assertions as they are. Without
	// it they are masked, because test output ends up in build logs. Set it when
	// all test data is synthetic.
	Unmask bool

	// Parties is the register: it turns persons and organisations into parties, for
	// queries and filters, and knows sub-units. Defaults to none.
	Parties []Party

	// Policy decides who may publish, read and subscribe to what. Defaults to
	// permitting everything.
	Policy []PolicyRule
}

func (c SinkConfig) withDefaults() SinkConfig {
	if c.Auth == "" {
		c.Auth = AuthDecode
	}
	if c.MaxEvents == 0 {
		c.MaxEvents = defaultMaxEvents
	}
	return c
}

func (c SinkConfig) validate() error {
	var faults []error
	switch c.Auth {
	case "", AuthDecode, AuthOff:
	default:
		faults = append(faults, fmt.Errorf("testutil.SinkConfig: Auth is %q, want %q or %q", c.Auth, AuthDecode, AuthOff))
	}
	if c.MaxEvents < 0 {
		faults = append(faults, fmt.Errorf("testutil.SinkConfig: MaxEvents is %d, want 0 (100,000) or more", c.MaxEvents))
	}
	if err := validatePolicy(c.Policy); err != nil {
		faults = append(faults, fmt.Errorf("testutil.SinkConfig: %w", err))
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

	register register
	policy   policy

	signing func() (signer, error)
	tokens  tokenCache

	mu       sync.Mutex
	closed   bool
	closing  chan struct{} // ends delays and hanging answers
	listener net.Listener  // nil until URL is called
	server   *http.Server
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
		signing: sync.OnceValues(newSigner),
		tokens:  tokenCache{kept: map[string]*oauth2.Token{}},
	}
	s.store.init(cfg.MaxEvents)
	s.register.set(cfg.Parties)
	s.policy.set(cfg.Policy)
	s.mux = s.routes()
	return s, nil
}

// routes is the table of operations. What the service has and the sink has not
// is answered 501, so that nobody takes it for a mistyped URL.
func (s *Sink) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+basePath+"/app", operation(s.postApp))
	mux.HandleFunc("POST "+basePath+"/events", operation(s.postEvents))
	for _, pattern := range []string{
		"GET " + basePath + "/app/party",
		"GET " + basePath + "/app/{org}/{app}",
		"GET " + basePath + "/events",
		basePath + "/subscriptions",
		basePath + "/subscriptions/",
		"POST " + basePath + "/tests/webhookreceiver",
	} {
		mux.HandleFunc(pattern, operation(notEmulated))
	}
	return mux
}

// Close ends the sink: requests under way break off, later ones are refused as
// by a host on which nothing listens. What was received stays readable. Closing
// twice does nothing.
func (s *Sink) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
		if s.server != nil {
			_ = s.server.Close()
		}
	}
	s.mu.Unlock()
	s.serving.Wait()
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
