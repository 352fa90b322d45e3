package middleware

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher/credentials"
)

// Publisher takes the events of requests. *publisher.Publisher is one.
//
// A Publisher may also have more methods. Validate(...event.Event) error is the
// check that Publish makes first; Emit reports what it finds. Queued() bool
// tells whether Publish returns before events are delivered: AfterResponse is
// refused if it says no. Logger() *slog.Logger is used where the configuration has
// none.
type Publisher interface {
	// Publish returns nil when the events are accepted: kept safely, or
	// delivered.
	Publish(ctx context.Context, events ...event.Event) error
}

// settings are what the configurations of all lifecycles have in common.
type settings struct {
	skipper          func(c echo.Context) bool
	publisher        Publisher
	afterResponse    bool
	failClosed       bool
	publishTimeout   time.Duration
	maxResponseBytes int
	errorHandler     func(err error, c echo.Context) error
	logger           *slog.Logger
}

func (s settings) withDefaults() settings {
	s.publishTimeout = orDefault(s.publishTimeout, 2*time.Second, math.MaxInt64)
	s.maxResponseBytes = orDefault(s.maxResponseBytes, 1<<20, math.MaxInt)
	if s.errorHandler == nil {
		failClosed := s.failClosed
		s.errorHandler = func(err error, _ echo.Context) error {
			if failClosed {
				return err
			}
			return nil
		}
	}
	if p, ok := s.publisher.(interface{ Logger() *slog.Logger }); ok && s.logger == nil {
		s.logger = p.Logger()
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	return s
}

// orDefault returns value, or what 0 and -1 stand for.
func orDefault[T int | time.Duration](value, zero, off T) T {
	switch value {
	case 0:
		return zero
	case -1:
		return off
	default:
		return value
	}
}

func (s settings) validate() error {
	var faults []error
	fault := func(field, what string) { faults = append(faults, configFault(field, what)) }
	queue, ok := s.publisher.(interface{ Queued() bool })
	switch {
	case s.publisher == nil:
		fault("Publisher", "is nil, want for example a *publisher.Publisher")
	case s.afterResponse && ok && !queue.Queued():
		fault("AfterResponse", "needs a Publisher with a queue, or every answer waits for the delivery")
	}
	if s.afterResponse && s.failClosed {
		fault("FailClosed", "excludes AfterResponse: what is sent cannot be closed")
	}
	if s.publishTimeout < -1 {
		fault("PublishTimeout", "is negative, want a positive duration, 0 for the default or -1 for none")
	}
	if s.maxResponseBytes < -1 {
		fault("MaxResponseBytes", "is negative, want a positive size, 0 for the default or -1 for no bound")
	}
	return errors.Join(faults...)
}

func configFault(field, what string) error { return errors.New(field + " " + what) }

// lifecycle turns requests into events.
type lifecycle struct {
	settings

	rules rules
	// source is what the source of every event of the rules begins with.
	source string
	// validate is the check of all events, one by one before Publish, which takes
	// all or none.
	validate func(...event.Event) error
	// openWriters are *openWriter, to be used again.
	openWriters sync.Pool
}

func newLifecycle(s settings, source string, rs rules) *lifecycle {
	l := &lifecycle{settings: s.withDefaults(), rules: rs, source: source}
	l.rules.index()
	l.openWriters.New = func() any { return &openWriter{life: l} }
	if v, ok := s.publisher.(interface {
		Validate(events ...event.Event) error
	}); ok {
		l.validate = v.Validate
	} else {
		l.validate = validateDrafts
	}
	return l
}

func validateDrafts(events ...event.Event) error {
	var errs []error
	for _, ev := range events {
		errs = append(errs, models.Validator{}.ValidateDraft(ev))
	}
	return errors.Join(errs...)
}

// middleware is the echo.MiddlewareFunc.
func (l *lifecycle) middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if l.skipper != nil && l.skipper(c) {
			return next(c)
		}
		var rule *rule
		if path := c.Path(); l.rules.may(path) {
			rule = l.rules.match(c.Request().Method, path)
		}
		res := c.Response()
		w, open := findWriter(res.Writer)
		switch {
		case w != nil || open != nil: // mounted further out, too
			if rule != nil && w == nil {
				w = open.become(c)
			}
			if w != nil {
				w.adopt(l, rule)
			}
			return next(c)
		case rule != nil:
			return l.about(rule, c, res, next)
		default:
			return l.aside(c, res, next)
		}
	}
}

// about serves a request that rule is about.
func (l *lifecycle) about(rule *rule, c echo.Context, res *echo.Response, next echo.HandlerFunc) error {
	w := newWriter(res.Writer, c, l, rule)
	w.listen()
	res.Writer = w
	defer w.end(res)
	return w.settle(next(c))
}

// aside serves a request that no rule is about.
func (l *lifecycle) aside(c echo.Context, res *echo.Response, next echo.HandlerFunc) error {
	open := l.open(res)
	defer open.end(c, res)
	err := next(c)
	if w := open.given.Load(); w != nil {
		return w.settle(err)
	}
	return err
}

// adopt makes the request one that rule of l is about, unless it is about
// another already.
func (w *writer) adopt(l *lifecycle, rule *rule) {
	if rule == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rule != nil {
		return
	}
	w.life, w.rule = l, rule
	w.listen()
}

// listen begins to keep what the rule needs. mu is held, or nobody else knows w.
func (w *writer) listen() {
	if w.life.afterResponse {
		w.capture = w.rule.body
	} else {
		w.hold()
	}
}

// publish decides which events the request has caused, as far as is known, and
// publishes them. It calls what users wrote. The error is what ErrorHandler says.
func (x *exchange) publish() error {
	if x == nil {
		return nil
	}
	l, r, events := x.life, x.c.Request(), x.emitted
	values := credentials.WithUserToken(r.Context(), credentials.UserTokenFromRequest(r))
	ctx := x.patience.begin(values, l.publishTimeout)
	defer ctx.end()

	if x.rule != nil {
		decided, err := x.decide(ctx)
		if err != nil {
			if err := l.fail(ctx, x.c, nil, err); err != nil {
				return err
			}
		}
		if len(events) == 0 {
			events = decided
		} else {
			events = append(events, decided...)
		}
	}
	if len(events) == 0 {
		return nil
	}
	if err := l.publisher.Publish(ctx, events...); err != nil {
		return l.fail(ctx, x.c, events, err)
	}
	return nil
}

// decide returns the events of the rule, none if the handler has emitted one with
// the same source, and none if it has emitted one with a source of this
// lifecycle and the rule cannot say more.
func (x *exchange) decide(ctx context.Context) ([]event.Event, error) {
	events, err := x.rule.events(ctx, x)
	if err == nil {
		err = x.life.validate(events...)
	}
	emittedWith := func(is func(source string) bool) bool {
		return slices.ContainsFunc(x.emitted, func(ev event.Event) bool { return is(ev.Source()) })
	}
	switch {
	case err != nil && emittedWith(func(s string) bool { return strings.HasPrefix(s, x.life.source) }):
		return nil, nil
	case err != nil:
		return nil, err
	case emittedWith(func(s string) bool {
		return slices.ContainsFunc(events, func(ev event.Event) bool { return ev.Source() == s })
	}):
		return nil, nil
	}
	return events, nil
}

// fail reports events that could not be decided or accepted.
func (l *lifecycle) fail(ctx context.Context, c echo.Context, events []event.Event, err error) error {
	var types []string
	for _, ev := range events {
		if !slices.Contains(types, ev.Type()) {
			types = append(types, ev.Type())
		}
	}
	l.logger.LogAttrs(ctx, slog.LevelError, "lifecycle event not published",
		slog.String("method", c.Request().Method),
		slog.String("route", c.Path()),
		slog.String("event_type", models.Redact(strings.Join(types, ","))),
		slog.String("error", models.Redact(err.Error())))
	return l.errorHandler(&requestError{c.Request().Method, c.Path(), err}, c)
}

// requestError is an error about the events of a request. Its text masks identity
// numbers, which a lookup's error may quote.
type requestError struct {
	method, route string
	err           error
}

func (e *requestError) Error() string {
	return "lifecycle of " + e.method + " " + e.route + ": " + models.Redact(e.err.Error())
}

func (e *requestError) Unwrap() error { return e.err }

func must(mw echo.MiddlewareFunc, err error) echo.MiddlewareFunc {
	if err != nil {
		panic(err)
	}
	return mw
}
