package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
)

func TestAppLifecycle_Routes(t *testing.T) {
	t.Parallel()
	const (
		created = models.TypeInstanceCreated + " /party/" + party + " /person/" + person
		byRoute = " /party/" + party
		inTask  = `{"currentTask":{"elementId":"Task_2","altinnTaskType":"signing"},"endEvent":null}`
		ended   = `{"currentTask":null,"endEvent":"EndEvent_1","ended":"2026-08-20T10:00:00Z"}`
		at      = "/ttd/apps-test/instances/" + party + "/" + guid
	)
	for _, tc := range []struct {
		name, method, template, target string
		status                         int
		body                           string
		want                           []string
	}{
		{"Create", "POST", "/:org/:app/instances", "/ttd/apps-test/instances", 201, instanceJSON, []string{created}},
		{"CreateAnswers200", "POST", "/:org/:app/instances", "/ttd/apps-test/instances", 200, instanceJSON, []string{created}},
		{"CreateAtTheRoot", "POST", "/instances", "/instances", 201, instanceJSON, []string{created}},
		{"CreateWithTrailingSlash", "POST", "/ttd/apps-test/instances/", "/ttd/apps-test/instances/", 201, instanceJSON, []string{created}},
		{"CreateSimplified", "POST", "/:org/:app/instances/create", "/ttd/apps-test/instances/create", 201, instanceJSON, []string{created}},
		{"Moved", "PUT", "/:org/:app/instances/:owner/:id/process/next", at + "/process/next", 200, inTask, []string{"app.instance.process.movedTo.Task_2" + byRoute}},
		{"Completed", "PUT", "/:o/:a/instances/:p/:g/process/next", at + "/process/next", 200, ended, []string{models.TypeProcessCompleted + byRoute}},
		{"CompleteProcess", "PUT", "/:o/:a/instances/:p/:g/process/completeProcess", at + "/process/completeProcess", 200, ended, []string{models.TypeProcessCompleted + byRoute}},
		{"Substatus", "PUT", "/ttd/apps-test/instances/:p/:g/substatus", at + "/substatus", 200, instanceJSON, []string{models.TypeSubstatusChanged + " /party/" + party + " /person/" + person}},

		{"OtherMethod", "GET", "/:org/:app/instances", "/ttd/apps-test/instances", 200, instanceJSON, nil},
		{"OtherEnd", "POST", "/:org/:app/instances/search", "/ttd/apps-test/instances/search", 200, instanceJSON, nil},
		{"LongerSegment", "POST", "/:org/:app/old-instances", "/ttd/apps-test/old-instances", 201, instanceJSON, nil},
		{"ParameterInPlaceOfName", "POST", "/:org/:app/:what", "/ttd/apps-test/instances", 201, instanceJSON, nil},
		{"NameInPlaceOfParameter", "PUT", "/x/instances/mine/:g/substatus", "/x/instances/mine/" + guid + "/substatus", 200, instanceJSON, nil},
		{"ProcessStart", "POST", "/:o/:a/instances/:p/:g/process/start", at + "/process/start", 200, inTask, nil},
		{"BadRequest", "POST", "/:org/:app/instances", "/ttd/apps-test/instances", 400, instanceJSON, nil},
		{"Redirect", "POST", "/:org/:app/instances", "/ttd/apps-test/instances", 302, instanceJSON, nil},
		{"ServerError", "POST", "/:org/:app/instances", "/ttd/apps-test/instances", 503, instanceJSON, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, middleware.AppLifecycleConfig{})
			b.Add(tc.method, tc.template, serve(tc.status, tc.body))
			rec := b.do(tc.method, tc.target)
			if rec.Code != tc.status || rec.Body.String() != tc.body {
				t.Errorf("answer is %d %s, want it as the handler wrote it", rec.Code, rec.Body)
			}
			equal(t, b.pub.said(), tc.want)
			if len(b.observed) != 0 {
				t.Errorf("ErrorHandler was told %v", b.observed)
			}
			for _, ev := range b.pub.events {
				if ev.Source() != source {
					t.Errorf("source is %s, want %s", ev.Source(), source)
				}
			}
		})
	}

	t.Run("OnGroupsAndRoutes", func(t *testing.T) {
		t.Parallel()
		pub := &recorder{}
		e := echo.New()
		g := e.Group("/prefix/:org/:app", middleware.AppLifecycle(pub, app))
		g.POST("/instances", serve(201, instanceJSON))
		e.PUT("/instances/:p/:g/substatus", serve(200, instanceJSON), middleware.AppLifecycle(pub, app))
		b := &bundle{Echo: e}
		b.do(http.MethodPost, "/prefix/ttd/apps-test/instances")
		b.do(http.MethodPut, "/instances/"+party+"/"+guid+"/substatus")
		equal(t, pub.types(), []string{models.TypeInstanceCreated, models.TypeSubstatusChanged})
	})
}

func TestAppLifecycle_Owner(t *testing.T) {
	t.Parallel()
	const next = "/ttd/apps-test/instances/" + party + "/" + guid + "/process/next"
	withLookup := func(owner models.InstanceOwner, err error) middleware.AppLifecycleConfig {
		return middleware.AppLifecycleConfig{Instance: func(_ context.Context, partyID, instanceGUID string) (models.Instance, error) {
			if partyID != party || instanceGUID != guid {
				t.Errorf("looked up %s/%s", partyID, instanceGUID)
			}
			return models.Instance{InstanceOwner: owner}, err
		}}
	}
	moved := serve(200, `{"currentTask":{"elementId":"Task_2"},"endEvent":null}`)
	copied := func(c echo.Context) error {
		return c.Redirect(http.StatusFound, "https://ttd.apps.altinn.no/ttd/apps-test/#/instance/"+party+"/"+guid)
	}

	t.Run("IsLookedUpForProcess", func(t *testing.T) {
		t.Parallel()
		b := setup(t, withLookup(models.InstanceOwner{PartyID: party, OrganisationNumber: organisation}, nil))
		b.PUT("/:o/:a/instances/:p/:g/process/next", moved)
		b.do(http.MethodPut, next)
		equal(t, b.pub.said(), []string{"app.instance.process.movedTo.Task_2 /party/" + party + " /organisation/" + organisation})
	})
	t.Run("IsLookedUpForCopy", func(t *testing.T) {
		t.Parallel()
		b := setup(t, withLookup(models.InstanceOwner{PartyID: party, PersonNumber: person}, nil))
		b.GET("/:o/:a/legacy/instances/:p/:g/copy", copied)
		b.do(http.MethodGet, "/ttd/apps-test/legacy/instances/1337/"+guid+"/copy")
		equal(t, b.pub.said(), []string{models.TypeInstanceCreated + " /party/" + party + " /person/" + person})
	})
	t.Run("NotFoundIsUndecided", func(t *testing.T) {
		t.Parallel()
		b := setup(t, withLookup(models.InstanceOwner{}, errOwner))
		b.PUT("/:o/:a/instances/:p/:g/process/next", moved)
		if rec := b.do(http.MethodPut, next); rec.Code != 200 {
			t.Errorf("status is %d", rec.Code)
		}
		equal(t, b.pub.said(), nil)
		if len(b.observed) != 1 || !errors.Is(b.observed[0], errOwner) || !errors.Is(b.observed[0], middleware.ErrUndecided) {
			t.Errorf("ErrorHandler was told %v", b.observed)
		}
	})
}

func TestAppLifecycle_Copy(t *testing.T) {
	t.Parallel()
	const want = models.TypeInstanceCreated + " /party/" + party
	for _, tc := range []struct {
		name, location string
		want           []string
		fault          string
	}{
		{"FrontendLink", "https://ttd.apps.altinn.no/ttd/apps-test/#/instance/" + party + "/" + guid, []string{want}, ""},
		{"SelfLink", "https://ttd.apps.altinn.no/ttd/apps-test/instances/" + party + "/" + guid, []string{want}, ""},
		{"Relative", "instances/" + party + "/" + guid + "/", []string{want}, ""},
		{"Query", "/instances/" + party + "/" + guid + "?lang=nb", []string{want}, ""},
		{"NoLocation", "", nil, "Location"},
		{"NoInstance", "/", nil, "Location"},
		{"OtherLocation", "/ttd/apps-test/start", nil, "source"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, middleware.AppLifecycleConfig{})
			b.GET("/ttd/apps-test/legacy/instances/:p/:g/copy", func(c echo.Context) error {
				if tc.location != "" {
					c.Response().Header().Set(echo.HeaderLocation, tc.location)
				}
				return c.NoContent(http.StatusFound)
			})
			rec := b.do(http.MethodGet, "/ttd/apps-test/legacy/instances/1337/"+guid+"/copy")
			if rec.Code != http.StatusFound || rec.Header().Get(echo.HeaderLocation) != tc.location {
				t.Errorf("answer is %d to %q", rec.Code, rec.Header().Get(echo.HeaderLocation))
			}
			equal(t, b.pub.said(), tc.want)
			faulty(t, b.observed, tc.fault)
		})
	}
}

func TestAppLifecycle_Undecided(t *testing.T) {
	t.Parallel()
	const (
		create = "/ttd/apps-test/instances"
		next   = "/ttd/apps-test/instances/" + party + "/" + guid + "/process/next"
	)
	for _, tc := range []struct {
		name, method, target, body, fault string
	}{
		{"Empty", "POST", create, "", "JSON ends"},
		{"NoJSON", "POST", create, "<instance/>", "malformed JSON at byte 0"},
		{"Truncated", "POST", create, instanceJSON[:len(instanceJSON)-1], "JSON ends"},
		{"MalformedAfterWhatIsRead", "POST", create, strings.Replace(instanceJSON, "401", "4x1", 1), "malformed JSON"},
		{"Null", "POST", create, "null", "malformed JSON"},
		{"Array", "POST", create, "[" + instanceJSON + "]", "malformed JSON"},
		{"NoID", "POST", create, `{"instanceOwner":{"partyId":"` + party + `"}}`, "no id"},
		{"WrongType", "POST", create, `{"id":"` + party + "/" + guid + `","instanceOwner":{"partyId":50019855}}`, "instanceOwner.partyId is a JSON number"},
		{"WrongShape", "POST", create, `{"id":"` + party + "/" + guid + `","instanceOwner":"` + person + `"}`, "instanceOwner is a JSON string"},
		{"PartyIsNoNumber", "POST", create, `{"id":"me/` + guid + `","instanceOwner":{"partyId":"me"}}`, "subject"},
		{"NoGUID", "POST", create, `{"id":"` + party + `/1"}`, "source"},
		{"NeitherTaskNorEnd", "PUT", next, `{"currentTask":null,"endEvent":null}`, "neither currentTask.elementId nor endEvent"},
		{"TaskWithoutID", "PUT", next, `{"currentTask":{}}`, "neither currentTask.elementId nor endEvent"},
		{"PartyOfRouteIsNoNumber", "PUT", strings.Replace(next, party, "me", 1), `{"endEvent":"End"}`, "subject"},
	} {
		for _, closed := range []bool{false, true} {
			name, status := tc.name+"/FailOpen", 201
			if closed {
				name, status = tc.name+"/FailClosed", 500
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := setup(t, middleware.AppLifecycleConfig{FailClosed: closed})
				b.POST("/:org/:app/instances", serve(201, tc.body))
				b.PUT("/:org/:app/instances/:p/:g/process/next", serve(201, tc.body))
				rec := b.do(tc.method, tc.target)
				if rec.Code != status {
					t.Errorf("status is %d, want %d", rec.Code, status)
				}
				if !closed && rec.Body.String() != tc.body {
					t.Errorf("body is %q, want it as the handler wrote it", rec.Body)
				}
				if b.pub.calls != 0 {
					t.Errorf("published %v", b.pub.said())
				}
				faulty(t, b.observed, tc.fault)
			})
		}
	}
}

func TestAppLifecycle_UnsetParameters(t *testing.T) {
	t.Parallel()
	b := setup(t, middleware.AppLifecycleConfig{})
	b.PUT("/instances/:p/:g/process/next", func(c echo.Context) error {
		c.SetParamNames()
		return serve(200, `{"endEvent":"End"}`)(c)
	})
	if rec := b.do(http.MethodPut, "/instances/"+party+"/"+guid+"/process/next"); rec.Code != 200 {
		t.Errorf("status is %d", rec.Code)
	}
	faulty(t, b.observed, "source")
}

// faulty checks that ErrorHandler was told of one fault, named so, and of the
// route, and of no number of a person. An empty fault is none.
func faulty(t *testing.T, observed []error, fault string) {
	t.Helper()
	if fault == "" {
		if len(observed) != 0 {
			t.Errorf("ErrorHandler was told %v", observed)
		}
		return
	}
	if len(observed) != 1 {
		t.Fatalf("ErrorHandler was told %v, want one error", observed)
	}
	err := observed[0]
	_, invalid := errors.AsType[*models.ValidationError](err)
	if !invalid && !errors.Is(err, middleware.ErrUndecided) {
		t.Errorf("%v: neither ErrUndecided nor a ValidationError", err)
	}
	if text := err.Error(); !strings.Contains(text, fault) || !strings.Contains(text, " /") || strings.Contains(text, person) {
		t.Errorf("error is %q, want it to name the route and %q", text, fault)
	}
}
