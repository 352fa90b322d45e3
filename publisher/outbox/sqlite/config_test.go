package sqlite_test

import (
	"strings"
	"testing"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

func TestNew_NamesEveryFaultOfTheConfig(t *testing.T) {
	t.Parallel()
	_, err := sqlite.New(nil, sqlite.Config{
		Workers: -1, Capacity: -2, WhenFull: outbox.Refuse + 1, PollInterval: -2,
		KeepDelivered: -2, KeepDiscarded: -1, Synchronous: sqlite.Normal + 1,
	})
	if err == nil {
		t.Fatal("New = nil, want an error")
	}
	for _, field := range []string{
		"Workers", "Capacity", "WhenFull", "PollInterval", "KeepDelivered", "KeepDiscarded", "Synchronous",
	} {
		if !strings.Contains(err.Error(), "sqlite.Config: "+field+" is ") {
			t.Errorf("error %q does not name %s", err, field)
		}
	}
}

func TestSynchronous_String(t *testing.T) {
	t.Parallel()
	if got := sqlite.Full.String() + " " + sqlite.Normal.String(); got != "FULL NORMAL" {
		t.Errorf("got %q", got)
	}
}
