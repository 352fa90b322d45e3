package testutil

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"
)

// errHeldBack is why nothing was sent to a webhook elsewhere.
var errHeldBack = errors.New("held back: the sink delivers to loopback addresses only, unless SinkConfig.RemoteWebhooks (-remote-webhooks) is set")

// webhookTransport sends deliveries. A local tool must not reach into somebody's
// network, so without cfg.RemoteWebhooks it connects to loopback addresses only,
// wherever a redirect or a name's address points; and never by a proxy.
func webhookTransport(cfg SinkConfig) http.RoundTripper {
	if cfg.WebhookTransport != nil {
		return cfg.WebhookTransport
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	transport := &http.Transport{
		DialContext:         dialer.DialContext,
		MaxIdleConnsPerHost: maxPushesAtOnce,
		IdleConnTimeout:     time.Minute,
		TLSHandshakeTimeout: 10 * time.Second,
	}
	if cfg.RemoteWebhooks {
		return transport
	}
	dialer.Control = dialLoopback
	return loopbackOnly{transport}
}

// dialLoopback refuses to connect to an address that is not this machine's.
func dialLoopback(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("webhook address: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return errHeldBack
	}
	return nil
}

// loopbackOnly refuses names of other machines without asking for their addresses.
type loopbackOnly struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t loopbackOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if !isLoopback(r.URL.Hostname()) {
		return nil, errHeldBack
	}
	return t.Transport.RoundTrip(r)
}
