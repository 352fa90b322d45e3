package testutil

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"
)

const (
	pushTimeout      = 45 * time.Second
	maxPushesAtOnce  = 8       // to one endpoint
	maxPushesWaiting = 100_000 // of all endpoints
	maxPushAnswer    = 64 << 10

	typeValidation = "platform.events.validatesubscription"
)

// What passes before each further attempt; after the last the service gives up.
//
// Source: Altinn/altinn-events, RetryBackoffService.cs and, of validations,
// appsettings.json (2026-08).
var (
	pushSchedule = []time.Duration{
		10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 12 * time.Hour, 12 * time.Hour,
	}
	validationSchedule = []time.Duration{
		time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 2 * time.Minute, 2 * time.Minute,
	}
)

// push sends the event of a request to everyone who subscribes to it. It does not
// wait.
func (s *Sink) push(ev event.Event, request int) {
	var body []byte
	matching := s.match(ev)
	for i := range matching {
		sub := &matching[i]
		if body == nil {
			body = encodeCloudEvent(ev)
		}
		s.pushes.start(&pushing{
			number: s.pushes.number(), request: request, subscription: sub.ID, endpoint: sub.EndPoint, event: ev, body: body,
			schedule: pushSchedule,
		})
	}
}

// sendValidation sends the event that a webhook has to answer before it gets any
// other.
func (s *Sink) sendValidation(sub Subscription) {
	ev := event.New()
	ev.SetID(uuid.NewString())
	ev.SetSource(s.baseURL() + basePath + "/subscriptions/" + strconv.Itoa(sub.ID))
	ev.SetType(typeValidation)
	s.pushes.start(&pushing{
		number: s.pushes.number(), subscription: sub.ID, endpoint: sub.EndPoint, event: ev, body: encodeCloudEvent(ev),
		schedule: validationSchedule, validation: true,
	})
}

// Revalidate sends the validation event to a subscription's webhook again. The
// error says that there is no such subscription.
func (s *Sink) Revalidate(subscription int) error {
	sub, ok := s.subscriptions.get(subscription)
	if !ok {
		return fmt.Errorf("revalidate: no subscription %d", subscription)
	}
	s.sendValidation(sub)
	return nil
}

// Redeliver pushes the newest stored event with an id to a subscription, whether it
// matches or not, with a schedule of its own. The error says what of them is not
// there.
func (s *Sink) Redeliver(subscription int, eventID string) error {
	sub, ok := s.subscriptions.get(subscription)
	if !ok {
		return fmt.Errorf("redeliver: no subscription %d", subscription)
	}
	entries := s.store.withID(eventID)
	if len(entries) == 0 {
		return fmt.Errorf("redeliver: no event %q", eventID)
	}
	s.redeliver(sub, entries[len(entries)-1])
	return nil
}

func (s *Sink) redeliver(sub Subscription, e *entry) {
	s.pushes.start(&pushing{
		number: s.pushes.number(), request: e.number, subscription: sub.ID, endpoint: sub.EndPoint, event: e.Event,
		body: encodeCloudEvent(e.Event), schedule: pushSchedule,
	})
}

// pushing is an event on its way to a webhook.
type pushing struct {
	number       int // of all pushes
	request      int // number of the one that the event came by, or 0
	subscription int
	endpoint     string
	event        event.Event
	body         []byte
	schedule     []time.Duration
	validation   bool
	attempts     int // made
}

// pushes are all events on their way. Attempts of one endpoint wait for each other
// beyond maxPushesAtOnce, so that a slow one holds up nobody else.
type pushes struct {
	sink   *Sink
	client *http.Client
	ctx    context.Context //nolint:containedctx // ends with the sink
	cancel context.CancelFunc
	record deliveries
	begun  atomic.Int64 // how many were

	mu      sync.Mutex
	closed  bool
	lanes   map[string]*lane
	timers  map[*pushing]*time.Timer
	waiting int // in lanes and timers
	working sync.WaitGroup
}

// number returns the number of another push.
func (p *pushes) number() int { return int(p.begun.Add(1)) }

// lane holds the attempts of one endpoint.
type lane struct {
	active int
	queue  []*pushing
}

func (p *pushes) init(s *Sink) {
	p.sink = s
	p.client = &http.Client{Transport: webhookTransport(s.cfg)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.lanes, p.timers = map[string]*lane{}, map[*pushing]*time.Timer{}
	p.record.init()
}

// close breaks off what is under way and forgets what waits.
func (p *pushes) close() {
	p.cancel()
	p.mu.Lock()
	p.closed = true
	for _, timer := range p.timers {
		timer.Stop()
	}
	clear(p.timers)
	p.mu.Unlock()
	p.working.Wait()
	p.client.CloseIdleConnections()
}

// start makes the next attempt of d as soon as its lane has room.
func (p *pushes) start(d *pushing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	if p.timers[d] != nil {
		delete(p.timers, d)
		p.waiting--
	}
	if p.waiting == maxPushesWaiting {
		p.record.add(d, d.delivery(), fmt.Sprintf("dropped: %d deliveries wait already", maxPushesWaiting))
		return
	}
	l := p.lanes[d.endpoint]
	if l == nil {
		l = &lane{}
		p.lanes[d.endpoint] = l
	}
	if l.active == maxPushesAtOnce {
		l.queue = append(l.queue, d)
		p.waiting++
		return
	}
	l.active++
	p.working.Go(func() { p.work(l, d) })
}

// work makes attempts of a lane until none waits.
func (p *pushes) work(l *lane, d *pushing) {
	for d != nil {
		again := p.attempt(d)
		p.mu.Lock()
		if again >= 0 && !p.closed {
			retry := d
			p.waiting++
			p.timers[d] = time.AfterFunc(again, func() { p.start(retry) })
		}
		endpoint := d.endpoint
		if d = nil; len(l.queue) > 0 && !p.closed {
			d, l.queue = l.queue[0], l.queue[1:]
			p.waiting--
		} else if l.active--; l.active == 0 {
			delete(p.lanes, endpoint)
		}
		p.mu.Unlock()
	}
}

// attempt pushes d once, and returns how long to wait before the next time, or -1
// for never.
func (p *pushes) attempt(d *pushing) (again time.Duration) {
	d.attempts++
	record := d.delivery()
	record.At = time.Now()
	status, err := p.send(d)
	if p.ctx.Err() != nil {
		return -1 // the sink is gone, and with it the record
	}
	record.Took = time.Since(record.At)
	record.Status, record.HeldBack = status, errors.Is(err, errHeldBack)
	again = -1
	switch {
	case err == nil && status >= 200 && status < 300:
		if d.validation {
			p.sink.subscriptions.validate(d.subscription)
		}
	case d.attempts <= len(d.schedule) && !record.HeldBack:
		again = time.Duration(float64(d.schedule[d.attempts-1]) / p.sink.cfg.RetryScale)
		record.NextAttempt = time.Now().Add(again)
	}
	var text string
	if err != nil {
		text = sendError(err)
	}
	p.record.add(d, record, text)
	return again
}

// delivery is the record of d's latest attempt, without its outcome.
func (d *pushing) delivery() Delivery {
	return Delivery{
		Subscription: d.subscription, Endpoint: d.endpoint, Event: d.event, Attempt: d.attempts, Validation: d.validation,
	}
}

// send posts d, unless a fault is set, and returns the status of the answer.
func (p *pushes) send(d *pushing) (status int, err error) {
	ctx, cancel := context.WithTimeoutCause(p.ctx, pushTimeout, fmt.Errorf("no answer within %v", pushTimeout))
	defer cancel()
	header := http.Header{"Content-Type": {contentJSON}}
	reply := p.sink.faults.ask(Request{Method: http.MethodPost, Endpoint: endpointDeliveries, Header: header, Body: d.body})
	if !p.sink.pause(ctx, reply.Delay) {
		return 0, context.Cause(ctx)
	}
	if reply.Stored || !reply.instead() {
		status, err = p.post(ctx, d, header)
	}
	switch {
	case reply.Hang:
		<-ctx.Done()
		return 0, context.Cause(ctx)
	case reply.Reset:
		return 0, netError("read", "read", syscall.ECONNRESET)
	case reply.Status != 0:
		return reply.Status, nil
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return status, err
}

func (p *pushes) post(ctx context.Context, d *pushing, header http.Header) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.endpoint, bytes.NewReader(d.body))
	if err != nil {
		return 0, err
	}
	if isSlack(req.URL) {
		envelope, err := json.Marshal(map[string]string{"text": string(d.body)})
		if err != nil {
			return 0, err
		}
		if req, err = http.NewRequestWithContext(ctx, http.MethodPost, d.endpoint, bytes.NewReader(envelope)); err != nil {
			return 0, err
		}
	}
	req.Header = header.Clone()
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxPushAnswer)) // so that the connection is used again
	return resp.StatusCode, nil
}

// isSlack reports whether a webhook wants the event as the text of a message.
func isSlack(u *url.URL) bool { return strings.EqualFold(u.Hostname(), "hooks.slack.com") }

// sendError is what a record says of an error. It leaves out the URL, whose secret
// is in Endpoint already.
func sendError(err error) string {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return err.Error()
}
