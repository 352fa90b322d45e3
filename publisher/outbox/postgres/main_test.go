package postgres_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/altinn-go/events/testutil/pgtest"
)

func TestMain(m *testing.M) {
	if os.Getenv("CHAOS_PROCESS") != "" {
		if err := chaosMain(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(pgtest.M(m))
}
