package sqlite_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

// FuzzRow reads back rows with any content that the columns take, the state and
// the due time agreeing: it must never panic, nor stop the relay.
func FuzzRow(f *testing.F) {
	f.Add(0, int64(1), int64(1), int64(0), int64(1), "id", "source", "k", "", []byte("{}"))
	f.Add(0, int64(-1<<63), int64(-1<<63), int64(1<<63-1), int64(-1<<63), "", "\x00", "\xff", "reason", []byte{})
	f.Add(2, int64(1<<62), int64(1<<62), int64(-1), int64(1<<63-1), "\xf0", "s", "", "\xed\xa0\x80", []byte{0xff, 0})
	path := filepath.Join(f.TempDir(), "app.db")
	db, err := sqlite.OpenDB(path)
	if err != nil {
		f.Fatal(err)
	}
	q, err := sqlite.New(db, sqlite.Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _, _ = q.Close(context.Background()), db.Close() })

	f.Fuzz(func(t *testing.T, state int, since, dueAt, attempt, published int64, id, source, key, reason string, body []byte) {
		var due any // only pending rows are due
		if uint(state)%3 == 0 {
			due = dueAt
		}
		_, err := db.ExecContext(t.Context(), `INSERT OR REPLACE INTO altinn_outbox_events
			(state, since, due, attempt, published_at, id, source, type, key, endpoint, trace_parent, reason, body)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', '', ?, ?)`,
			uint(state)%3, since, due, attempt, published, id, source, id, key, reason, append([]byte{}, body...))
		if err != nil {
			t.Skip(err)
		}
		for _, status := range []outbox.Status{outbox.StatusPending, outbox.StatusDelivered, outbox.StatusDiscarded} {
			records, err := q.List(t.Context(), status, outbox.Page{After: -1 << 63})
			if err != nil {
				t.Fatalf("List(%v): %v", status, err)
			}
			for i := range records {
				r := &records[i]
				if r.ID != id || r.Source != source || r.Key != key || r.Reason != reason || !bytes.Equal(r.Body, body) {
					t.Errorf("read back %+v", *r)
				}
			}
		}
		if _, err := q.Stats(t.Context()); err != nil {
			t.Fatalf("Stats: %v", err)
		}
		stop := run(t, q, func(context.Context, outbox.Item) outbox.Outcome { return outbox.Outcome{State: outbox.Discard} })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := q.Drain(ctx); err != nil {
			t.Fatalf("Drain: %v", err)
		}
		stop()
		if _, err := db.ExecContext(t.Context(), "DELETE FROM altinn_outbox_events"); err != nil {
			t.Fatal(err)
		}
	})
}
