package credentials_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/credentials"
	"github.com/altinn-go/events/publisher/outbox"
)

// An event is sent in the name of the user whose request caused it, and in the
// service's own name when there is no request.
func ExampleUser() {
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Header.Get("Authorization"))
	}))
	defer service.Close()

	client, err := altinn.NewClient(service.URL, altinn.Config{
		Credentials: altinn.Credentials{Bearer: credentials.User(credentials.Static("service-token"))},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	item := outbox.Item{Endpoint: publisher.EndpointApp, Body: []byte("{}")}

	incoming := httptest.NewRequest(http.MethodPost, "/ttd/apps-test/instances", http.NoBody)
	incoming.AddCookie(&http.Cookie{Name: credentials.UserTokenCookie, Value: "user-token"})
	ctx := credentials.WithUserToken(incoming.Context(), credentials.UserTokenFromRequest(incoming))

	fmt.Println(client.Send(ctx, item))
	fmt.Println(client.Send(context.Background(), item))
	// Output:
	// Bearer user-token
	// <nil>
	// Bearer service-token
	// <nil>
}
