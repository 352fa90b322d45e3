package altinn

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/oauth2"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
)

// maxLineBytes bounds what the text of an error takes over from others.
const maxLineBytes = 1 << 10

// callError is a call that got no answer.
type callError struct {
	// text is safe to show; the text of cause may not be.
	text string
	// class is ErrUnauthorized or ErrUnavailable.
	class error
	// cause is for errors.Is and errors.As; it may be nil.
	cause error
}

func (e *callError) Error() string   { return e.text }
func (e *callError) Unwrap() []error { return []error{e.class, e.cause} }

// networkError is a request that was not answered.
func (c *Client) networkError(ctx context.Context, op *operation, t tokens, err error) error {
	return &callError{
		text:  op.name + ": " + c.scrubber(t).line(publicText(err)),
		class: publisher.ErrUnavailable,
		cause: withContext(ctx, err),
	}
}

// tokenError is a request that was not made, because what gave no token.
func (c *Client) tokenError(ctx context.Context, op *operation, what string, err error) error {
	e := &callError{
		text:  op.name + ": " + what + ": " + c.scrubber(tokens{}).line(publicText(err)),
		class: tokenErrorClass(err),
		cause: withContext(ctx, err),
	}
	if errors.Is(err, publisher.ErrRejected) {
		e.cause = nil // about the token's request; the event has not been refused
	}
	return e
}

// withContext makes err also be the context's error if ctx has ended: a transport
// may report the context's cause instead.
func withContext(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("%w: %w", ended, err)
	}
	return err
}

// publicText is the text of err without what may hold secrets: the URL of a
// request and the reply of a token endpoint.
func publicText(err error) string {
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok && e.ErrorCode == "" && e.Response != nil {
		return "the token endpoint answered " + e.Response.Status
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// scrubber removes from what others wrote the secrets of a request, and identity
// numbers.
type scrubber []string

func (c *Client) scrubber(t tokens) scrubber {
	return scrubber{accessToken(t.bearer), accessToken(t.platform), c.credentials.SubscriptionKey}
}

// text returns at most limit bytes of text, in valid UTF-8.
func (s scrubber) text(text string, limit int) string {
	return redact(s.hide(text), limit)
}

// line returns what text begins with on one line of at most maxLineBytes.
func (s scrubber) line(text string) string {
	words := strings.FieldsFunc(head(s.hide(text), 8*maxLineBytes), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	})
	return redact(strings.Join(words, " "), maxLineBytes)
}

// hide replaces the secrets, and what is not UTF-8: left out, it could make two
// halves of an identity number one.
func (s scrubber) hide(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	for _, secret := range s {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	return text
}

// redact returns the first limit bytes of text without identity numbers. It looks
// beyond the limit, so that half a number is recognised too.
func redact(text string, limit int) string {
	return head(models.Redact(head(text, 2*limit)), limit)
}

// head returns the first n bytes of text, without half a character.
func head(text string, n int) string {
	return strings.ToValidUTF8(text[:min(len(text), n)], "")
}
