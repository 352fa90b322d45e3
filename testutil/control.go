package testutil

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// controlPath is where the sink itself is asked and told, by tests in any language.
const controlPath = "/_sink"

const defaultWait = 10 * time.Second

const foreignOrigin = "A page of another origin may not do this."

// crossOrigin refuses writes that a page elsewhere makes a browser send.
var crossOrigin = http.NewCrossOriginProtection()

// control makes a handler of the sink's own mux of a control operation.
func control(op func(*exchange)) http.HandlerFunc {
	return operation(func(x *exchange) {
		keepPrivate(x.header)
		switch {
		case crossOrigin.Check(x.request) != nil:
			x.problem(http.StatusForbidden, foreignOrigin)
		case len(x.body) > maxBodyBytes:
			x.problem(http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is longer than %d bytes.", maxBodyBytes))
		default:
			op(x)
		}
	})
}

// controlEvent is an accepted request as the control API shows it.
type controlEvent struct {
	Event      json.RawMessage `json:"event"`
	ReceivedAt time.Time       `json:"receivedAt"`
	Endpoint   string          `json:"endpoint"`
	Duplicate  bool            `json:"duplicate,omitempty"`
	Request    controlRequest  `json:"request"`
}

type controlRequest struct {
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
	BodyBase64 string            `json:"bodyBase64,omitempty"` // of a body that is no UTF-8
}

func newControlEvent(e *entry) controlEvent {
	headers := make(map[string]string, len(e.Header))
	for name, values := range e.Header {
		headers[name] = withoutSignatures(strings.Join(values, ", "))
	}
	c := controlEvent{
		Event: encodeCloudEvent(e.Event), ReceivedAt: e.ReceivedAt.UTC(), Endpoint: e.Endpoint, Duplicate: e.Duplicate,
		Request: controlRequest{Headers: headers, Body: string(e.Body)},
	}
	if !utf8.Valid(e.Body) {
		c.Request.BodyBase64 = base64.StdEncoding.EncodeToString(e.Body)
	}
	return c
}

// withoutSignatures makes the tokens in a header unfit for use elsewhere. What they
// say stays.
func withoutSignatures(text string) string {
	return signedToken.ReplaceAllString(text, "$1.REDACTED")
}

// signedToken is a JWT, its first two parts apart from the others.
var signedToken = regexp.MustCompile(`(eyJ[\w-]+\.[\w-]*)(?:\.[\w-]*)+`)

// controlEvents is GET events.
func (s *Sink) controlEvents(x *exchange) {
	entries, _ := s.store.since(0)
	events := make([]controlEvent, 0, len(entries))
	for _, e := range entries {
		events = append(events, newControlEvent(e))
	}
	x.json(http.StatusOK, contentJSON, map[string]any{"events": events})
}

// controlReset is DELETE events.
func (s *Sink) controlReset(x *exchange) {
	s.Reset()
	x.empty(http.StatusNoContent, "")
}

// controlWait is GET wait?type=&subject=&timeout=.
func (s *Sink) controlWait(x *exchange) {
	query := x.request.URL.Query()
	timeout := defaultWait
	if text := query.Get("timeout"); text != "" {
		var err error
		if timeout, err = time.ParseDuration(text); err != nil || timeout < 0 {
			x.problem(http.StatusBadRequest, `timeout: want a duration that is not negative and has a unit, such as "10s".`)
			return
		}
	}
	for name := range query {
		if name != "type" && name != "subject" && name != "timeout" {
			x.problem(http.StatusBadRequest, fmt.Sprintf("There is no parameter %q; there are type, subject and timeout.", name))
			return
		}
	}
	ctx, cancel := context.WithTimeout(x.request.Context(), timeout)
	defer cancel()
	defer context.AfterFunc(s.pushes.ctx, cancel)()
	e := s.await(ctx, Want{Type: query.Get("type"), Subject: query.Get("subject")})
	if e == nil {
		x.problem(http.StatusRequestTimeout, fmt.Sprintf("No such event came within %v.", timeout))
		return
	}
	x.json(http.StatusOK, contentJSON, newControlEvent(e))
}

// controlDelivery is a Delivery as the control API shows it.
type controlDelivery struct {
	Subscription int             `json:"subscription"`
	Endpoint     string          `json:"endpoint"`
	Event        json.RawMessage `json:"event"`
	Attempt      int             `json:"attempt"`
	Status       int             `json:"status"`
	Error        string          `json:"error"`
	At           time.Time       `json:"at"`
	HeldBack     bool            `json:"heldBack"`
	NextAttempt  *time.Time      `json:"nextAttempt,omitempty"`
}

// controlDeliveries is GET deliveries.
func (s *Sink) controlDeliveries(x *exchange) {
	all, _ := s.pushes.record.all()
	deliveries := make([]controlDelivery, len(all))
	for i := range all {
		d := &all[i]
		deliveries[i] = controlDelivery{
			Subscription: d.Subscription, Endpoint: d.Endpoint, Event: encodeCloudEvent(d.Event), Attempt: d.Attempt,
			Status: d.Status, Error: d.Error, At: d.At.UTC(), HeldBack: d.HeldBack,
		}
		if !d.NextAttempt.IsZero() {
			deliveries[i].NextAttempt = new(d.NextAttempt.UTC())
		}
	}
	x.json(http.StatusOK, contentJSON, map[string]any{"deliveries": deliveries})
}

// controlInject is POST faults.
func (s *Sink) controlInject(x *exchange) {
	var req struct {
		Endpoint   string       `json:"endpoint"`
		Method     string       `json:"method"`
		Status     int          `json:"status"`
		RetryAfter jsonDuration `json:"retryAfter"`
		Delay      jsonDuration `json:"delay"`
		Hang       bool         `json:"hang"`
		Reset      bool         `json:"reset"`
		Truncate   bool         `json:"truncate"`
		Stored     bool         `json:"stored"`
		Times      int          `json:"times"`
		Rate       float64      `json:"rate"`
		Seed       uint64       `json:"seed"`
	}
	if !x.decodes(&req) {
		return
	}
	f := Fault{
		Endpoint: req.Endpoint, Method: req.Method, Status: req.Status, RetryAfter: time.Duration(req.RetryAfter),
		Delay: time.Duration(req.Delay), Hang: req.Hang, Reset: req.Reset, Truncate: req.Truncate, Stored: req.Stored,
		Times: req.Times, Rate: req.Rate, Seed: req.Seed,
	}
	var fault string
	switch {
	case !strings.HasPrefix(f.Endpoint, "/"):
		fault = `endpoint: want a path below /events/api/v1, such as "/app", or "/deliveries"; "/" is the whole API.`
	case f.Status != 0 && (f.Status < http.StatusOK || f.Status > 599):
		fault = "status: want 200 to 599."
	case f.Times < 0:
		fault = "times: want 0, until it is lifted, or more."
	case f.Rate < 0 || f.Rate > 1:
		fault = "rate: want a share from 0 to 1."
	case f.Status == 0 && f.Delay == 0 && !f.Hang && !f.Reset && !f.Truncate:
		fault = "The fault does nothing: want status, delay, hang, reset or truncate."
	}
	if fault != "" {
		x.problem(http.StatusBadRequest, fault)
		return
	}
	s.Inject(f)
	x.empty(http.StatusNoContent, "")
}

// controlLift is DELETE faults.
func (s *Sink) controlLift(x *exchange) {
	s.LiftFaults()
	x.empty(http.StatusNoContent, "")
}

// controlToken is POST tokens.
func (s *Sink) controlToken(x *exchange) {
	var req struct {
		Kind      TokenKind      `json:"kind"`
		Claims    map[string]any `json:"claims"`
		ExpiresIn jsonDuration   `json:"expiresIn"`
	}
	if !x.decodes(&req) {
		return
	}
	token, err := s.Token(TokenSpec{Kind: req.Kind, Claims: req.Claims, ExpiresIn: time.Duration(req.ExpiresIn)})
	if err != nil {
		x.problem(http.StatusBadRequest, err.Error())
		return
	}
	x.json(http.StatusOK, contentJSON, map[string]string{"token": token})
}

// controlPolicy is PUT policy.
func (s *Sink) controlPolicy(x *exchange) {
	rules, err := ParsePolicy(x.body)
	if err != nil {
		x.problem(http.StatusBadRequest, err.Error())
		return
	}
	s.policy.set(rules)
	x.empty(http.StatusNoContent, "")
}

// controlParties is PUT parties.
func (s *Sink) controlParties(x *exchange) {
	parties, err := ParseParties(x.body)
	if err != nil {
		x.problem(http.StatusBadRequest, err.Error())
		return
	}
	s.register.set(parties)
	x.empty(http.StatusNoContent, "")
}

// decodes reads the body strictly, or answers what is wrong with it and reports
// false.
func (x *exchange) decodes(v any) bool {
	if err := decodeStrict(x.body, v); err != nil {
		x.problem(http.StatusBadRequest, err.Error())
		return false
	}
	return true
}
