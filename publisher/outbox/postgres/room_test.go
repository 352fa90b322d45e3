package postgres_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
)

func TestRoom_CountsSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		depth, counts := 0, 0
		room := postgres.NewRoom(1000, func() int { counts++; return depth })
		for range 500 {
			if err := room.Reserve(t.Context(), 1, false); err != nil {
				t.Fatal(err)
			}
			room.Settle(1)
		}
		if counts != 1 {
			t.Errorf("%d counts for 500 events, want 1", counts)
		}
		depth = 900 // others have put in some
		<-time.After(2 * time.Second)
		if err := room.Reserve(t.Context(), 101, false); !errors.Is(err, outbox.ErrFull) {
			t.Errorf("Reserve = %v, want ErrFull: what others put in counts after a second", err)
		}
	})
}

func TestRoom_RefusesOnlyAfterCounting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		room := postgres.NewRoom(10, func() int { return 0 }) // all is delivered at once
		for range 100 {
			if err := room.Reserve(t.Context(), 10, false); err != nil {
				t.Fatalf("Reserve = %v, want room: the table is empty", err)
			}
			room.Settle(10)
		}
	})
}

func TestRoom_CountsWhatIsNotInTheTableYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		room := postgres.NewRoom(10, func() int { return 0 })
		if err := room.Reserve(t.Context(), 6, false); err != nil {
			t.Fatal(err)
		}
		if err := room.Reserve(t.Context(), 6, false); !errors.Is(err, outbox.ErrFull) {
			t.Errorf("Reserve = %v, want ErrFull: six are on their way", err)
		}
	})
}
