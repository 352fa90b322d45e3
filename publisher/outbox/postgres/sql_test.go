package postgres_test

import (
	"testing"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
)

func TestOf_UnknownStatus(t *testing.T) {
	t.Parallel()
	if text, err := postgres.Of("WHERE {status}", outbox.StatusDelivered); text != "WHERE state = 'completed'" || err != nil {
		t.Errorf("of = %q, %v", text, err)
	}
	if _, err := postgres.Of("WHERE {status}", outbox.Status(99)); err == nil {
		t.Error("of an unknown status = nil error, which would leave the statement without its condition")
	}
}
