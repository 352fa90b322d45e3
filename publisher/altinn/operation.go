package altinn

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// operation is one call of the API, prepared when the client is made: what does
// not change from request to request is built once.
type operation struct {
	// name begins the errors of the operation: "POST /app".
	name string
	// request has everything but context, URL, header and body.
	request *http.Request
	// url is where every request goes.
	url *url.URL
	// header is what every request sends.
	header http.Header
	// whole says that a success has to be read to its end.
	whole bool
	// last is the envelope of the last request.
	last atomic.Pointer[authorized]
	// copies are *envelope, for transports that may write to theirs. A new one is a
	// twelfth of what a publish costs above the transport; to see that nobody has
	// written to one, a third of that.
	copies sync.Pool
}

// envelope is what one request may have after another: where it goes and what it says.
type envelope struct {
	url    url.URL
	header http.Header
	of     *authorized // what it is a copy of
}

// authorized is an envelope with tokens.
type authorized struct {
	bearer, platform string
	// envelope is shared, so nobody writes to it.
	envelope envelope
	// fields are those of its header, because to range over a map costs as
	// much as to look all of it up.
	fields []field
}

type field struct {
	name   string
	values []string
}

func (op *operation) init(method string, base *url.URL, endpoint string, header http.Header) {
	op.name = method + " " + endpoint
	op.url = base.JoinPath(endpoint)
	op.header = header
	op.request = &http.Request{
		Method: method, Host: op.url.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// envelopeWith returns the operation's envelope with the tokens added, the same as before
// if the tokens are the same, or the name of a token that is malformed.
func (op *operation) envelopeWith(t tokens) (a *authorized, malformed string) {
	bearer, platform := accessToken(t.bearer), accessToken(t.platform)
	if a := op.last.Load(); a != nil && a.bearer == bearer && a.platform == platform {
		return a, ""
	}
	if !validSecret(bearer) {
		return nil, bearerToken
	}
	if !validSecret(platform) {
		return nil, platformToken
	}
	h := maps.Clone(op.header)
	if bearer != "" {
		h.Set("Authorization", "Bearer "+bearer)
	}
	if platform != "" {
		h.Set("PlatformAccessToken", platform)
	}
	a = &authorized{bearer: bearer, platform: platform, envelope: envelope{url: *op.url, header: h}}
	for name, values := range h {
		a.fields = append(a.fields, field{name, values})
	}
	op.last.Store(a)
	return a, ""
}

// borrow returns a copy of the envelope that no other request has.
func (op *operation) borrow(a *authorized) *envelope {
	if e, ok := op.copies.Get().(*envelope); ok && e.of == a {
		return e
	}
	return &envelope{a.envelope.url, a.envelope.header.Clone(), a}
}

// giveBack takes a copy whose request is over, which is when the body of the answer
// has been closed. One that was written to is not used again.
func (op *operation) giveBack(e *envelope) {
	if e.url != e.of.envelope.url || len(e.header) != len(e.of.fields) {
		return
	}
	for _, f := range e.of.fields {
		if values, ok := e.header[f.name]; !ok || !slices.Equal(values, f.values) {
			return
		}
	}
	op.copies.Put(e)
}

// payload is the part of a request that no other request shares. The bytes are
// never used again: the transport may still read them after an early reply.
type payload struct {
	request http.Request
	reader  bytes.Reader
}

// newRequest returns a request in that envelope.
func (op *operation) newRequest(ctx context.Context, e *envelope, body []byte) *http.Request {
	p := new(payload) // not filled at once, which would fill another and copy it
	p.request = *op.request.WithContext(ctx)
	r := &p.request
	r.URL, r.Header = &e.url, e.header
	if len(body) == 0 {
		r.Body = http.NoBody
		return r
	}
	p.reader.Reset(body)
	// net/http sends head and body in one write only if it knows the body's type,
	// and this is one that it knows.
	r.Body = io.NopCloser(&p.reader)
	r.ContentLength = int64(len(body))
	r.GetBody = p.again
	return r
}

// again returns the body from its beginning, however far it has been read.
func (p *payload) again() (io.ReadCloser, error) {
	body := make([]byte, p.reader.Size())
	_, err := p.reader.ReadAt(body, 0)
	return io.NopCloser(bytes.NewReader(body)), err
}

// validSecret reports whether s has only visible characters of ASCII: all that
// tokens and keys are made of, and nothing that could end a header.
func validSecret(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
