package middleware_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
)

const approved = "app.instance.approved"

// instance is the one of instanceJSON.
func instance() models.Instance {
	return models.Instance{
		ID:            party + "/" + guid,
		InstanceOwner: models.InstanceOwner{PartyID: party, PersonNumber: person},
	}
}

// other is another instance of the same owner.
func other() models.Instance {
	i := instance()
	i.ID = party + "/c52f40eb-ff21-4ae0-8d8e-2c2ea9a5a1b7"
	return i
}

func TestEmit_Outcome(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		answer echo.HandlerFunc
		want   []string
	}{
		{"OK", serve(200, `{}`), []string{approved}},
		{"NoContent", func(c echo.Context) error { return c.NoContent(204) }, []string{approved}},
		{"Redirect", func(c echo.Context) error { return c.Redirect(303, "/") }, []string{approved}},
		{"Silent", func(echo.Context) error { return nil }, []string{approved}},
		{"SwitchingProtocols", func(c echo.Context) error { return c.NoContent(101) }, nil},
		{"BadRequest", serve(400, `{}`), nil},
		{"ServerError", serve(500, `{}`), nil},
		{"Error", func(echo.Context) error { return errors.New("no") }, nil},
		{"EchoError", func(echo.Context) error { return echo.ErrNotFound }, nil},
		{"ErrorAfterSuccess", func(c echo.Context) error { return errors.Join(c.NoContent(200), errors.New("no")) }, nil},
		{"Panic", func(echo.Context) error { panic("no") }, nil},
	} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/AfterResponse=%t", tc.name, after), func(t *testing.T) {
				t.Parallel()
				pub := &recorder{}
				e := echo.New()
				e.Use(recoverer, middleware.AppLifecycleWithConfig(middleware.AppLifecycleConfig{Publisher: pub, App: app, AfterResponse: after}))
				e.POST("/approve", func(c echo.Context) error {
					if err := middleware.Emit(c, app.Event(approved, instance())); err != nil {
						return err
					}
					return tc.answer(c)
				})
				(&bundle{Echo: e}).do(http.MethodPost, "/approve")
				equal(t, pub.types(), tc.want)
			})
		}
	}
}

func TestEmit(t *testing.T) {
	t.Parallel()
	emit := func(b *bundle, h echo.HandlerFunc) *httptest.ResponseRecorder {
		b.POST("/approve", h)
		return b.do(http.MethodPost, "/approve")
	}

	t.Run("KeepsOrderAndCopies", func(t *testing.T) {
		t.Parallel()
		b := setup(t, middleware.AppLifecycleConfig{})
		emit(b, func(c echo.Context) error {
			ev := app.Event("first", instance())
			if err := middleware.Emit(c, ev, app.Event("second", instance())); err != nil {
				return err
			}
			ev.SetType("changed")
			return middleware.Emit(c, app.Event("third", other()))
		})
		equal(t, b.pub.types(), []string{"first", "second", "third"})
		if b.pub.calls != 1 {
			t.Errorf("published in %d calls, want 1", b.pub.calls)
		}
	})

	t.Run("RefusesInvalidEvents", func(t *testing.T) {
		t.Parallel()
		b := setup(t, middleware.AppLifecycleConfig{})
		var err error
		emit(b, func(c echo.Context) error {
			err = middleware.Emit(c, app.Event("fine", instance()), app.Event("", models.Instance{}))
			return nil
		})
		if _, ok := errors.AsType[*models.ValidationError](err); !ok {
			t.Errorf("Emit returned %v, want a *models.ValidationError", err)
		}
		equal(t, b.pub.types(), nil)
	})

	t.Run("AsksThePublisherWhatIsValid", func(t *testing.T) {
		t.Parallel()
		refused := errors.New("refused")
		b := setup(t, middleware.AppLifecycleConfig{Publisher: validating{&recorder{}, refused}})
		var err error
		emit(b, func(c echo.Context) error {
			err = middleware.Emit(c, app.Created(instance()))
			return nil
		})
		if !errors.Is(err, refused) {
			t.Errorf("Emit returned %v, want %v", err, refused)
		}
	})

	t.Run("FromManyGoroutines", func(t *testing.T) {
		t.Parallel()
		b := setup(t, middleware.AppLifecycleConfig{})
		emit(b, func(c echo.Context) error {
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					if err := middleware.Emit(c, app.Event(fmt.Sprint("type", i), instance())); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			return c.NoContent(200)
		})
		if got := len(b.pub.events); got != 16 {
			t.Errorf("published %d events, want 16", got)
		}
	})

	t.Run("NothingHoldsNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, middleware.AppLifecycleConfig{})
		emit(b, func(c echo.Context) error {
			if err := middleware.Emit(c); err != nil {
				return err
			}
			w := c.Response().Writer.(interface{ Unwrap() http.ResponseWriter })
			if _, ok := w.Unwrap().(*httptest.ResponseRecorder); !ok {
				t.Errorf("the answer is held by a %T", w.Unwrap())
			}
			return nil
		})
		if b.pub.calls != 0 {
			t.Errorf("published %v", b.pub.said())
		}
	})

	for name, begin := range map[string]echo.HandlerFunc{
		"Echo":   func(c echo.Context) error { return c.String(200, "begun") },
		"Writer": func(c echo.Context) error { return second(io.WriteString(c.Response().Writer, "begun")) },
	} {
		t.Run("AfterBytesAreOutCannotChangeTheAnswer/"+name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, middleware.AppLifecycleConfig{FailClosed: true})
			b.pub.err = errDown
			rec := emit(b, func(c echo.Context) error {
				if err := begin(c); err != nil {
					return err
				}
				return middleware.Emit(c, app.Event(approved, instance()))
			})
			if rec.Code != 200 || rec.Body.String() != "begun" {
				t.Errorf("answer is %d %q", rec.Code, rec.Body)
			}
			if len(b.observed) != 1 || !errors.Is(b.observed[0], errDown) {
				t.Errorf("ErrorHandler was told %v", b.observed)
			}
		})
	}

	t.Run("ThroughAnInnerWriter", func(t *testing.T) {
		t.Parallel()
		b := setup(t, middleware.AppLifecycleConfig{})
		b.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				c.Response().Writer = &wrapped{c.Response().Writer}
				return next(c)
			}
		})
		emit(b, func(c echo.Context) error { return middleware.Emit(c, app.Event(approved, instance())) })
		equal(t, b.pub.types(), []string{approved})
	})
}

func second[T any](_ T, err error) error { return err }

// validating is a Publisher that checks events as it likes.
type validating struct {
	*recorder

	err error
}

func (v validating) Validate(...event.Event) error { return v.err }

// wrapped is what other middleware makes of a writer.
type wrapped struct{ http.ResponseWriter }

func (w *wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestEmit_NotMounted(t *testing.T) {
	t.Parallel()
	handler := func(err *error) echo.HandlerFunc {
		return func(c echo.Context) error {
			*err = middleware.Emit(c, app.Created(instance()))
			middleware.Published(c)
			return nil
		}
	}
	t.Run("Nowhere", func(t *testing.T) {
		t.Parallel()
		var err error
		b := &bundle{Echo: echo.New()}
		b.create(handler(&err))
		if !errors.Is(err, middleware.ErrNotMounted) {
			t.Errorf("Emit returned %v", err)
		}
	})
	t.Run("Skipped", func(t *testing.T) {
		t.Parallel()
		var err error
		b := setup(t, middleware.AppLifecycleConfig{Skipper: func(echo.Context) bool { return true }})
		b.create(handler(&err))
		if !errors.Is(err, middleware.ErrNotMounted) {
			t.Errorf("Emit returned %v", err)
		}
	})
	t.Run("HiddenByAWriterWithoutUnwrap", func(t *testing.T) {
		t.Parallel()
		var err error
		b := setup(t, middleware.AppLifecycleConfig{})
		b.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				c.Response().Writer = struct{ http.ResponseWriter }{c.Response().Writer}
				return next(c)
			}
		})
		b.create(handler(&err))
		if !errors.Is(err, middleware.ErrNotMounted) {
			t.Errorf("Emit returned %v", err)
		}
	})
	t.Run("AfterTheHandler", func(t *testing.T) {
		t.Parallel()
		var err error
		e := echo.New()
		e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				defer func() { err = middleware.Emit(c, app.Created(instance())) }()
				return next(c)
			}
		}, middleware.AppLifecycle(&recorder{}, app))
		(&bundle{Echo: e}).create(serve(201, instanceJSON))
		if !errors.Is(err, middleware.ErrNotMounted) {
			t.Errorf("Emit returned %v", err)
		}
	})
}

func TestOneRequestOneVoice(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		say    func(c echo.Context) error
		answer string
		want   []string
	}{
		{"NothingSaid", func(echo.Context) error { return nil }, instanceJSON, []string{models.TypeInstanceCreated}},
		{"SameSource", func(c echo.Context) error {
			return middleware.Emit(c, app.Event(approved, instance()))
		}, instanceJSON, []string{approved}},
		{"OtherSource", func(c echo.Context) error {
			return middleware.Emit(c, app.Event(approved, other()))
		}, instanceJSON, []string{approved, models.TypeInstanceCreated}},
		{"SaidWhereTheAnswerDoesNotTell", func(c echo.Context) error {
			return middleware.Emit(c, app.Created(instance()))
		}, `{"created":true}`, []string{models.TypeInstanceCreated}},
		{"Published", func(c echo.Context) error {
			middleware.Published(c)
			return nil
		}, instanceJSON, nil},
		{"PublishedAndEmitted", func(c echo.Context) error {
			middleware.Published(c)
			return middleware.Emit(c, app.Event(approved, other()))
		}, instanceJSON, []string{approved}},
	} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/AfterResponse=%t", tc.name, after), func(t *testing.T) {
				t.Parallel()
				b := setup(t, middleware.AppLifecycleConfig{AfterResponse: after})
				b.create(func(c echo.Context) error {
					if err := tc.say(c); err != nil {
						return err
					}
					return c.JSONBlob(201, []byte(tc.answer))
				})
				equal(t, b.pub.types(), tc.want)
				if len(b.observed) != 0 {
					t.Errorf("ErrorHandler was told %v", b.observed)
				}
			})
		}
	}

	t.Run("ForeignSourceDoesNotExcuseAnAnswerThatDoesNotTell", func(t *testing.T) {
		t.Parallel()
		b := setup(t, middleware.AppLifecycleConfig{})
		foreign := models.App{Org: "ttd", Name: "apps-test-2"}
		b.create(func(c echo.Context) error {
			if err := middleware.Emit(c, foreign.Created(instance())); err != nil {
				return err
			}
			return c.NoContent(201)
		})
		equal(t, b.pub.types(), []string{models.TypeInstanceCreated})
		faulty(t, b.observed, "JSON ends")
	})
}
