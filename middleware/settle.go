package middleware

import (
	"maps"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
)

// settle ends the request after its handler has returned err: the events of a
// success are published and the answer is released, or replaced.
func (w *writer) settle(err error) error {
	w.mu.Lock()
	w.await()
	switch {
	case w.replaced != nil:
		err = w.replaced
	case w.mode == holding && err == nil:
		x, body := w.take()
		status := int(w.status)
		w.mu.Unlock()
		if err := x.publish(); err != nil {
			w.replace(err)
			return err
		}
		w.answered = true
		return w.send(status, body)
	case w.mode == holding:
		w.mode = settling // what a goroutine of the handler still flushes is no success
		if w.status < http.StatusBadRequest {
			break
		}
		// The handler has answered its failure itself.
		_, body := w.take()
		w.mu.Unlock()
		_ = w.release(body)
		return err
	case w.mode == settling && err == nil:
		// Publishing panicked inside the handler, which has recovered.
		err = errEnded
	case w.mode == passing && err == nil:
		x, body := w.take()
		w.mu.Unlock()
		_ = x.publish() // too late to change the answer
		recycle(body)
		return nil
	}
	w.mu.Unlock()
	return err
}

// await waits until no goroutine of the handler, by a flush or a long write, is
// having the events accepted. mu is held.
func (w *writer) await() {
	for w.accepting != nil {
		accepting := w.accepting
		w.mu.Unlock()
		<-accepting
		w.mu.Lock()
	}
}

// acceptHeld has the events published that are known by now, then releases what is
// held, if it still is. If they are not accepted and that is not to pass, it replaces
// the answer and returns why.
func (w *writer) acceptHeld() error {
	w.mu.Lock()
	if w.mode != holding {
		w.mu.Unlock()
		return errEnded
	}
	accepting := make(chan struct{})
	w.accepting = accepting
	x, body := w.take()
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.accepting = nil
		close(accepting)
	}()
	if err := x.publish(); err != nil {
		w.replace(err)
		return err
	}
	return w.release(body)
}

// take returns what there is to say by now, nil if nothing, and the bytes that
// are kept, which are the caller's to recycle. Nothing is kept from here on, and
// what was held is being settled. mu is held.
func (w *writer) take() (x *exchange, body *[]byte) {
	if w.mode == holding {
		w.mode = settling
	}
	body, w.body, w.capture = w.body, nil, false

	status := int(w.status)
	if status == 0 {
		status = http.StatusOK // what net/http answers for a handler that is silent
	}
	speaks := w.rule != nil && !w.published && w.rule.succeeded(status)
	emits := len(w.emitted) > 0 && (status == hijacked || 200 <= status && status < 400)
	if !speaks && !emits {
		return nil, body
	}
	x = &exchange{life: w.life, c: w.c, header: w.inner.Header(), whole: !w.cut}
	if w.sent != nil {
		x.header = w.sent
	}
	if body != nil {
		x.body = *body
	}
	if speaks {
		x.rule, w.published = w.rule, true
	}
	if emits {
		x.emitted, w.emitted = w.emitted, nil
	}
	return x, body
}

// release sends what was kept. What follows passes.
func (w *writer) release(body *[]byte) error {
	w.mu.Lock()
	over, status := w.mode == ended, int(w.status)
	if !over {
		w.mode = passing
	}
	w.mu.Unlock()
	if over {
		return errEnded
	}
	return w.send(status, body)
}

// send sends a status, if there is one, and a body.
func (w *writer) send(status int, body *[]byte) error {
	if status != 0 {
		w.sendHeader(status)
	}
	if body == nil {
		return nil
	}
	_, err := w.inner.Write(*body)
	recycle(body)
	return err
}

// sendHeader sends the headers as the handler wrote them.
func (w *writer) sendHeader(status int) {
	if w.sent == nil {
		w.inner.WriteHeader(status)
		return
	}
	h := w.inner.Header()
	now := maps.Clone(h)
	setHeader(h, w.sent)
	w.inner.WriteHeader(status)
	setHeader(h, now)
}

// replace answers with problem details in place of the handler, because of err.
func (w *writer) replace(err error) {
	const (
		status = http.StatusInternalServerError
		body   = `{"type":"about:blank","title":"Internal Server Error","status":500,` +
			`"detail":"The request was carried out, but its event could not be published."}` + "\n"
	)
	w.mu.Lock()
	over, c := w.mode == ended, w.c
	w.mode, w.replaced = ended, err
	w.mu.Unlock()
	if over {
		return
	}

	h := w.inner.Header()
	setHeader(h, w.before)
	// Emit may have found these already set.
	for _, name := range []string{echo.HeaderContentEncoding, "Etag", echo.HeaderLastModified} {
		h.Del(name)
	}
	h.Set(echo.HeaderContentType, "application/problem+json")
	h.Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
	w.inner.WriteHeader(status)
	_, _ = w.inner.Write([]byte(body))

	res := c.Response()
	res.Committed, res.Status, res.Size = true, status, int64(len(body))
}

// end takes the writer out of res, which it was put into. An answer that is still
// held is that of a handler that failed or panicked: it is dropped, and Echo's error
// handler answers, through res again: echo.WrapMiddleware leaves another in the context.
func (w *writer) end(res *echo.Response) {
	if w.answered {
		res.Writer = w.inner
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.await()
	if w.mode == holding || w.mode == settling {
		if w.status != 0 {
			setHeader(w.inner.Header(), w.before)
		}
		w.c.SetResponse(res)
		res.Committed, res.Status, res.Size = false, http.StatusOK, 0
	}
	res.Writer = w.inner
	w.mode, w.body, w.c, w.emitted = ended, nil, nil, nil
}
