package sqlite_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

func TestRun_OneRelayPerFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "app.db")
		first := newQueue(t, openDB(t, path), sqlite.Config{})
		second := newQueue(t, openDB(t, path), sqlite.Config{})
		byFirst, bySecond := make(collector, 10), make(collector, 10)
		stop := run(t, first, byFirst.deliver)
		time.Sleep(time.Millisecond)
		run(t, second, bySecond.deliver)

		time.Sleep(time.Minute)
		enqueue(t, second, item("1", "k"))
		time.Sleep(time.Second)
		if diff := cmp.Diff([]string{"1"}, byFirst.next(t, 1)); diff != "" {
			t.Errorf("delivered by the first (-want +got):\n%s", diff)
		}
		enqueue(t, first, item("2", "k"))
		byFirst.next(t, 1)
		if err := second.Drain(t.Context()); err != nil {
			t.Errorf("Drain while another relays = %v, want nil at once", err)
		}

		stop()
		enqueue(t, first, item("3", "k"))
		gone := time.Now()
		if diff := cmp.Diff([]string{"3"}, bySecond.next(t, 1)); diff != "" {
			t.Errorf("delivered by the second (-want +got):\n%s", diff)
		}
		if took := time.Since(gone); took > time.Second {
			t.Errorf("taken over after %v, want a second at most", took)
		}
		if err := second.Drain(t.Context()); err != nil {
			t.Errorf("Drain after taking over: %v", err)
		}
	})
}

func TestRun_StandbyEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "app.db")
		first := newQueue(t, openDB(t, path), sqlite.Config{})
		second := newQueue(t, openDB(t, path), sqlite.Config{})
		run(t, first, make(collector).deliver)
		time.Sleep(time.Second)
		stop := run(t, second, make(collector).deliver)
		time.Sleep(time.Second)
		stop()
		if err := second.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}
