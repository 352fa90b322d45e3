package altinn_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/credentials"
)

// An app event, encoded and posted by hand. Programs leave both to a Publisher.
func ExampleClient_Post() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path, r.Header.Get("Content-Type"))
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `"4815d141-8cf6-4555-8c3c-e069c7b80c79"`)
	}))
	defer service.Close()

	client, err := altinn.NewClient(service.URL, altinn.Config{
		Credentials: altinn.Credentials{
			PlatformAccessToken: credentials.Static("platform-access-token"),
			Bearer:              credentials.Static("altinn-token"),
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	app := models.App{Org: "ttd", Name: "apps-test"}
	created := app.Created(models.Instance{
		ID:            "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
		InstanceOwner: models.InstanceOwner{PartyID: "50019855"},
	})
	item, err := client.Encoder().Encode(created, created.Time(), "")
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := client.Post(context.Background(), item)
	fmt.Println(id, err)
	// Output:
	// POST /events/api/v1/app application/json
	// 4815d141-8cf6-4555-8c3c-e069c7b80c79 <nil>
}

// What a caller does next follows from the class of the error; the details are in
// the ResponseError.
func ExampleResponseError() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"title":"Too Many Requests","detail":"Quota exceeded."}`)
	}))
	defer service.Close()

	client, err := altinn.NewClient(service.URL, altinn.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	app := models.App{Org: "ttd", Name: "apps-test"}
	pub, err := publisher.New(client, publisher.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = pub.Publish(context.Background(), app.Event("app.instance.approved", models.Instance{
		ID:            "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
		InstanceOwner: models.InstanceOwner{PartyID: "50019855"},
	}))
	fmt.Println("try again:", errors.Is(err, publisher.ErrUnavailable))
	if answer, ok := errors.AsType[*altinn.ResponseError](err); ok {
		fmt.Println("after:", answer.RetryAfter)
		fmt.Println(answer)
	}
	// Output:
	// try again: true
	// after: 2m0s
	// POST /app: 429 Too Many Requests: Quota exceeded.
}
