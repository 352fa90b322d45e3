package sqlite

import (
	"database/sql"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
)

// The states of a row.
const (
	statePending   = 0
	stateDelivered = 1
	stateDiscarded = 2
)

// row is an event as the file has it.
type row struct {
	outbox.Item
	seq    int64
	state  int
	since  time.Time
	due    time.Time // zero behind the head of a line, and once settled
	reason string
}

// scanRow reads the columns of a row. Attempt is that of the last attempt.
func scanRow(rows *sql.Rows) (row, error) {
	var (
		r                row
		due              sql.NullInt64
		since, published int64
	)
	err := rows.Scan(&r.seq, &r.state, &since, &due, &r.Attempt, &published,
		&r.ID, &r.Source, &r.Type, &r.Key, &r.Endpoint, &r.TraceParent, &r.reason, &r.Body)
	if err != nil {
		return row{}, err
	}
	r.since = time.Unix(0, since)
	r.PublishedAt = time.Unix(0, published)
	if due.Valid {
		r.due = time.Unix(0, due.Int64)
	}
	return r, nil
}

// scanRows reads all rows and closes them. It stops early when the bodies have
// more than maxBytes, and says so.
func scanRows(rows *sql.Rows, maxBytes int) (all []row, cut bool, err error) {
	defer rows.Close()
	bytes := 0
	for rows.Next() {
		r, err := scanRow(rows)
		if err != nil {
			return nil, false, err
		}
		all = append(all, r)
		if bytes += len(r.Body); bytes > maxBytes {
			return all, true, nil
		}
	}
	return all, false, rows.Err()
}
