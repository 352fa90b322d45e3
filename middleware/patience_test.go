package middleware_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/altinn-go/events/middleware"
)

type valueKey struct{}

func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		request, gone := context.WithCancelCause(context.WithValue(t.Context(), valueKey{}, "of the request"))
		gone(errDown)
		ctx, end := middleware.NewPatience(request, 2*time.Second)
		defer end()

		deadline, ok := ctx.Deadline()
		if left := time.Until(deadline); !ok || left != 2*time.Second {
			t.Errorf("the deadline is in %v, want 2s", left)
		}
		if got := ctx.Value(valueKey{}); got != "of the request" {
			t.Errorf("the value is %v", got)
		}
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		if err := errors.Join(ctx.Err(), child.Err(), context.Cause(ctx)); err != nil {
			t.Fatalf("it ended with the client: %v", err)
		}

		<-child.Done()
		if left := time.Until(deadline); left != 0 {
			t.Errorf("it ended %v before its deadline", left)
		}
		for _, err := range []error{ctx.Err(), child.Err(), context.Cause(ctx)} {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it ended with %v, want the deadline", err)
			}
		}
	})
}

func TestPatience_End(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(context.Context){
		"Asked":   func(ctx context.Context) { _ = ctx.Done() },
		"Unasked": func(context.Context) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, end := middleware.NewPatience(t.Context(), time.Hour)
			before(ctx)
			end()
			<-ctx.Done()
			if err := ctx.Err(); !errors.Is(err, context.Canceled) {
				t.Errorf("it ended with %v, want context.Canceled", err)
			}
		})
	}
}
