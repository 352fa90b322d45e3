package middleware_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher/credentials"
)

// queueing is a Publisher that tells whether it has a queue.
type queueing struct {
	*recorder

	queued bool
}

func (q queueing) Queued() bool { return q.queued }

func TestAppLifecycleConfig_ToMiddleware(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		cfg    middleware.AppLifecycleConfig
		faults []string
	}{
		{"Minimal", middleware.AppLifecycleConfig{Publisher: &recorder{}, App: app}, nil},
		{"EverythingOff", middleware.AppLifecycleConfig{Publisher: &recorder{}, App: app, PublishTimeout: -1, MaxResponseBytes: -1}, nil},
		{"Zero", middleware.AppLifecycleConfig{}, []string{"Publisher is nil", "Org", "Name"}},
		{
			"EveryFault",
			middleware.AppLifecycleConfig{App: models.App{Org: "TTD", Name: "x"}, AfterResponse: true, FailClosed: true, PublishTimeout: -2, MaxResponseBytes: -2},
			[]string{"Publisher is nil", "FailClosed", "PublishTimeout", "MaxResponseBytes", "Org"},
		},
		{"AfterResponseWithQueue", middleware.AppLifecycleConfig{Publisher: queueing{&recorder{}, true}, App: app, AfterResponse: true}, nil},
		{"AfterResponseWithoutQueue", middleware.AppLifecycleConfig{Publisher: queueing{&recorder{}, false}, App: app, AfterResponse: true}, []string{"AfterResponse needs a Publisher with a queue"}},
		{"BeforeResponseWithoutQueue", middleware.AppLifecycleConfig{Publisher: queueing{&recorder{}, false}, App: app}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			mw, err := tc.cfg.ToMiddleware()
			checkFaults(t, err, mw, "AppLifecycleConfig", tc.faults)
		})
	}
	t.Run("WithConfigPanics", func(t *testing.T) {
		t.Parallel()
		defer func() {
			if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), "Publisher is nil") {
				t.Errorf("panicked with %v", err)
			}
		}()
		middleware.AppLifecycle(nil, app)
	})
}

func checkFaults(t *testing.T, err error, mw echo.MiddlewareFunc, name string, faults []string) {
	t.Helper()
	if (err == nil) != (len(faults) == 0) || (mw == nil) != (err != nil) {
		t.Fatalf("ToMiddleware returned %v, want faults %q", err, faults)
	}
	for _, fault := range faults {
		if !strings.Contains(err.Error(), fault) || !strings.Contains(err.Error(), name) {
			t.Errorf("error is %q, want it to name %q and %q", err, name, fault)
		}
	}
}

func TestPublishContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	ask := func(t *testing.T, seen func(context.Context), change func(*http.Request), cfg middleware.AppLifecycleConfig) *bundle {
		t.Helper()
		b := setup(t, cfg)
		b.pub.seen = seen
		b.POST("/:org/:app/instances", serve(201, instanceJSON))
		r := httptest.NewRequest(http.MethodPost, "/ttd/apps-test/instances", http.NoBody)
		change(r)
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		cancel() // the client has gone
		b.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
		return b
	}

	t.Run("OutlivesTheClient", func(t *testing.T) {
		t.Parallel()
		b := ask(t, func(ctx context.Context) {
			if err := ctx.Err(); err != nil {
				t.Error(err)
			}
			if ctx.Value(key{}) != "value" {
				t.Error("the request's values are missing")
			}
			if token, ok := credentials.UserToken(ctx); ok {
				t.Errorf("user token %q of a request without one", token)
			}
		}, func(*http.Request) {}, middleware.AppLifecycleConfig{})
		equal(t, b.pub.types(), []string{models.TypeInstanceCreated})
	})
	t.Run("CarriesTheUsersToken", func(t *testing.T) {
		t.Parallel()
		ask(t, func(ctx context.Context) {
			if token, _ := credentials.UserToken(ctx); token != "the-token" {
				t.Errorf("user token is %q", token)
			}
		}, func(r *http.Request) { r.Header.Set(echo.HeaderAuthorization, "Bearer the-token") }, middleware.AppLifecycleConfig{})
	})
	for timeout, want := range map[time.Duration]time.Duration{0: 2 * time.Second, time.Minute: time.Minute} {
		t.Run("EndsAfter"+want.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				ask(t, func(ctx context.Context) {
					<-ctx.Done()
					if got := time.Since(start); got != want {
						t.Errorf("the context ended after %v, want %v", got, want)
					}
				}, func(*http.Request) {}, middleware.AppLifecycleConfig{PublishTimeout: timeout})
			})
		})
	}
	t.Run("NoTimeout", func(t *testing.T) {
		t.Parallel()
		ask(t, func(ctx context.Context) {
			if deadline, _ := ctx.Deadline(); time.Until(deadline) < 100*365*24*time.Hour {
				t.Errorf("deadline is %v", deadline)
			}
		}, func(*http.Request) {}, middleware.AppLifecycleConfig{PublishTimeout: -1})
	})
	t.Run("BoundsLookups", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := setup(t, middleware.AppLifecycleConfig{Instance: func(ctx context.Context, _, _ string) (models.Instance, error) {
				<-ctx.Done()
				return models.Instance{}, ctx.Err()
			}})
			b.PUT("/x/instances/:p/:g/process/next", serve(200, `{"endEvent":"End"}`))
			b.do(http.MethodPut, "/x/instances/"+party+"/"+guid+"/process/next")
			if len(b.observed) != 1 || !errors.Is(b.observed[0], context.DeadlineExceeded) {
				t.Errorf("ErrorHandler was told %v", b.observed)
			}
		})
	})
}

func TestAfterResponse_IgnoresErrorHandler(t *testing.T) {
	t.Parallel()
	told := 0
	b := setup(t, middleware.AppLifecycleConfig{AfterResponse: true, ErrorHandler: func(err error, _ echo.Context) error {
		told++
		return err
	}})
	b.pub.err = errDown
	rec := b.create(serve(201, instanceJSON))
	if rec.Code != 201 || rec.Body.String() != instanceJSON || told != 1 {
		t.Errorf("answer is %d %s; told %d times", rec.Code, rec.Body, told)
	}
}

func TestMountedTwice(t *testing.T) {
	t.Parallel()
	broker := func(pub middleware.Publisher, closed bool) echo.MiddlewareFunc {
		return middleware.BrokerLifecycleWithConfig(middleware.BrokerLifecycleConfig{
			Publisher: pub, Broker: models.Broker{PlatformURL: "https://platform.altinn.no", URNSubjects: true}, FailClosed: closed,
			Lookup: func(context.Context, string) (models.FileTransfer, error) {
				return models.FileTransfer{ResourceID: "r", Sender: "0192:" + organisation}, nil
			},
		})
	}
	initialized := serve(200, `{"fileTransferId":"`+transferID+`"}`)
	approve := func(c echo.Context) error { return middleware.Emit(c, app.Event(approved, instance())) }

	t.Run("TheInnerOneIsInert", func(t *testing.T) {
		t.Parallel()
		outer, inner := &recorder{}, &recorder{}
		e := echo.New()
		e.Use(middleware.AppLifecycle(outer, app))
		g := e.Group("", middleware.AppLifecycle(inner, app))
		g.POST("/instances", serve(201, instanceJSON))
		g.POST("/approve", approve)
		b := &bundle{Echo: e}
		b.do(http.MethodPost, "/instances")
		b.do(http.MethodPost, "/approve")
		equal(t, outer.types(), []string{models.TypeInstanceCreated, approved})
		equal(t, inner.types(), nil)
	})
	t.Run("EachKindServesItsRoutes", func(t *testing.T) {
		t.Parallel()
		for _, brokerFirst := range []bool{false, true} {
			ofApp, ofBroker := &recorder{}, &recorder{}
			kinds := []echo.MiddlewareFunc{middleware.AppLifecycle(ofApp, app), broker(ofBroker, true)}
			outer := ofApp
			if brokerFirst {
				kinds[0], kinds[1] = kinds[1], kinds[0]
				outer = ofBroker
			}
			e := echo.New()
			e.Use(kinds...)
			e.POST("/instances", serve(201, instanceJSON))
			e.POST("/filetransfer", initialized)
			e.POST("/approve", approve)
			b := &bundle{Echo: e}
			b.do(http.MethodPost, "/instances")
			b.do(http.MethodPost, "/filetransfer")
			equal(t, ofApp.types(), []string{models.TypeInstanceCreated})
			equal(t, ofBroker.types(), []string{models.TypeBrokerFileTransferInitialized})
			b.do(http.MethodPost, "/approve")
			if got := outer.types(); got[len(got)-1] != approved {
				t.Errorf("the outer one published %q, want the emitted event too", got)
			}
			// Each with its own configuration: only the Broker's is fail closed.
			ofApp.err, ofBroker.err = errDown, errDown
			if rec := b.do(http.MethodPost, "/instances"); rec.Code != 201 {
				t.Errorf("app answers %d", rec.Code)
			}
			if rec := b.do(http.MethodPost, "/filetransfer"); rec.Code != 500 {
				t.Errorf("broker answers %d", rec.Code)
			}
		}
	})
	t.Run("SkippedOuterOne", func(t *testing.T) {
		t.Parallel()
		inner := &recorder{}
		e := echo.New()
		e.Use(
			middleware.AppLifecycleWithConfig(middleware.AppLifecycleConfig{Publisher: &recorder{}, App: app, Skipper: func(echo.Context) bool { return true }}),
			middleware.AppLifecycle(inner, app))
		(&bundle{Echo: e}).create(serve(201, instanceJSON))
		equal(t, inner.types(), []string{models.TypeInstanceCreated})
	})
	t.Run("WithPreAndWithUse", func(t *testing.T) {
		t.Parallel()
		inner := &recorder{}
		e := echo.New()
		e.Pre(middleware.AppLifecycle(&recorder{}, app))
		e.Use(middleware.AppLifecycle(inner, app))
		(&bundle{Echo: e}).create(serve(201, instanceJSON))
		equal(t, inner.types(), []string{models.TypeInstanceCreated})
	})
}

func TestLogger(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	b := setup(t, middleware.AppLifecycleConfig{Logger: logger})
	b.pub.err = fmt.Errorf("%w for %s", errDown, person)
	b.create(func(c echo.Context) error {
		if err := middleware.Emit(c, app.Event(approved, other()), app.Event(approved, other())); err != nil {
			return err
		}
		return serve(201, instanceJSON)(c)
	})
	const want = `level=ERROR msg="lifecycle event not published" method=POST route=/:org/:app/instances ` +
		`event_type=app.instance.approved,app.instance.created error="endpoint down for ***********"` + "\n"
	if out.String() != want {
		t.Errorf("log\n got %s want %s", &out, want)
	}
}
