package testutil_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/testutil"
)

func brokerEvent(tb testing.TB, edits ...string) event.Event {
	tb.Helper()
	sink := openSink(tb)
	postEvent(tb, sink, "e1", edits...)
	return sink.Events()[0]
}

// Each trap that makes a subscription silent is named.
func TestSink_Explain(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{
		Parties: []testutil.Party{
			{PartyID: 500600, OrganisationNumber: "987654321"}, {PartyID: 500700, OrganisationNumber: "897069631", MainUnit: 500600},
		},
		Policy: []testutil.PolicyRule{{Consumer: "/org/skd", Action: testutil.ActionSubscribe, Decision: testutil.Deny}},
	})
	const resource = "urn:altinn:resource:altinn-broker-test-resource-1"
	good := testutil.Subscription{ResourceFilter: resource, Validated: true, Consumer: "/org/ttd"}
	for name, tt := range map[string]struct {
		change func(*testutil.Subscription)
		edits  []string
		failed string // name of the criterion
		hint   string
	}{
		"Matches":      {func(*testutil.Subscription) {}, nil, "", ""},
		"NotValidated": {func(s *testutil.Subscription) { s.Validated = false }, nil, "validated", "has not answered"},
		"Resource":     {func(s *testutil.Subscription) { s.ResourceFilter = "urn:x" }, nil, "resourceFilter", ""},
		"TypeCase":     {func(s *testutil.Subscription) { s.TypeFilter = new("no.altinn.broker.Published") }, nil, "typeFilter", "upper and lower case"},
		"TypeEmpty":    {func(s *testutil.Subscription) { s.TypeFilter = new("") }, nil, "typeFilter", "empty"},
		"Type":         {func(s *testutil.Subscription) { s.TypeFilter = new("no.altinn.broker.published") }, nil, "", ""},
		"Subject":      {func(s *testutil.Subscription) { s.SubjectFilter = new("/party/1") }, nil, "subjectFilter", ""},
		"SubjectEmpty": {func(s *testutil.Subscription) { s.SubjectFilter = new("") }, nil, "subjectFilter", "empty"},
		"Source": {func(s *testutil.Subscription) {
			s.SourceFilter = new("https://platform.tt02.altinn.no/broker/api/v1/filetransfer/")
		}, nil, "sourceFilter", "slash"},
		"SourceElsewhere": {func(s *testutil.Subscription) { s.SourceFilter = new("https://example.com/") }, nil, "sourceFilter", ""},
		"Policy":          {func(s *testutil.Subscription) { s.Consumer = "/org/skd" }, nil, "policy", ""},
		"SubUnit": {func(s *testutil.Subscription) {
			s.SubjectFilter, s.IncludeSubunits = new("urn:altinn:organization:identifier-no:987654321"), true
		}, []string{"/party/50015641", "urn:altinn:organization:identifier-no:897069631"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sub := good
			tt.change(&sub)
			var failed, hint string
			for _, c := range sink.Explain(sub, brokerEvent(t, tt.edits...)) {
				if !c.OK {
					failed, hint = c.Name, c.Hint
				}
			}
			if failed != tt.failed || !strings.Contains(hint, tt.hint) {
				t.Errorf("failed is %q (%s), want %q (%s)", failed, hint, tt.failed, tt.hint)
			}
		})
	}
}

// What Explain says and what is pushed agree.
func TestSink_MatchCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{
			Auth: testutil.AuthOff, MatchCache: time.Hour,
			WebhookTransport: hook(func(*http.Request) (int, error) { return http.StatusOK, nil }),
		})
		pushed := func() (ids []string) {
			synctest.Wait()
			for _, d := range sink.Deliveries() {
				if !d.Validation {
					ids = append(ids, d.Event.ID())
				}
			}
			slices.Sort(ids) // deliveries overtake each other
			return ids
		}
		postEvent(t, sink, "e1")
		subscribe(t, sink, webhookURL)
		synctest.Wait()
		postEvent(t, sink, "e2")
		if got := pushed(); got != nil {
			t.Errorf("pushed %v within the hour of an event before the subscription", got)
		}
		time.Sleep(time.Hour)
		postEvent(t, sink, "e3")
		req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://sink/events/api/v1/subscriptions/1", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := sink.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		postEvent(t, sink, "e4")
		if diff := cmp.Diff([]string{"e3", "e4"}, pushed()); diff != "" {
			t.Errorf("pushed within the hour after the subscription went (-want +got):\n%s", diff)
		}
		time.Sleep(time.Hour)
		postEvent(t, sink, "e5")
		if got := pushed(); len(got) != 2 {
			t.Errorf("pushed %v, want nothing after the hour", got)
		}
	})
}
