package sqlite_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

func TestReader_FindsCommitsByPolling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, db := setup(t, sqlite.Config{PollInterval: 10 * time.Millisecond})
		got := make(collector)
		run(t, q, got.deliver)
		time.Sleep(time.Minute)
		tx := begin(t, db)
		if err := q.PublishTx(t.Context(), tx, newEvent("1")); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		committed := time.Now()
		got.next(t, 1)
		if took := time.Since(committed); took > 10*time.Millisecond {
			t.Errorf("found after %v, want the poll interval at most", took)
		}
	})
}
