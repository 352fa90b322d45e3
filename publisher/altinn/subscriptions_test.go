package altinn_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/testutil"
)

// webhook answers what is pushed, in process.
type webhook func(*http.Request) int

func (h webhook) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: h(r), Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

func answers(status int) webhook { return func(*http.Request) int { return status } }

// subscriber is a client of a sink whose webhooks answer as said.
func subscriber(tb testing.TB, hook webhook) (*altinn.Client, *testutil.Sink) {
	tb.Helper()
	sink := testutil.NewSinkWithConfig(tb, testutil.SinkConfig{WebhookTransport: hook})
	client, err := altinn.NewClient("https://platform.altinn.no", altinn.Config{Credentials: sink.Credentials(), Transport: sink.Transport()})
	if err != nil {
		tb.Fatal(err)
	}
	return client, sink
}

const hookURL = "https://app.example.com/events?code=secret"

var toBroker = altinn.Subscription{
	EndPoint: hookURL, ResourceFilter: "urn:altinn:resource:files", TypeFilter: models.TypeBrokerPublished, SubjectFilter: "/party/1",
}

func TestClient_Subscriptions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, _ := subscriber(t, answers(http.StatusOK))
		made, err := client.Subscribe(t.Context(), toBroker)
		if err != nil {
			t.Fatal(err)
		}
		want := toBroker
		want.ID, want.Consumer, want.CreatedBy, want.Created = 1, "/org/ttd", "/org/ttd", time.Now().UTC()
		if diff := cmp.Diff(want, made); diff != "" {
			t.Errorf("made (-want +got):\n%s", diff)
		}
		synctest.Wait()
		want.Validated = true
		if again, err := client.Subscribe(t.Context(), toBroker); err != nil || again.ID != 1 {
			t.Errorf("the same again: %+v, %v", again, err)
		}
		if got, err := client.Subscription(t.Context(), 1); err != nil || !cmp.Equal(want, got) {
			t.Errorf("Subscription = %+v, %v", got, err)
		}
		if got, err := client.Subscriptions(t.Context()); err != nil || !cmp.Equal([]altinn.Subscription{want}, got) {
			t.Errorf("Subscriptions = %+v, %v", got, err)
		}
		for range 2 {
			if err := client.Unsubscribe(t.Context(), 1); err != nil {
				t.Errorf("Unsubscribe = %v", err)
			}
		}
		_, err = client.Subscription(t.Context(), 1)
		if refused, ok := errors.AsType[*altinn.ResponseError](err); !ok || refused.Status != http.StatusNotFound {
			t.Errorf("Subscription of none = %v", err)
		}
	})
}

// Every trap is refused with what is wrong, and nothing is sent; who insists gets what
// the service says.
func TestSubscription_Validate(t *testing.T) {
	t.Parallel()
	app := altinn.Subscription{EndPoint: hookURL, SourceFilter: "https://ttd.apps.altinn.no/ttd/apps-test"}
	for name, tt := range map[string]struct {
		from   altinn.Subscription
		change func(*altinn.Subscription)
		want   string // of the error; empty for none
	}{
		"App":               {app, func(*altinn.Subscription) {}, ""},
		"Broker":            {toBroker, func(*altinn.Subscription) {}, ""},
		"AppAlternative":    {app, func(s *altinn.Subscription) { s.AlternativeSubjectFilter = "/person/01017512345" }, ""},
		"Loopback":          {app, func(s *altinn.Subscription) { s.EndPoint = "http://localhost:5005/x" }, ""},
		"AppType":           {app, func(s *altinn.Subscription) { s.TypeFilter = "app.instance.process.movedTo.Task_1" }, ""},
		"NoEndpoint":        {app, func(s *altinn.Subscription) { s.EndPoint = "" }, "endPoint: is no https URL"},
		"HTTP":              {app, func(s *altinn.Subscription) { s.EndPoint = "http://example.com/" }, "endPoint: is no https URL"},
		"UpperResource":     {toBroker, func(s *altinn.Subscription) { s.ResourceFilter = "urn:altinn:resource:Files" }, "resourceFilter: has upper case"},
		"NoURN":             {toBroker, func(s *altinn.Subscription) { s.ResourceFilter = "files" }, "resourceFilter: is no URN"},
		"NoResource":        {toBroker, func(s *altinn.Subscription) { s.ResourceFilter = "" }, "resourceFilter: is missing"},
		"Slash":             {app, func(s *altinn.Subscription) { s.SourceFilter += "/" }, "sourceFilter: ends with a slash"},
		"OrgOnly":           {app, func(s *altinn.Subscription) { s.SourceFilter = "https://ttd.apps.altinn.no/ttd" }, "not /{org}/{app}"},
		"SourceHTTP":        {app, func(s *altinn.Subscription) { s.SourceFilter = "http://ttd.apps.altinn.no/ttd/a" }, "sourceFilter: is no https URL"},
		"BrokerSource":      {toBroker, func(s *altinn.Subscription) { s.SourceFilter = "https://platform.altinn.no/broker/api/v1/filetransfer" }, "sourceFilter: is refused by the service"},
		"BrokerAlternative": {toBroker, func(s *altinn.Subscription) { s.AlternativeSubjectFilter = "/organisation/986252933" }, "alternativeSubjectFilter: is refused"},
		"UpperType":         {toBroker, func(s *altinn.Subscription) { s.TypeFilter = "no.altinn.broker.Published" }, "events of Broker have no.altinn.broker.published"},
		"NoSuchType":        {toBroker, func(s *altinn.Subscription) { s.TypeFilter = "no.altinn.broker.downloaded" }, "is no type of Broker; there are no.altinn.broker."},
		"Wildcard":          {app, func(s *altinn.Subscription) { s.TypeFilter = "app.instance.*" }, "compare types whole"},
		"Space":             {toBroker, func(s *altinn.Subscription) { s.SubjectFilter = " /party/1" }, "subjectFilter: begins or ends with white space"},
		"Subunits":          {altinn.Subscription{EndPoint: hookURL, ResourceFilter: "urn:altinn:resource:x"}, func(s *altinn.Subscription) { s.IncludeSubunits = true }, "needs a subjectFilter"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, sink := subscriber(t, answers(http.StatusOK))
				sub := tt.from
				tt.change(&sub)
				asked := 0
				sink.Intercept(func(testutil.Request) testutil.Reply { asked++; return testutil.Reply{} })
				if tt.want == "" {
					if err := sub.Validate(); err != nil {
						t.Errorf("Validate = %v", err)
					}
					return
				}
				_, err := client.Subscribe(t.Context(), sub)
				if _, ok := errors.AsType[*models.ValidationError](err); !ok || !strings.Contains(err.Error(), tt.want) || asked > 0 {
					t.Errorf("Subscribe = %v after %d requests, want %q before any", err, asked, tt.want)
				}
				if err != nil && strings.Contains(err.Error(), "secret") {
					t.Errorf("the error has the webhook's secret: %v", err)
				}
				sub.Insist = true
				if _, _ = client.Subscribe(t.Context(), sub); asked == 0 {
					t.Error("Insist sent nothing")
				}
			})
		})
	}
}

func TestSubscription_String(t *testing.T) {
	t.Parallel()
	s := toBroker
	s.ID, s.SubjectFilter, s.AlternativeSubjectFilter, s.IncludeSubunits = 7, "urn:altinn:person:identifier-no:01017512345", "/person/01017512345", true
	got := fmt.Sprint(s)
	if strings.Contains(got, "secret") || strings.Contains(got, "01017512345") || !strings.HasPrefix(got, "#7 to https://app.example.com/events, resource urn:altinn:resource:files") {
		t.Errorf("String = %s", got)
	}
}

// What is missing is made and validated, what is there is kept, what is another's is
// left alone, and what is not wanted any more goes if asked.
func TestClient_Ensure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, sink := subscriber(t, answers(http.StatusOK))
		ctx := t.Context()
		app := altinn.Subscription{EndPoint: hookURL, SourceFilter: "https://ttd.apps.altinn.no/ttd/apps-test"}
		old := altinn.Subscription{EndPoint: "https://app.example.com/events?code=older", ResourceFilter: "urn:altinn:resource:files"}
		other := altinn.Subscription{EndPoint: "https://other.example.com/", ResourceFilter: "urn:altinn:resource:files"}
		for _, s := range []altinn.Subscription{toBroker, old, other} {
			if _, err := client.Subscribe(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		const want = `  keep    #1 to https://app.example.com/events, resource urn:altinn:resource:files, subject /party/1, type no.altinn.broker.published
+ create  to https://app.example.com/events, source https://ttd.apps.altinn.no/ttd/apps-test
- delete  #2 to https://app.example.com/events, resource urn:altinn:resource:files
? unknown #3 to https://other.example.com/, resource urn:altinn:resource:files
`
		plan, err := client.Ensure(ctx, altinn.EnsureConfig{DryRun: true, Delete: true}, toBroker, app)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, plan.String()); diff != "" || len(sink.Subscriptions()) != 3 {
			t.Errorf("plan, which changes nothing (-want +got):\n%s", diff)
		}
		for _, remove := range []bool{false, true} {
			if plan, err = client.Ensure(ctx, altinn.EnsureConfig{Delete: remove}, toBroker, app); err != nil {
				t.Fatal(err)
			}
			var ids []int
			for _, s := range sink.Subscriptions() {
				ids = append(ids, s.ID)
				if !s.Validated {
					t.Errorf("subscription %d is not validated", s.ID)
				}
			}
			wantIDs := map[bool][]int{false: {1, 2, 3, 4}, true: {1, 3, 4}}[remove]
			if diff := cmp.Diff(wantIDs, ids); diff != "" {
				t.Errorf("delete %t: registered (-want +got):\n%s", remove, diff)
			}
		}
		if len(plan.Keep) != 2 || len(plan.Create) != 0 {
			t.Errorf("the second time: %v", plan)
		}
	})
}

// Replicas that start at once make each subscription once.
func TestClient_EnsureFromReplicas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, sink := subscriber(t, answers(http.StatusOK))
		app := altinn.Subscription{EndPoint: hookURL, SourceFilter: "https://ttd.apps.altinn.no/ttd/apps-test"}
		done := make(chan error)
		for range 8 {
			go func() {
				_, err := client.Ensure(t.Context(), altinn.EnsureConfig{Delete: true}, toBroker, app)
				done <- err
			}()
		}
		for range 8 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if n := len(sink.Subscriptions()); n != 2 {
			t.Errorf("%d subscriptions, want 2", n)
		}
	})
}

func TestClient_EnsureErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ready := time.Now().Add(2 * time.Minute)
		client, sink := subscriber(t, func(*http.Request) int {
			if time.Now().Before(ready) {
				return http.StatusServiceUnavailable
			}
			return http.StatusOK
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := client.Ensure(ctx, altinn.EnsureConfig{}, toBroker)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "is not validated: its webhook has not answered") {
			t.Errorf("Ensure of a webhook that does not answer = %v", err)
		}
		if plan, err := client.Ensure(t.Context(), altinn.EnsureConfig{}, toBroker); err != nil || !plan.Keep[0].Validated {
			t.Errorf("when it does: %v, %v", plan, err)
		}
		_, err = client.Ensure(t.Context(), altinn.EnsureConfig{}, toBroker, altinn.Subscription{})
		if _, ok := errors.AsType[*models.ValidationError](err); !ok || !strings.Contains(err.Error(), "subscription 1: ") {
			t.Errorf("Ensure of a bad one = %v", err)
		}
		sink.Inject(testutil.Fault{Endpoint: "/subscriptions", Status: http.StatusBadGateway, Times: 1})
		if _, err := client.Ensure(t.Context(), altinn.EnsureConfig{}, toBroker); !errors.Is(err, publisher.ErrUnavailable) {
			t.Errorf("Ensure while the service is down = %v", err)
		}
	})
}
