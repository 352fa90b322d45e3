package altinn_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/testutil"
)

func publishBroker(t *testing.T, sink *testutil.Sink, ids ...string) {
	t.Helper()
	var lines strings.Builder
	for _, id := range ids {
		id, source, _ := strings.Cut(id, "@")
		fmt.Fprintf(&lines, `{"specversion":"1.0","id":%q,"source":"https://platform.altinn.no/%s","type":"no.altinn.broker.published","subject":"/party/1",`+
			`"alternativesubject":"/organisation/986252933","resource":"urn:altinn:resource:files","data":{"n":9007199254740993}}`+"\n", id, source)
	}
	if _, err := sink.Replay(strings.NewReader(lines.String())); err != nil {
		t.Fatal(err)
	}
}

// collect reads up to n events, and the error that ended them.
func collect(events iter.Seq2[event.Event, error], n int) (ids []string, err error) {
	for ev, e := range events {
		if e != nil {
			return ids, e
		}
		if ids = append(ids, ev.ID()); len(ids) == n {
			break
		}
	}
	return ids, nil
}

func TestClient_Events(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, sink := subscriber(t, nil)
		var want []string
		for n := range 23 {
			want = append(want, fmt.Sprint("e", n))
		}
		publishBroker(t, sink, want...)
		requests := 0
		sink.Intercept(func(testutil.Request) testutil.Reply { requests++; return testutil.Reply{} })
		for name, q := range map[string]altinn.Query{
			"Resource":    {Resource: "urn:altinn:resource:files", PageSize: 10},
			"Subject":     {Resource: "urn:altinn:resource:files", PageSize: 10, Subject: "/party/1"},
			"Alternative": {Resource: "urn:altinn:resource:files", PageSize: 10, AlternativeSubject: "/organisation/986252933"},
			"Types":       {Resource: "urn:altinn:resource:files", PageSize: 10, Types: []string{"x", "no.altinn.%"}},
		} {
			got, err := collect(client.Events(t.Context(), q), -1)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
			}
			if got, err := collect(client.Events(t.Context(), func() altinn.Query { q.After = "e20"; return q }()), -1); err != nil || fmt.Sprint(got) != "[e21 e22]" {
				t.Errorf("%s: after e20: %v, %v", name, got, err)
			}
		}
		for ev, err := range client.Events(t.Context(), altinn.Query{Resource: "urn:altinn:resource:files"}) {
			if err != nil || string(ev.Data()) != `{"n":9007199254740993}` || ev.Extensions()["alternativesubject"] != "/organisation/986252933" {
				t.Fatalf("event is %v, %v", ev, err)
			}
		}
		requests = 0
		if _, err := collect(client.Events(t.Context(), altinn.Query{Resource: "urn:altinn:resource:files", PageSize: 10}), 5); err != nil || requests != 1 {
			t.Errorf("five events took %d requests, %v; want 1", requests, err)
		}
	})
}

func TestClient_AppEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, sink := subscriber(t, nil)
		if err := sink.SetParties([]testutil.Party{{PartyID: 1, PersonNumber: "01038712345"}, {PartyID: 2, OrganisationNumber: "986252933"}}); err != nil {
			t.Fatal(err)
		}
		pub := sink.Publisher(t)
		began := time.Now()
		for n, app := range []string{"a", "b", "a"} {
			party := strconv.Itoa(n%2 + 1)
			instance := models.Instance{ID: party + "/" + fmt.Sprintf("428a4575-2c04-4400-89a3-00000000000%d", n), InstanceOwner: models.InstanceOwner{PartyID: party}}
			if err := pub.Publish(t.Context(), models.App{Org: "ttd", Name: app}.Created(instance)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		for name, tt := range map[string]struct {
			query altinn.Query
			want  int
		}{
			"App":      {altinn.Query{Org: "ttd", App: "a"}, 2},
			"OtherApp": {altinn.Query{Org: "ttd", App: "c"}, 0},
			"AppParty": {altinn.Query{Org: "ttd", App: "a", Party: 2}, 0},
			"AppUnit":  {altinn.Query{Org: "ttd", App: "b", Unit: "986252933"}, 1},
			"Party":    {altinn.Query{Party: 1}, 2},
			"Person":   {altinn.Query{Person: "01038712345"}, 2},
			"Sources":  {altinn.Query{Party: 1, Sources: []string{"%/ttd/a/%"}}, 2},
			"From":     {altinn.Query{Org: "ttd", App: "a", From: began.Add(time.Minute)}, 1},
			"To":       {altinn.Query{Org: "ttd", App: "a", To: began.Add(time.Minute)}, 1},
			"Types":    {altinn.Query{Org: "ttd", App: "a", Types: []string{"APP.%"}}, 2},
		} {
			if got, err := collect(client.Events(t.Context(), tt.query), -1); err != nil || len(got) != tt.want {
				t.Errorf("%s: %d events, %v; want %d", name, len(got), err, tt.want)
			}
		}
	})
}

func TestQuery_Refuses(t *testing.T) {
	t.Parallel()
	client, sink := subscriber(t, nil)
	asked := 0
	sink.Intercept(func(testutil.Request) testutil.Reply { asked++; return testutil.Reply{} })
	for want, q := range map[string]altinn.Query{
		"Resource: is missing":                    {},
		"Resource: is no urn:altinn":              {Resource: "files"},
		"Resource: goes with":                     {Resource: "urn:altinn:resource:files", Party: 1},
		"excludes AlternativeSubject":             {Resource: "urn:altinn:resource:files", Subject: "a", AlternativeSubject: "b"},
		"App: and Org go together":                {Org: "ttd"},
		"Sources: are for":                        {Org: "ttd", App: "a", Sources: []string{"x"}},
		"Party: excludes":                         {Party: 1, Unit: "986252933"},
		"Unit: is not 9 digits":                   {Unit: "1"},
		"Person: is not 11 digits":                {Person: "0103871234"},
		"PageSize: is not":                        {Party: 1, PageSize: 1001},
		"Subject: and AlternativeSubject go with": {Party: 1, Subject: "a"},
	} {
		_, err := collect(client.Events(t.Context(), q), -1)
		if _, ok := errors.AsType[*models.ValidationError](err); !ok || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "0103871234") {
			t.Errorf("%+v: %v, want %q", q, err, want)
		}
	}
	if asked > 0 {
		t.Errorf("%d requests were sent", asked)
	}
}

// Pages from which the policy has taken everything do not end the reading.
func TestClient_EventsOnEmptyPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, sink := subscriber(t, nil)
		pub := sink.Publisher(t)
		for n := range 130 {
			app := "secret"
			if n == 120 {
				app = "open"
			}
			instance := models.Instance{ID: fmt.Sprintf("1/428a4575-2c04-4400-89a3-%012d", n), InstanceOwner: models.InstanceOwner{PartyID: "1"}}
			if err := pub.Publish(t.Context(), models.App{Org: "ttd", Name: app}.Created(instance)); err != nil {
				t.Fatal(err)
			}
		}
		if err := sink.SetPolicy([]testutil.PolicyRule{{Resource: "urn:altinn:resource:app_ttd_secret", Action: testutil.ActionRead, Decision: testutil.Deny}}); err != nil {
			t.Fatal(err)
		}
		if got, err := collect(client.Events(t.Context(), altinn.Query{Party: 1}), -1); err != nil || len(got) != 1 {
			t.Errorf("%d events, %v; want the one behind 120 that may not be read", len(got), err)
		}
	})
}

// An id that two sources use makes the service start a page anew for ever.
func TestClient_EventsOfOneID(t *testing.T) {
	t.Parallel()
	client, sink := subscriber(t, nil)
	publishBroker(t, sink, "e1@a", "e2@a", "e1@b")
	got, err := collect(client.Events(t.Context(), altinn.Query{Resource: "urn:altinn:resource:files"}), 100)
	if !errors.Is(err, altinn.ErrCursor) {
		t.Errorf("%v, %v; want ErrCursor", got, err)
	}
}

// Poll goes on over empty pages, new events and outages, and begins where it was.
func TestClient_Poll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, sink := subscriber(t, nil)
		var requests atomic.Int64
		sink.Intercept(func(testutil.Request) testutil.Reply { requests.Add(1); return testutil.Reply{} })
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		failures := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			for ev, err := range client.Poll(ctx, altinn.Query{Resource: "urn:altinn:resource:files"}, altinn.PollConfig{}) {
				if err != nil {
					failures++
					continue
				}
				got = append(got, ev.ID())
			}
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		// 1 s, doubling to 1 min: about 65 looks, each in the 4 sizes of an empty page.
		if looks := requests.Load() / 4; looks < 60 || looks > 70 {
			t.Errorf("%d looks in an hour without events, want about 65", looks)
		}
		publishBroker(t, sink, "e1", "e2")
		time.Sleep(2 * time.Minute)
		lift := sink.Inject(testutil.Fault{Endpoint: "/events", Method: http.MethodGet, Status: http.StatusServiceUnavailable})
		publishBroker(t, sink, "e3")
		time.Sleep(10 * time.Minute)
		lift()
		time.Sleep(2 * time.Minute)
		cancel()
		<-done
		if diff := cmp.Diff([]string{"e1", "e2", "e3"}, got); diff != "" || failures < 9 || failures > 20 {
			t.Errorf("%d failures; events (-want +got):\n%s", failures, diff)
		}
		for _, err := range client.Poll(t.Context(), altinn.Query{}, altinn.PollConfig{}) {
			if err == nil {
				t.Error("a query that cannot be meant gave an event")
			}
		}
	})
}
