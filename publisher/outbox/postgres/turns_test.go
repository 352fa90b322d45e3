package postgres_test

import (
	"testing"

	"github.com/altinn-go/events/publisher/outbox/postgres"
)

func TestTurns_OnlySoManyWait(t *testing.T) {
	t.Parallel()
	turns := postgres.NewTurns(1, 1, 2, 3)
	if !turns.BeginWait(2) || turns.BeginWait(3) {
		t.Error("want room for one to wait, and for no second")
	}
	turns.EndWait(2, false)
	if !turns.BeginWait(3) {
		t.Error("want room again after the first has waited")
	}
}

func TestTurns_NobodyWaitsBehindASlowHead(t *testing.T) {
	t.Parallel()
	turns := postgres.NewTurns(10, 1, 2, 3)
	turns.BeginWait(2)
	turns.EndWait(2, true)
	if turns.BeginWait(3) {
		t.Error("an event waits behind a head that another waited for in vain")
	}
	turns.Pass(1)
	if !turns.BeginWait(3) {
		t.Error("want waiting allowed again once the head has passed")
	}
}

// An event that was put back may be fetched before its first turn is over.
func TestTurns_LeavingOneDoesNotRemoveTheOther(t *testing.T) {
	t.Parallel()
	turns := postgres.NewTurns(1, 1, 2)
	leave := turns.Leave(1)
	turns.Enter(1)
	leave()
	if !turns.Here(1) {
		t.Error("the second turn has gone with the first")
	}
	leaveAgain := turns.Leave(1)
	turns.Leave(2)()
	leaveAgain()
	leave()
}
