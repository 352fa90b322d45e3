package middleware_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
)

// slow is a Publisher that takes its time, logs, and checks as the real one does.
type slow struct {
	recorder

	takes  time.Duration
	logger *slog.Logger
}

func (s *slow) Publish(ctx context.Context, events ...event.Event) error {
	time.Sleep(s.takes)
	return s.recorder.Publish(ctx, events...)
}

func (s *slow) Validate(events ...event.Event) error {
	var errs []error
	for _, ev := range events {
		errs = append(errs, models.Validator{}.ValidateDraft(ev))
	}
	return errors.Join(errs...)
}

func (s *slow) Logger() *slog.Logger { return s.logger }

// TestFlushOfAGoroutine has a goroutine of the handler flush while the handler
// returns.
func TestFlushOfAGoroutine(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]error{"Accepted": nil, "Refused": errDown} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				pub := &slow{takes: time.Second}
				pub.err = down
				b := setup(t, middleware.AppLifecycleConfig{Publisher: pub, FailClosed: true})
				var returned error
				b.HTTPErrorHandler = func(err error, _ echo.Context) { returned = err }
				done := make(chan struct{})
				rec := b.create(func(c echo.Context) error {
					err := serve(http.StatusCreated, instanceJSON)(c)
					flusher := c.Response()
					go func() {
						defer close(done)
						flusher.Flush()
					}()
					synctest.Wait() // the events are being accepted
					return err
				})
				<-done
				want := rec.Code == http.StatusCreated && rec.Body.String() == instanceJSON
				if down != nil {
					want = rec.Code == http.StatusInternalServerError
				}
				if !want || pub.calls != 1 || !errors.Is(returned, down) {
					t.Errorf("answer %d %q after %d calls of Publish, error %v", rec.Code, rec.Body, pub.calls, returned)
				}
			})
		})
	}
}

func TestInvalidRuleEventLeavesEmittedEvents(t *testing.T) {
	t.Parallel()
	pub := &slow{}
	b := setup(t, middleware.AppLifecycleConfig{Publisher: pub})
	rec := b.create(func(c echo.Context) error {
		if err := middleware.Emit(c, models.App{Org: "skd", Name: "other"}.Event(approved, other())); err != nil {
			return err
		}
		return serve(http.StatusCreated, strings.Replace(instanceJSON, `"partyId":"`+party, `"partyId":"abc`, 1))(c)
	})
	if rec.Code != http.StatusCreated {
		t.Errorf("answer %d, want it unchanged", rec.Code)
	}
	if diff := cmp.Diff([]string{approved}, pub.types()); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	if len(b.observed) != 1 {
		t.Fatalf("observed %v, want the rule's event", b.observed)
	}
	if _, ok := errors.AsType[*models.ValidationError](b.observed[0]); !ok {
		t.Errorf("observed %v, want a *models.ValidationError", b.observed[0])
	}
}

// TestNoIdentityNumberGetsOut plants one in the type of an event and in the error
// of a lookup. The publisher's logger serves where the configuration has none.
func TestNoIdentityNumberGetsOut(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	pub := &slow{logger: slog.New(slog.NewTextHandler(&log, nil))}
	pub.err = errDown
	fail := false
	b := setup(t, middleware.AppLifecycleConfig{
		Publisher: pub,
		Instance: func(context.Context, string, string) (models.Instance, error) {
			if fail {
				return models.Instance{}, errors.New("nobody has " + person)
			}
			return models.Instance{}, nil
		},
	})
	b.PUT("/instances/:party/:guid/process/next", serve(http.StatusOK, `{"currentTask":{"elementId":"Task_`+person+`"}}`))
	for _, fail = range []bool{false, true} {
		b.do(http.MethodPut, "/instances/"+party+"/"+guid+"/process/next")
	}
	if n := strings.Count(log.String(), "lifecycle event not published"); n != 2 || strings.Contains(log.String(), person) {
		t.Errorf("log: want 2 lines without the number:\n%s", &log)
	}
	for _, err := range b.observed {
		if strings.Contains(err.Error(), person) {
			t.Errorf("an error holds the number: %v", err)
		}
	}
	if len(b.observed) != 2 || !errors.Is(b.observed[0], errDown) || !errors.Is(b.observed[1], middleware.ErrUndecided) {
		t.Errorf("observed %v, want errDown and ErrUndecided", b.observed)
	}
}
