package outbox_test

import (
	"fmt"
	"testing"

	"github.com/altinn-go/events/publisher/outbox"
)

func TestStatus_String(t *testing.T) {
	t.Parallel()
	got := fmt.Sprint(outbox.StatusPending, outbox.StatusSending, outbox.StatusDelivered, outbox.StatusDiscarded, outbox.Status(9))
	if want := "pending sending delivered discarded unknown"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
