package outboxtest_test

import (
	"testing"
	"testing/synctest"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/testutil/outboxtest"
)

func TestRun_Memory(t *testing.T) {
	t.Parallel()
	outboxtest.Run(t, outboxtest.Harness{
		NewStore: func(testing.TB) outboxtest.Store {
			return outboxtest.Store{Open: func(_ testing.TB, cfg outboxtest.Config) outboxtest.Queue {
				return outbox.NewMemory(outbox.Config{Capacity: cfg.Capacity, WhenFull: cfg.WhenFull, Workers: cfg.Workers})
			}}
		},
		Test: synctest.Test,
	})
}
