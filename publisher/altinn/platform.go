package altinn

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// apiPath is where the platform serves the Events API.
const apiPath = "/events/api/v1"

// parsePlatformURL returns the address of the Events API on the platform at raw.
// The error names every fault, but no part of raw that could be a secret.
func parsePlatformURL(raw string, allowHTTP bool) (*url.URL, error) {
	if raw == "" {
		return nil, errors.New("the platform URL is empty, want one like https://platform.tt02.altinn.no")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("the platform URL cannot be parsed") // the cause quotes parts of it
	}
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("the platform URL "+format, args...))
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		fault("is not of the form https://host")
	case u.Hostname() == "":
		fault("has no host")
	case u.Scheme == "http" && !allowHTTP && !isLoopback(u.Hostname()):
		fault("sends tokens unencrypted to %s: use https, or set AllowHTTP", u.Hostname())
	}
	if u.User != nil {
		fault("has a user or password; they belong to Credentials")
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		fault("has a query or fragment")
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	prefix := strings.TrimSuffix(strings.TrimRight(u.Path, "/"), apiPath)
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: prefix + "/"}).JoinPath(apiPath), nil
}

func isLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

// newTransport returns the transport of clients that are given none.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
		MaxIdleConnsPerHost:   256,
		// Below the 60 s after which common load balancers hang up, because a
		// request on a connection that has just been closed is lost.
		IdleConnTimeout:        50 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		// An event and two signed tokens may exceed the default of 4 KiB, and should
		// leave in one write all the same.
		WriteBufferSize:   16 << 10,
		ForceAttemptHTTP2: true,
		// Without pings a dead HTTP/2 connection is used until the kernel notices.
		HTTP2:              &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
		DisableCompression: true,
	}
}
