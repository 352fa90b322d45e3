package altinn

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

// operation is one call of the API, prepared when the client is made: what does
// not change from request to request is built once.
type operation struct {
	// name begins the errors of the operation: "POST /app".
	name string
	// request has everything but context, tokens and body.
	request *http.Request
	// header is what every request sends.
	header http.Header
	// whole says that a success has to be read to its end.
	whole bool
	// authorized is header with the tokens of the last request.
	authorized atomic.Pointer[authorizedHeader]
}

// authorizedHeader is a complete header. It is shared, so nobody writes to it.
type authorizedHeader struct {
	bearer, platform string
	header           http.Header
}

func (op *operation) init(method string, base *url.URL, endpoint string, header http.Header) {
	u := base.JoinPath(endpoint)
	op.name = method + " " + endpoint
	op.header = header
	op.request = &http.Request{
		Method: method, URL: u, Host: u.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// headerWith returns the operation's header with the tokens added, the same map
// as before if the tokens are the same, or the name of a token that is malformed.
func (op *operation) headerWith(t tokens) (h http.Header, malformed string) {
	bearer, platform := accessToken(t.bearer), accessToken(t.platform)
	if a := op.authorized.Load(); a != nil && a.bearer == bearer && a.platform == platform {
		return a.header, ""
	}
	if !validSecret(bearer) {
		return nil, bearerToken
	}
	if !validSecret(platform) {
		return nil, platformToken
	}
	h = maps.Clone(op.header)
	if bearer != "" {
		h.Set("Authorization", "Bearer "+bearer)
	}
	if platform != "" {
		h.Set("PlatformAccessToken", platform)
	}
	op.authorized.Store(&authorizedHeader{bearer: bearer, platform: platform, header: h})
	return h, ""
}

// payload is the part of a request that no other request shares. The bytes are
// never used again: the transport may still read them after an early reply.
type payload struct {
	request http.Request
	url     url.URL
	reader  bytes.Reader
	bytes   []byte
}

// newRequest returns a request with a copy of the URL, because transports that
// rewrite it are common.
func (op *operation) newRequest(ctx context.Context, header http.Header, body []byte) *http.Request {
	p := &payload{request: *op.request.WithContext(ctx), url: *op.request.URL, bytes: body}
	p.reader.Reset(body)
	r := &p.request
	r.URL = &p.url
	r.Header = header
	// net/http sends head and body in one write only if it knows the body's type,
	// and this is one that it knows.
	r.Body = io.NopCloser(&p.reader)
	r.ContentLength = int64(len(body))
	r.GetBody = p.again
	if len(body) == 0 {
		r.Body = http.NoBody
	}
	return r
}

func (p *payload) again() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(p.bytes)), nil
}

// validSecret reports whether s has only visible characters of ASCII: all that
// tokens and keys are made of, and nothing that could end a header.
func validSecret(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
