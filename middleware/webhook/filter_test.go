package webhook_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/middleware/webhook"
	"github.com/altinn-go/events/models"
)

// What a subscription cannot filter is left out here, and answered as done.
func TestOnly(t *testing.T) {
	t.Parallel()
	body := func(n int, subject, alternative, transfer string) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"https://platform.altinn.no/broker/api/v1/filetransfer","type":"no.altinn.broker.published",`+
			`"subject":%q,"alternativesubject":%q,"resource":"urn:altinn:resource:r","resourceinstance":%q}`, n, subject, alternative, transfer)
	}
	events := []string{
		body(0, "/party/1", "/organisation/986252933", "a"),
		body(1, "/party/2", "/organisation/897069650", "a"),
		body(2, "urn:altinn:organization:identifier-no:986252933", "", "b"),
		body(3, "/party/1", "", "b"),
	}
	for name, tt := range map[string]struct {
		conditions []func(webhook.Received) bool
		want       []string
	}{
		"All":          {nil, []string{"0", "1", "2", "3"}},
		"Organisation": {[]func(webhook.Received) bool{webhook.To("/organisation/986252933")}, []string{"0", "2"}},
		"URN":          {[]func(webhook.Received) bool{webhook.To("urn:altinn:organization:identifier-no:986252933")}, []string{"0", "2"}},
		"Parties":      {[]func(webhook.Received) bool{webhook.To("/party/1", "/party/2")}, []string{"0", "1", "3"}},
		"Nobody":       {[]func(webhook.Received) bool{webhook.To()}, nil},
		"Transfer":     {[]func(webhook.Received) bool{webhook.About("b", "c")}, []string{"2", "3"}},
		"Both":         {[]func(webhook.Received) bool{webhook.About("b"), webhook.To("/party/1")}, []string{"3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			rc := newReceiver(t, webhook.Config{})
			// By type: those that a recipient is sent.
			for _, eventType := range models.BrokerTypes(models.BrokerRecipient) {
				rc.On(eventType, webhook.Only(func(_ context.Context, r webhook.Received) error {
					got = append(got, r.Event.ID())
					return nil
				}, tt.conditions...))
			}
			for _, event := range events {
				if status := send(t, rc, target, event); status != 200 {
					t.Errorf("%d", status)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("handled (-want +got):\n%s", diff)
			}
		})
	}
}
