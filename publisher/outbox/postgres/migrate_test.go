package postgres_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
	"github.com/altinn-go/events/testutil/pgtest"
)

func TestMigrate_FromManyProcessesAndAgain(t *testing.T) {
	t.Parallel()
	address := pgtest.URL(t)
	var all sync.WaitGroup
	for range 4 {
		pool := newPool(t, address)
		all.Go(func() {
			for range 2 {
				if err := postgres.Migrate(t.Context(), pool, postgres.Config{}); err != nil {
					t.Errorf("Migrate: %v", err)
				}
			}
		})
	}
	all.Wait()
	open(t, newPool(t, address), postgres.Config{})
}

func TestNew_SaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	pool := newPool(t, pgtest.URL(t))
	_, err := postgres.New(t.Context(), pool, postgres.Config{})
	if err == nil || !strings.Contains(err.Error(), "run postgres.Migrate") {
		t.Errorf("New before Migrate = %v, want it to name postgres.Migrate", err)
	}
	if err := postgres.Migrate(t.Context(), pool, postgres.Config{}); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), "DROP INDEX altinn_outbox.altinn_outbox_line"); err != nil {
		t.Fatal(err)
	}
	_, err = postgres.New(t.Context(), pool, postgres.Config{})
	if err == nil || !strings.Contains(err.Error(), "altinn_outbox_line") {
		t.Errorf("New without an index = %v, want it named", err)
	}
	if _, err := pool.Exec(t.Context(), postgres.IndexSQL(postgres.Config{})); err != nil {
		t.Fatalf("IndexSQL: %v", err)
	}
	open(t, pool, postgres.Config{})
}

func TestSchema_SeparatesQueues(t *testing.T) {
	t.Parallel()
	pool := newPool(t, pgtest.URL(t))
	for n, schema := range []string{"app_one", "app_two"} {
		cfg := postgres.Config{Schema: schema}
		if err := postgres.Migrate(t.Context(), pool, cfg); err != nil {
			t.Fatal(err)
		}
		q := open(t, pool, cfg)
		enqueue(t, q, items(n+1, "k")...)
		settled(t, q, outbox.Stats{Pending: n + 1})
	}
}
