package testutil_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
)

// exampleTB is the testing.TB of examples, which have none of their own.
type exampleTB struct {
	testing.TB

	cleanups []func()
}

func (t *exampleTB) Helper() {}

func (t *exampleTB) Context() context.Context { return context.Background() }

func (t *exampleTB) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *exampleTB) Fatal(args ...any) {
	fmt.Println(args...)
	runtime.Goexit()
}

func (t *exampleTB) Fatalf(format string, args ...any) { t.Fatal(fmt.Sprintf(format, args...)) }

func (t *exampleTB) Logf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// finish runs the cleanups, the last one first.
func (t *exampleTB) finish() {
	for _, cleanup := range slices.Backward(t.cleanups) {
		cleanup()
	}
}
