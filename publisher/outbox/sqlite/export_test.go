package sqlite

import (
	"context"
	"fmt"
)

// LimitPages lets the queue's file grow no further than n pages, 0 for as far as
// it likes.
func (q *Queue) LimitPages(n int) error {
	if n == 0 {
		n = 1 << 30
	}
	var set int
	return q.writer.conn.QueryRowContext(context.Background(), fmt.Sprintf("PRAGMA max_page_count = %d", n)).Scan(&set)
}

// Pages is how many pages the file has.
func (q *Queue) Pages() (n int, err error) {
	err = q.writer.conn.QueryRowContext(context.Background(), "PRAGMA page_count").Scan(&n)
	return n, err
}

// SweepInterval is how often old events are deleted.
var SweepInterval = (*Queue).sweepInterval

// Queries are the statements that run often.
var Queries = map[string]string{
	"insert": insertSQL, "due": dueSQL, "next due": nextDueSQL, "delivered": deliveredSQL,
	"forget": forgetSQL, "retry": retrySQL, "discard": discardSQL, "list": listSQL, "list discarded": listDiscardedSQL, "oldest": oldestSQL,
	"found": foundSQL,
}
