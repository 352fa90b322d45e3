package credentials

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

const (
	fetchTimeout = 10 * time.Second // of one attempt to get a token
	minPause     = time.Second      // after a failed attempt, doubling
	maxPause     = 30 * time.Second
	leeway       = 5 * time.Second // before a token expires, in which it may expire on its way

	// A token is renewed when a tenth of its life is left, within these bounds, and
	// earlier by up to half of that, so that processes do not ask all at once.
	minAhead = 5 * time.Second
	maxAhead = 5 * time.Minute
)

// cache keeps one token and renews it. Reading it allocates nothing.
//
// One attempt to renew is under way at a time, on a goroutine that ends within
// fetchTimeout; callers wait for it only if the token that is there is about to
// expire, and go on with that one when the attempt fails.
type cache struct {
	fetch func(context.Context) (*oauth2.Token, error)

	kept atomic.Pointer[keptToken]

	mu       sync.Mutex
	call     *fetchCall // under way, or nil
	failures int        // in a row
	notUntil time.Time  // for the next attempt
	lastErr  error
}

// keptToken is a token and until when it serves how. It does not change.
type keptToken struct {
	token *oauth2.Token
	renew time.Time // from then on in the background
	await time.Time // from then on before anything is sent
}

// fetchCall is an attempt. Its results are there once done is closed.
type fetchCall struct {
	done  chan struct{}
	token *oauth2.Token
	err   error
}

// token returns the token, renewed if need be, or why there is none.
func (c *cache) token(ctx context.Context) (*oauth2.Token, error) {
	kept, now := c.kept.Load(), time.Now()
	if kept != nil && now.Before(kept.renew) {
		return kept.token, nil
	}
	call := c.join(ctx, now)
	if kept != nil && now.Before(kept.await) {
		return kept.token, nil
	}
	select {
	case <-call.done:
	case <-ctx.Done():
		call = &fetchCall{err: ctx.Err()}
	}
	if call.err != nil && kept != nil && time.Now().Before(kept.token.Expiry) {
		return kept.token, nil
	}
	return call.token, call.err
}

// join returns the attempt that is under way, begun if there is none. While none may
// begin it is the last one that failed.
func (c *cache) join(ctx context.Context, now time.Time) *fetchCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.call != nil {
		return c.call
	}
	if kept := c.kept.Load(); kept != nil && now.Before(kept.renew) { // renewed meanwhile
		return &fetchCall{done: closed, token: kept.token}
	}
	if now.Before(c.notUntil) {
		return &fetchCall{done: closed, err: c.lastErr}
	}
	c.call = &fetchCall{done: make(chan struct{}), err: errNoReturn}
	go c.run(context.WithoutCancel(ctx), c.call)
	return c.call
}

// closed is the channel of calls that are over.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// run makes an attempt. It is nobody's own: others wait for it too, so it does not
// end with the context of who began it.
func (c *cache) run(ctx context.Context, call *fetchCall) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	defer func() {
		if panicked := recover(); panicked != nil {
			call.err = fmt.Errorf("the source of tokens panicked: %T", panicked)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.call = nil
		c.settle(call)
		close(call.done)
	}()
	call.token, call.err = c.fetch(ctx)
}

// settle keeps the result of an attempt.
func (c *cache) settle(call *fetchCall) {
	now := time.Now()
	if call.err == nil {
		c.failures, c.notUntil, c.lastErr = 0, time.Time{}, nil
		c.kept.Store(keep(call.token, now))
		return
	}
	pause := min(minPause<<min(c.failures, 10), maxPause)
	pause = pause/2 + rand.N(pause/2+1) //nolint:gosec // spreads, hides nothing
	if e, ok := errors.AsType[*Error](call.err); ok {
		pause = max(pause, min(e.RetryAfter, maxPause))
	}
	c.failures++
	c.notUntil, c.lastErr = now.Add(pause), call.err
}

func keep(token *oauth2.Token, now time.Time) *keptToken {
	life := token.Expiry.Sub(now)
	ahead := min(max(life/10, minAhead), maxAhead, life/2)
	return &keptToken{
		token: token,
		renew: token.Expiry.Add(-ahead - rand.N(ahead/2+1)), //nolint:gosec // as above
		await: token.Expiry.Add(-min(leeway, life/4)),
	}
}

// invalidate forgets token, if it is the one that is kept.
func (c *cache) invalidate(token *oauth2.Token) {
	if kept := c.kept.Load(); kept != nil && token != nil && kept.token.AccessToken == token.AccessToken {
		c.kept.CompareAndSwap(kept, nil)
	}
}
