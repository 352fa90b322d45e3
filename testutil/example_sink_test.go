package testutil_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/testutil"
)

// The code under test is given a publisher that delivers to the sink.
func Example() {
	runTest(func(t *exampleTB) { // in your package: func TestApprove(t *testing.T) {
		sink := testutil.NewSink(t)
		pub := sink.Publisher(t)

		app := models.App{Org: "ttd", Name: "apps-test"}
		instance := models.Instance{
			ID:            "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
			InstanceOwner: models.InstanceOwner{PartyID: "50019855"},
		}
		if err := pub.Publish(t.Context(), app.Created(instance)); err != nil {
			t.Fatal(err)
		}

		ev := sink.Require(t, testutil.Want{Type: models.TypeInstanceCreated, Subject: "/party/50019855"})
		fmt.Println(ev.Source())
		fmt.Println(ev.Extensions()["resource"])
	})
	// Output:
	// https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd
	// urn:altinn:resource:app_ttd_apps-test
}

// The page may stand below any path of a program's own.
func ExampleSink_Inspector() {
	sink, err := testutil.StartSink(testutil.SinkConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sink.Close()

	mux := http.NewServeMux()
	mux.Handle("/inspector/", http.StripPrefix("/inspector", sink.Inspector()))

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "http://localhost/inspector/", http.NoBody))
	fmt.Println(answer.Code, answer.Header().Get("Content-Type"))
	// Output:
	// 200 text/html; charset=utf-8
}

// A failure shows the nearest misses. Identity numbers are masked in it.
func ExampleSink_Require() {
	runTest(func(t *exampleTB) {
		sink := testutil.NewSink(t)
		if err := sink.Publisher(t).Publish(t.Context(), instanceCreated()); err != nil {
			t.Fatal(err)
		}
		sink.Require(t, testutil.Want{
			Type:               models.TypeProcessCompleted,
			Subject:            "/party/50019855",
			AlternativeSubject: "/person/16069412345",
		})
	})
	// Output:
	// No event matches:
	//     type: "app.instance.process.completed"
	//     subject: "/party/50019855"
	//     alternativesubject: "/person/***********"
	// The sink has 1 event.
	//
	// #1 POST /app meets 1 of 3 (-want +got):
	//   - type: "app.instance.process.completed"
	//   + type: "app.instance.created"
	//     subject: "/party/50019855"
	//   ! alternativesubject: "/person/***********" (differs in the masked digits)
}

// The service takes the event, but its answer is lost on the way: the retry makes
// a second event, because POST /app gives each its own id.
func ExampleSink_Inject() {
	runTest(func(t *exampleTB) {
		sink := testutil.NewSink(t)
		sink.Inject(testutil.Fault{Endpoint: "/app", Reset: true, Stored: true, Times: 1})

		pub := sink.PublisherWithConfig(t, publisher.Config{
			Retry: publisher.RetryPolicy{MaxAttempts: 2, Base: time.Millisecond},
		})
		if err := pub.Publish(t.Context(), instanceCreated()); err != nil {
			t.Fatal(err)
		}
		fmt.Println(len(sink.Events()), "events")
	})
	// Output: 2 events
}

// The hook sees every request and may answer in the sink's place.
func ExampleSink_Intercept() {
	runTest(func(t *exampleTB) {
		sink := testutil.NewSink(t)
		attempts := 0
		lift := sink.Intercept(func(testutil.Request) testutil.Reply {
			attempts++
			return testutil.Reply{Status: 401, Body: []byte(`"ttd/other is not authorized to create events for https://ttd.apps.altinn.no/ttd/apps-test"`)}
		})
		err := sink.Publisher(t).Publish(t.Context(), instanceCreated())
		lift()
		fmt.Println(errors.Is(err, publisher.ErrRejected), attempts)
	})
	// Output: true 1
}

// runTest runs a test of an example. Its failures go to the output.
func runTest(test func(t *exampleTB)) {
	t := &exampleTB{}
	defer t.finish()
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(t)
	}()
	<-done
}
