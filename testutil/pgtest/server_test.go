package pgtest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/altinn-go/events/testutil/pgtest"
)

func TestServer_StopAndStart(t *testing.T) {
	t.Parallel()
	s := pgtest.NewServer(t)
	for _, statement := range []string{"CREATE TABLE kept (n int)", "SELECT n FROM kept"} {
		conn, err := pgx.Connect(t.Context(), s.URL("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
		s.Stop()
		if err := conn.Ping(t.Context()); err == nil {
			t.Error("the connection outlived the server")
		}
		if _, err := pgx.Connect(t.Context(), s.URL("postgres")); err == nil {
			t.Error("connected to a server that was stopped")
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
