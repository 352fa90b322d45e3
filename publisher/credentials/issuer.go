package credentials

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxIssuerAnswer is more than any token.
const maxIssuerAnswer = 64 << 10

var errBrokenAnswer = errors.New("the answer broke off")

// issuer is somebody who gives tokens over HTTP.
type issuer struct {
	name      string
	transport http.RoundTripper
}

// defaultTransport is that of issuers that are given none: a token every few minutes
// needs no connections kept.
var defaultTransport http.RoundTripper = &http.Transport{
	Proxy:                 http.ProxyFromEnvironment,
	DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
	TLSHandshakeTimeout:   5 * time.Second,
	ResponseHeaderTimeout: fetchTimeout,
	ForceAttemptHTTP2:     true,
	DisableKeepAlives:     true,
}

// do sends a request and returns the body of a 200, and how far the issuer's clock is
// ahead of ours as far as its header Date tells.
func (i issuer) do(r *http.Request) (body []byte, ahead time.Duration, err error) {
	began := time.Now()
	resp, err := i.transport.RoundTrip(r)
	if err != nil {
		return nil, 0, &Error{Issuer: i.name, Err: withoutURL(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	ahead = clockAhead(resp.Header, began, time.Now())
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxIssuerAnswer))
	if err != nil {
		return nil, ahead, &Error{Issuer: i.name, Status: 0, Err: errBrokenAnswer}
	}
	if resp.StatusCode == http.StatusOK {
		return body, ahead, nil
	}
	var oauth struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(body, &oauth) // other answers have no code
	return nil, ahead, &Error{
		Issuer: i.name, Status: resp.StatusCode, Code: oauthCode(oauth.Error), RetryAfter: retryAfter(resp.Header),
	}
}

// oauthCode is the code, if it is one: letters and underscores.
func oauthCode(text string) string {
	if len(text) > 50 || strings.Trim(text, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return text
}

func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 3600)) * time.Second
}

// clockAhead compares the header Date, of whole seconds, with our clock.
func clockAhead(header http.Header, began, ended time.Time) time.Duration {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return 0
	}
	switch {
	case date.After(ended):
		return date.Sub(ended)
	case date.Add(time.Second).Before(began):
		return date.Add(time.Second).Sub(began)
	default:
		return 0
	}
}

// withoutURL leaves out a URL, whose query may hold a secret.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// parseIssuerURL returns an issuer's URL, which is https unless it is on loopback.
func parseIssuerURL(field, raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("%s is no URL of the form https://host", field)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("%s would send secrets unencrypted; want https", field)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%s has a user, query or fragment", field)
	}
	return u, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
