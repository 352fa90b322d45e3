package postgres_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/publisher/outbox/postgres"
)

func TestBatcher_FoldsWhatComesMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var batches [][]int
		add, wait := postgres.NewBatcher(func(batch []int) {
			<-time.After(time.Second)
			batches = append(batches, batch)
		})
		add(1)
		synctest.Wait()
		add(2)
		add(3, 4)
		wait()
		if diff := cmp.Diff([][]int{{1}, {2, 3, 4}}, batches); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
		add(5)
		wait()
		if len(batches) != 3 {
			t.Errorf("%d batches, want another after it was idle", len(batches))
		}
	})
}

func TestBatcher_LosesNothing(t *testing.T) {
	t.Parallel()
	sum := 0
	add, wait := postgres.NewBatcher(func(batch []int) {
		for _, n := range batch {
			sum += n
		}
	})
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			for range 100 {
				add(1)
			}
		})
	}
	callers.Wait()
	wait()
	if sum != 5000 {
		t.Errorf("sum = %d, want 5000", sum)
	}
}
