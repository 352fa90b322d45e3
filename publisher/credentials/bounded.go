package credentials

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/oauth2"
)

// appTokenSource is altinn.AppTokenSource.
type appTokenSource interface {
	TokenFor(ctx context.Context, org, app string) (*oauth2.Token, error)
}

// invalidator is altinn.Invalidator.
type invalidator interface{ Invalidate(token *oauth2.Token) }

// Bounded returns source as one that returns when the caller's context ends, an
// altinn.AppTokenSource. User and altinn.NewClient do it with the sources that they
// are given. A source that has TokenFor is returned as it is, and so is nil.
//
// Token is called on a goroutine of its own, once at a time: whoever needs a token
// meanwhile waits for the same call. A source that hangs keeps that one goroutine,
// and gives no tokens, until its Token returns, since nothing can stop it; so give
// its HTTP client a timeout. A panic in Token is the waiting callers'.
//
// Invalidate passes a token on if it is the last that source returned, right before
// the next call of Token. A call that began before does not count as an answer.
//
// A call costs three allocations more than source's own. The result prints as
// REDACTED.
func Bounded(source oauth2.TokenSource) oauth2.TokenSource {
	if _, ok := source.(appTokenSource); ok || source == nil {
		return source
	}
	return &bounded{source: source}
}

type bounded struct {
	hidden

	source oauth2.TokenSource

	mu sync.Mutex
	// call is under way; it may be nil.
	call *tokenCall
	// last is what source returned last, refused what it is still to be told.
	last, refused *oauth2.Token
}

// tokenCall is a call of a source's Token. Its results are there once done is closed.
type tokenCall struct {
	done     chan struct{}
	token    *oauth2.Token
	err      error
	panicked any

	// refused is the token that source is told of first; it may be nil.
	refused *oauth2.Token
	// stale is set when a token was refused after the call began. It is guarded by
	// the mutex of bounded.
	stale bool
}

// errNoReturn is the result of a call that neither returned nor panicked.
var errNoReturn = errors.New("the token source ended its goroutine")

// TokenFor returns source's token, or the context's error once ctx has ended.
func (b *bounded) TokenFor(ctx context.Context, _, _ string) (*oauth2.Token, error) {
	for {
		call, stale := b.join()
		select {
		case <-call.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the token source: %w", ctx.Err())
		}
		if stale {
			continue
		}
		if call.panicked != nil {
			panic(call.panicked)
		}
		return call.token, call.err
	}
}

// Token returns source's token, however long that takes.
func (b *bounded) Token() (*oauth2.Token, error) { return b.TokenFor(context.Background(), "", "") }

// Invalidate remembers token for the next call.
func (b *bounded) Invalidate(token *oauth2.Token) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last == nil || token == nil || b.last.AccessToken != token.AccessToken {
		return
	}
	b.refused = token
	if b.call != nil {
		b.call.stale = true
	}
}

// join returns the call that is under way, begun if there is none, and whether its
// token may be one that was refused since.
func (b *bounded) join() (call *tokenCall, stale bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.call == nil {
		b.call = &tokenCall{done: make(chan struct{}), err: errNoReturn, refused: b.refused}
		b.refused = nil
		go b.run(b.call)
	}
	return b.call, b.call.stale
}

func (b *bounded) run(call *tokenCall) {
	defer func() {
		call.panicked = recover()
		b.mu.Lock()
		defer b.mu.Unlock()
		if call.err == nil {
			b.last = call.token
		}
		b.call = nil
		close(call.done)
	}()
	if source, ok := b.source.(invalidator); ok && call.refused != nil {
		source.Invalidate(call.refused)
	}
	call.token, call.err = b.source.Token()
}
