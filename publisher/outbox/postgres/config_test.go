package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
)

func TestConfig_FaultsAreReportedTogether(t *testing.T) {
	t.Parallel()
	_, err := postgres.New(t.Context(), nil, postgres.Config{
		Schema:        `Bad"Name`,
		Workers:       -1,
		Capacity:      -2,
		WhenFull:      outbox.Refuse + 1,
		PollInterval:  time.Millisecond,
		KeepDelivered: -2,
		KeepDiscarded: -1,
	})
	if err == nil {
		t.Fatal("New = nil, want every fault")
	}
	for _, field := range []string{"Schema", "Workers", "Capacity", "WhenFull", "PollInterval", "KeepDelivered", "KeepDiscarded"} {
		if !strings.Contains(err.Error(), "postgres.Config: "+field+" is ") {
			t.Errorf("error does not name %s: %v", field, err)
		}
	}
}

func TestConfig_SchemaNames(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"app_ttd":               true,
		"a":                     true,
		strings.Repeat("a", 46): true,
		strings.Repeat("a", 47): false,
		"1st":                   false,
		"Upper":                 false,
		"drop table":            false,
		"x;y":                   false,
	} {
		err := postgres.Migrate(t.Context(), nil, postgres.Config{Schema: name, Workers: -1}) // never gets to the pool
		if got := !strings.Contains(err.Error(), "Schema"); got != ok {
			t.Errorf("schema %q: accepted %v, want %v", name, got, ok)
		}
	}
}
