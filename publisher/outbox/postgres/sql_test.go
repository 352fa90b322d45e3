package postgres_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

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

// What was analyzed when the table was quiet leads no statement to read a backlog: it
// finds lines by their index and events by id.
func TestStatements_PlansOfAQuietTable(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	_, err := pool.Exec(t.Context(), `
		INSERT INTO altinn_outbox.river_job (args, finalized_at, kind, max_attempts, queue, state, tags)
		SELECT '{}', now(), 'altinn_event', 25, 'altinn_events', 'completed', ARRAY[md5(n::text)] FROM generate_series(1, 20000) AS n`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), "VACUUM ANALYZE altinn_outbox.river_job"); err != nil {
		t.Fatal(err)
	}
	ids, lines, texts, times := []int64{1, 2}, []string{"a", "b"}, []string{"{}", "{}"}, []time.Time{time.Now(), time.Now()}
	hundred := make([]int64, 100)
	for i := range hundred {
		hundred[i] = int64(i)
	}
	args := map[string][]any{
		"ahead": {ids, lines}, "park": {lines, ids, times, 1000}, "wake": {lines}, "claim": {lines, "me"},
		"deliver": {ids}, "discard": {ids, texts}, "putBack": {ids, times, texts, "me"},
		"requeue": {hundred, "now"},
	}
	scans := regexp.MustCompile(`(?:Scan using|Scan Backward using|Index Scan on|Seq Scan on) (\S+)`)
	for name, statement := range postgres.LineStatements() {
		rows, err := pool.Query(t.Context(), "EXPLAIN "+statement, args[name]...)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, scan := range scans.FindAllStringSubmatch(strings.Join(plan, "\n"), -1) {
			if scan[1] != "river_job_pkey" && scan[1] != "altinn_outbox_line" {
				t.Errorf("%s reads %s:\n%s", name, scan[1], strings.Join(plan, "\n"))
			}
		}
	}
}
