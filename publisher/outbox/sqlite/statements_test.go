package sqlite_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

func TestStatements_UseIndexes(t *testing.T) {
	t.Parallel()
	q, db := setup(t, sqlite.Config{})
	enqueue(t, q, item("1", "k"))
	for name, want := range map[string]string{
		"delivered": "PRIMARY KEY", "forget": "PRIMARY KEY", "retry": "PRIMARY KEY", "discard": "PRIMARY KEY",
		"insert": "altinn_outbox_line (key=?)", "due": "altinn_outbox_due (due<?)", "next due": "altinn_outbox_due (due>?)",
		"list": "PRIMARY KEY", "list discarded": "altinn_outbox_discarded",
		"oldest": "altinn_outbox_age (state=?)", "found": "altinn_outbox_age (state=? AND since<?)",
	} {
		if steps := plan(t, db, sqlite.Queries[name]); !strings.Contains(strings.Join(steps, "\n"), want) {
			t.Errorf("%s: %q, want a search by %s", name, steps, want)
		}
	}
	for name, query := range sqlite.Queries {
		for _, detail := range plan(t, db, query) {
			if strings.HasPrefix(detail, "SCAN altinn_outbox_events") || strings.Contains(detail, "TEMP B-TREE FOR ORDER BY") {
				t.Errorf("%s: %s, want a search in an index", name, detail)
			}
		}
	}
}

// plan is how SQLite means to execute query.
func plan(t *testing.T, db *sql.DB, query string) (steps []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			id, parent, unused int
			detail             string
		)
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, detail)
	}
	if err := rows.Err(); err != nil || len(steps) == 0 {
		t.Fatalf("%s: no plan: %v", query, err)
	}
	return steps
}
