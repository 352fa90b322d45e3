package altinn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
)

const (
	// replyBytes is how long most replies are at most: an id, or what is wrong.
	replyBytes = 1 << 10
	// maxReplyBytes is how much is read of a reply that matters little.
	maxReplyBytes = 64 << 10
	// maxPageBytes bounds a reply that matters whole.
	maxPageBytes = 64 << 20
)

// replyBuffers holds what replies are read into: *[replyBytes]byte.
var replyBuffers = sync.Pool{New: func() any { return new([replyBytes]byte) }}

// Send posts item once; on a 401 that another token may cure, twice. A nil error
// means that the service has queued the event, even if the reply broke off after
// its status. It does not change item.Body.
//
// The error wraps publisher.ErrRejected, ErrUnauthorized or ErrUnavailable, and
// is a *ResponseError if the service answered.
func (c *Client) Send(ctx context.Context, item outbox.Item) error {
	return c.post(ctx, &item, nil)
}

// Post is Send, and returns the id that the service gave the event: the UUID that
// POST /app answers, with or without JSON quotes. It is empty where the service
// tells none, as POST /events, which keeps the event's own id.
func (c *Client) Post(ctx context.Context, item outbox.Item) (id string, err error) {
	err = c.post(ctx, &item, func(reply []byte) { id = parseID(reply) })
	return id, err
}

func (c *Client) post(ctx context.Context, item *outbox.Item, accept func(reply []byte)) error {
	switch item.Endpoint {
	case publisher.EndpointApp:
		return c.do(ctx, &c.app, item.Source, item.Body, accept)
	case publisher.EndpointEvents:
		return c.do(ctx, &c.events, "", item.Body, accept)
	default:
		return fmt.Errorf("%w: there is no endpoint %q", publisher.ErrRejected, item.Endpoint)
	}
}

// do performs op about the app of source, if it has one, and hands the reply of a
// success to accept, if it is not nil. accept does not keep the bytes.
func (c *Client) do(ctx context.Context, op *operation, source string, body []byte, accept func(reply []byte)) error {
	used, err := c.tokens(ctx, op, source)
	if err != nil {
		return err
	}
	if err = c.try(ctx, op, used, body, accept); err == nil {
		return nil
	}
	refused, ok := errors.AsType[*ResponseError](err)
	if !ok || !refused.curable() {
		return err
	}
	c.invalidate(used)
	fresh, tokenErr := c.tokens(ctx, op, source)
	if tokenErr != nil {
		return tokenErr
	}
	if fresh.equal(used) {
		return err
	}
	return c.try(ctx, op, fresh, body, accept)
}

// try is one request and its reply.
func (c *Client) try(ctx context.Context, op *operation, t tokens, body []byte, accept func(reply []byte)) error {
	authorized, malformed := op.envelopeWith(t)
	if malformed != "" {
		return c.tokenError(ctx, op, malformed, errMalformedToken)
	}
	e := &authorized.envelope
	if !c.shareEnvelopes {
		e = op.borrow(authorized)
	}
	resp, err := c.transport.RoundTrip(op.newRequest(ctx, e, body))
	if err == nil && resp == nil {
		err = errors.New("the transport returned no response")
	}
	if err != nil {
		return c.networkError(ctx, op, t, err)
	}
	if op.whole && resp.StatusCode/100 == 2 {
		return c.readWhole(ctx, op, t, resp, accept)
	}
	var reply []byte
	if resp.Body != nil && resp.Body != http.NoBody {
		buf := replyBuffers.Get().(*[replyBytes]byte)
		defer replyBuffers.Put(buf)
		reply = readReply(resp.Body, buf[:])
	}
	if !c.shareEnvelopes {
		op.giveBack(e)
	}
	if resp.StatusCode >= 300 || resp.StatusCode < 200 {
		return newResponseError(op, resp, reply, c.scrubber(t))
	}
	if accept != nil {
		accept(reply)
	}
	return nil
}

// readWhole hands all of a reply to accept. One that breaks off is no answer.
func (c *Client) readWhole(ctx context.Context, op *operation, t tokens, resp *http.Response, accept func(reply []byte)) error {
	defer resp.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(resp.Body, maxPageBytes+1))
	if err == nil && len(reply) > maxPageBytes {
		err = fmt.Errorf("the answer is longer than %d bytes; ask for smaller pages", maxPageBytes)
	}
	if err != nil {
		return c.networkError(ctx, op, t, err)
	}
	accept(reply)
	return nil
}

// readReply reads a reply up to maxReplyBytes and closes it. What fits into buf is read
// into it. Reading on to its end is what lets the connection be used again. A reply that
// breaks off counts as what came of it: the status has been said.
func readReply(body io.ReadCloser, buf []byte) []byte {
	defer body.Close()
	n, err := io.ReadFull(body, buf)
	if err != nil {
		return buf[:n]
	}
	rest, _ := io.ReadAll(io.LimitReader(body, maxReplyBytes-int64(n)))
	return append(slices.Clip(buf), rest...)
}

// parseID reads the answer to POST /app: an id, as a JSON string or bare. What
// cannot be an id gives none.
func parseID(reply []byte) string {
	text := strings.TrimSpace(string(reply))
	var id string
	if json.Unmarshal([]byte(text), &id) != nil {
		id = text
	}
	if len(id) > 256 || !validSecret(id) || strings.ContainsAny(id, `"<{[`) {
		return ""
	}
	return id
}
