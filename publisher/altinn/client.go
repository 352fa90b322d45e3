package altinn

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/credentials"
)

// Config is how a Client reaches the Events API. The zero value is usable against
// a service that asks for no tokens.
type Config struct {
	// Credentials are what a request proves who we are with.
	Credentials Credentials

	// Transport carries the requests. Wrap it to trace, record or fake them.
	// Redirects and timeouts are the client's and the context's, so no http.Client
	// is involved. Whoever keeps a request beyond the closing of its answer's body
	// clones it: the header and URL are used again. Until then they may be written to,
	// although http.RoundTripper forbids it. An http.Transport should keep as
	// many idle connections per host (MaxIdleConnsPerHost, 2 unless set) as the queue
	// has workers.
	//
	// Defaults to a transport of the client's own, which keeps up to 256 idle
	// connections, speaks HTTP/2 where the service does, obeys the proxy variables
	// of the environment and refuses reply headers above 64 KiB.
	Transport http.RoundTripper

	// DropUnsupported lets an app event pass that has data, a data schema or
	// extensions that POST /app ignores: they are left out. Without it such an
	// event is a *models.ValidationError.
	DropUnsupported bool

	// CheckDigits refuses subjects whose identity number or organisation
	// number fails its check digits, with a *models.ValidationError. Off by
	// default, as in Altinn.
	CheckDigits bool

	// AllowHTTP lets events and tokens travel unencrypted to any host, such as a
	// container's name in a local network. Loopback hosts ("localhost",
	// 127.0.0.0/8, "[::1]") need no permission.
	AllowHTTP bool
}

// Credentials are the secrets that go into a request's headers. Each is optional:
// without it, its header is not sent. They print as REDACTED.
//
// A token source may also implement AppTokenSource and Invalidator. It is asked
// before every request, so it should cache: oauth2.ReuseTokenSource does. An
// AppTokenSource is asked from many goroutines at once and minds the context
// itself; any other is asked as credentials.Bounded describes, so that it cannot
// hold up a call beyond its context.
type Credentials struct {
	// PlatformAccessToken proves which app is calling; its token goes into the
	// header PlatformAccessToken. POST /app requires it; POST /events takes it in
	// place of the scope "altinn:events.publish".
	PlatformAccessToken oauth2.TokenSource

	// Bearer proves on whose behalf; its token goes into the header Authorization,
	// with the scheme Bearer. Both endpoints require it.
	Bearer oauth2.TokenSource

	// SubscriptionKey is the API gateway's key, for the header
	// Ocp-Apim-Subscription-Key.
	SubscriptionKey string
}

const redacted = "REDACTED"

// Format prints REDACTED, whatever the verb.
func (Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns REDACTED.
func (Credentials) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns REDACTED.
func (Credentials) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Client posts events to the Altinn Events API. It is a publisher.Sender, and
// safe for concurrent use.
type Client struct {
	transport   http.RoundTripper
	credentials Credentials
	bearer      AppTokenSource // those of credentials, bounded; nil where there is none
	platform    AppTokenSource
	encoder     publisher.Encoder
	base        string
	url         *url.URL // base, parsed

	// shareEnvelopes tells that transport never writes to a request's header or URL, so
	// that calls with the same tokens may share them.
	shareEnvelopes bool

	app, events operation
}

var _ publisher.Sender = (*Client)(nil)

// CheckDeferred reports why events cannot be sent after the request that caused them,
// which publisher.New asks if there is a queue: a source of tokens has said so with
// a method of this name.
func (c *Client) CheckDeferred() error {
	var faults []error
	for _, source := range []oauth2.TokenSource{c.credentials.Bearer, c.credentials.PlatformAccessToken} {
		if s, ok := source.(interface{ CheckDeferred() error }); ok {
			faults = append(faults, s.CheckDeferred())
		}
	}
	return errors.Join(faults...)
}

// NewClient returns a client of the platform at platformURL.
//
// platformURL is "https://platform.altinn.no", "https://platform.tt02.altinn.no"
// or whatever else stands before "/events/api/v1"; with that path it is accepted
// too, and so is a trailing slash. The error names every fault of the URL and cfg.
func NewClient(platformURL string, cfg Config) (*Client, error) {
	base, err := parsePlatformURL(platformURL, cfg.AllowHTTP)
	if err = errors.Join(err, cfg.validate()); err != nil {
		return nil, fmt.Errorf("altinn client: %w", err)
	}
	if cfg.Transport == nil {
		cfg.Transport = newTransport()
	}
	_, shareEnvelopes := cfg.Transport.(*http.Transport)
	c := &Client{
		transport:      cfg.Transport,
		credentials:    cfg.Credentials,
		bearer:         bounded(cfg.Credentials.Bearer),
		platform:       bounded(cfg.Credentials.PlatformAccessToken),
		encoder:        publisher.Encoder{DropUnsupported: cfg.DropUnsupported, CheckDigits: cfg.CheckDigits},
		base:           base.String(),
		url:            base,
		shareEnvelopes: shareEnvelopes,
	}
	c.app.init(http.MethodPost, base, publisher.EndpointApp, c.header("application/json"))
	c.events.init(http.MethodPost, base, publisher.EndpointEvents, c.header("application/cloudevents+json"))
	// /events takes an event once, so the transport may repeat a request whose
	// reused connection broke before an answer. The empty value says so to
	// net/http and is not sent.
	c.events.header["X-Idempotency-Key"] = []string{}
	return c, nil
}

// bounded returns source as one that minds its caller's context.
func bounded(source oauth2.TokenSource) AppTokenSource {
	if source == nil {
		return nil
	}
	return credentials.Bounded(source).(AppTokenSource) //nolint:forcetypeassert // Bounded promises it
}

func (c Config) validate() error {
	if !validSecret(c.Credentials.SubscriptionKey) {
		return errors.New("the subscription key has white space or characters other than ASCII")
	}
	return nil
}

// header is what every request with a body of contentType sends, but for tokens.
func (c *Client) header(contentType string) http.Header {
	h := http.Header{
		"Content-Type": {contentType},
		"User-Agent":   {"altinn-go-events"},
	}
	if key := c.credentials.SubscriptionKey; key != "" {
		h.Set("Ocp-Apim-Subscription-Key", key)
	}
	return h
}

// Encoder returns how events for this client are encoded. The publisher reads it.
func (c *Client) Encoder() publisher.Encoder { return c.encoder }

// CloseIdleConnections closes connections that no call is using, if the transport
// can, as http.Client.CloseIdleConnections does. The client stays usable.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Format prints the client's address, whatever the verb.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "altinn.Client(%s)", c.base) }
