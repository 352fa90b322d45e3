package middleware_test

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
)

// The Broker API's answers name no parties, so the file transfer is looked up.
func ExampleBrokerLifecycle() {
	var pub printer
	broker := models.Broker{PlatformURL: "https://platform.tt02.altinn.no"}
	lookup := func(_ context.Context, fileTransferID string) (models.FileTransfer, error) {
		return models.FileTransfer{
			ID:         fileTransferID,
			ResourceID: "altinn-broker-test-resource-1",
			Status:     models.FileTransferPublished,
			Sender:     "0192:989271156",
			Recipients: []models.Recipient{{Recipient: "0192:991825827"}},
		}, nil
	}
	partyID := func(_ context.Context, organisationNumber string) (string, error) {
		return map[string]string{"989271156": "50015641", "991825827": "50015642"}[organisationNumber], nil
	}

	e := echo.New()
	e.Use(middleware.BrokerLifecycle(pub, broker, lookup, partyID))
	e.POST("/broker/api/v1/filetransfer/:id/upload", func(c echo.Context) error {
		return c.JSON(http.StatusOK, map[string]string{"fileTransferId": c.Param("id")})
	})

	call(e, http.MethodPost, "/broker/api/v1/filetransfer/da4ceacc-ad44-4e54-99b6-b58e3c13c785/upload")
	// Output:
	// no.altinn.broker.published /party/50015641
	// no.altinn.broker.published /party/50015642
	// 200
}
