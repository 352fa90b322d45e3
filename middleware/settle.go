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
		x, kept := w.take()
		w.mu.Unlock()
		if err := x.publish(); err != nil {
			w.replace(err)
			return err
		}
		w.answered = true
		return w.send(kept)
	case w.mode == holding:
		w.mode = settling // what a goroutine of the handler still flushes is no success
		if w.status < http.StatusBadRequest {
			break
		}
		// The handler has answered its failure itself.
		_, kept := w.take()
		w.mu.Unlock()
		_ = w.release(kept)
		return err
	case w.mode == settling && err == nil:
		// Publishing panicked inside the handler, which has recovered.
		err = errEnded
	case w.mode == passing && err == nil:
		x, kept := w.take()
		w.mu.Unlock()
		_ = x.publish() // too late to change the answer
		recycle(kept.body)
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
	w.own().accepting = accepting
	x, kept := w.take()
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.own().accepting = nil
		close(accepting)
	}()
	if err := x.publish(); err != nil {
		w.replace(err)
		return err
	}
	return w.release(kept)
}

// answer is what was kept of an answer.
type answer struct {
	status int         // 0 if the handler was silent
	header http.Header // as the handler wrote them, nil if they are still the same
	body   *[]byte     // nil if nothing was kept; recycle takes it
}

// take returns what there is to say by now, nil if nothing, and the answer as far
// as it was kept. Nothing is kept from here on, and what was held is being settled.
// mu is held.
func (w *writer) take() (x *exchange, kept answer) {
	if w.mode == holding {
		w.mode = settling
	}
	kept = answer{int(w.status), w.sent, w.body}
	w.body, w.capture = nil, false

	status := kept.status
	if status == 0 {
		status = http.StatusOK // what net/http answers for a handler that is silent
	}
	speaks := w.rule != nil && !w.published && w.rule.succeeded(status)
	emits := len(w.emitted) > 0 && (status == hijacked || 200 <= status && status < 400)
	if !speaks && !emits {
		return nil, kept
	}
	x = &exchange{life: w.life, c: w.c, header: w.inner.Header(), whole: !w.cut}
	if kept.header != nil {
		x.header = kept.header
	}
	if kept.body != nil {
		x.body = *kept.body
	}
	if speaks {
		x.rule, w.published = w.rule, true
	}
	if emits {
		x.emitted, w.own().emitted = w.emitted, nil
	}
	return x, kept
}

// release sends what was kept. What follows passes.
func (w *writer) release(kept answer) error {
	w.mu.Lock()
	over := w.mode == ended
	if !over {
		w.mode = passing
	}
	w.mu.Unlock()
	if over {
		return errEnded
	}
	return w.send(kept)
}

// send sends what was kept.
func (w *writer) send(kept answer) error {
	if kept.status != 0 {
		w.sendHeader(kept.status, kept.header)
	}
	if kept.body == nil {
		return nil
	}
	_, err := w.inner.Write(*kept.body)
	recycle(kept.body)
	return err
}

// sendHeader sends the headers as the handler wrote them.
func (w *writer) sendHeader(status int, header http.Header) {
	if header == nil {
		w.inner.WriteHeader(status)
		return
	}
	h := w.inner.Header()
	now := maps.Clone(h)
	setHeader(h, header)
	w.inner.WriteHeader(status)
	setHeader(h, now)
}

// What replaces an answer whose events were not accepted.
const (
	replacedStatus = http.StatusInternalServerError
	replacedBody   = `{"type":"about:blank","title":"Internal Server Error","status":500,` +
		`"detail":"The request was carried out, but its event could not be published."}` + "\n"
)

// replace answers with problem details in place of the handler, because of err.
func (w *writer) replace(err error) {
	w.mu.Lock()
	over, c := w.mode == ended, w.c
	w.mode, w.own().replaced = ended, err
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
	h.Set(echo.HeaderContentLength, strconv.Itoa(len(replacedBody)))
	w.inner.WriteHeader(replacedStatus)
	_, _ = w.inner.Write([]byte(replacedBody))

	res := c.Response()
	res.Committed, res.Status, res.Size = true, replacedStatus, int64(len(replacedBody))
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
	switch {
	case w.mode == holding, w.mode == settling:
		if w.status != 0 {
			setHeader(w.inner.Header(), w.before)
		}
		w.c.SetResponse(res)
		res.Committed, res.Status, res.Size = false, http.StatusOK, 0
	case w.replaced != nil:
		res.Committed, res.Status, res.Size = true, replacedStatus, int64(len(replacedBody))
	}
	res.Writer = w.inner
	w.mode, w.body, w.c, w.rare = ended, nil, nil, &nothingRare
}
