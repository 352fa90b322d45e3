package pgtest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/altinn-go/events/testutil/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.M(m)) }

func TestURL(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for range 2 {
		conn, err := pgx.Connect(t.Context(), pgtest.URL(t))
		if err != nil {
			t.Fatal(err)
		}
		var name string
		if err := conn.QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err != nil {
			t.Error(err)
		}
		names[name] = true
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if len(names) != 2 {
		t.Errorf("databases %v, want two", names)
	}
}
