package testutil

import "net/http"

// postWebhookReceiver is POST /tests/webhookreceiver, which takes anything.
//
// Source: Altinn/altinn-events, WebhookReceiverController.cs (2026-08).
func (s *Sink) postWebhookReceiver(x *exchange) {
	if x.acceptsBody("application/json") {
		x.empty(http.StatusOK, "")
	}
}
