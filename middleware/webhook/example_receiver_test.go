package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware/webhook"
	"github.com/altinn-go/events/models"
)

// A subscriber mounts a receiver on its Echo and says what to do with each type.
func Example() {
	receiver, err := webhook.New(webhook.Config{Secrets: []string{"a long and random secret"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	receiver.On(models.TypeInstanceCreated, func(_ context.Context, r webhook.Received) error {
		fmt.Println("created", r.Instance.ResourceInstance(), "of", r.Instance.App)
		return nil
	})
	receiver.On("app.instance.process.*", func(context.Context, webhook.Received) error { return webhook.ErrNotYet })
	e := echo.New()
	e.POST("/events", receiver.Echo())

	// What Altinn Events does.
	for _, eventType := range []string{"app.instance.created", "app.instance.process.completed", "app.instance.created"} {
		req := httptest.NewRequest(http.MethodPost, "/events?code=a+long+and+random+secret", strings.NewReader(`{"specversion":"1.0",`+
			`"id":"`+eventType+`","type":"`+eventType+`","resource":"urn:altinn:resource:app_ttd_apps-test",`+
			`"source":"https://ttd.apps.altinn.no/ttd/apps-test/instances/1337/428a4575-2c04-4400-89a3-1aaadd2579cd"}`))
		req.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		e.ServeHTTP(answer, req)
		fmt.Println(answer.Code)
	}
	// Output:
	// created 1337/428a4575-2c04-4400-89a3-1aaadd2579cd of apps-test
	// 200
	// 425
	// 200
}
