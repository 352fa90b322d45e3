package publisher_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
)

func TestPublisher_ContextOfAnAttempt(t *testing.T) {
	t.Parallel()
	publish := func(t *testing.T, parent context.Context, send sendFunc) error {
		t.Helper()
		p, err := publisher.New(send, publisher.Config{TryTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := p.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		return p.Publish(parent, testApp.Created(instance(1)))
	}
	t.Run("EndsWithThePublishersAtOnce", func(t *testing.T) {
		t.Parallel()
		parent, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := publish(t, parent, func(ctx context.Context, _ outbox.Item) error {
			derived, stop := context.WithCancel(ctx)
			defer stop()
			traced, stopTraced := context.WithCancel(context.WithValue(ctx, t, nil)) // as a tracing transport has it
			defer stopTraced()
			cancel()
			if derived.Err() == nil || traced.Err() == nil {
				t.Error("a derived context learns of the end through a goroutine, want a link")
			}
			return ctx.Err()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Publish = %v, want Canceled", err)
		}
	})
	t.Run("KeepsValues", func(t *testing.T) {
		t.Parallel()
		type key struct{}
		_ = publish(t, context.WithValue(t.Context(), key{}, "kept"), func(ctx context.Context, _ outbox.Item) error {
			before := ctx.Value(key{})
			_ = ctx.Done()
			if after := ctx.Value(key{}); before != "kept" || after != "kept" {
				t.Errorf("value = %v before and %v after the context was waited for", before, after)
			}
			return nil
		})
	})
	t.Run("TellsTheEarlierDeadline", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			parent, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			_ = publish(t, parent, func(ctx context.Context, _ outbox.Item) error {
				if at, ok := ctx.Deadline(); !ok || at.Sub(start) != time.Second {
					t.Errorf("deadline in %v, want that of the caller", at.Sub(start))
				}
				return nil
			})
			_ = publish(t, t.Context(), func(ctx context.Context, _ outbox.Item) error {
				if at, ok := ctx.Deadline(); !ok || at.Sub(start) != time.Minute {
					t.Errorf("deadline in %v, want TryTimeout", at.Sub(start))
				}
				return nil
			})
		})
	})
	t.Run("TellsTheCauseToWhatIsDerived", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			err := publish(t, t.Context(), func(ctx context.Context, _ outbox.Item) error {
				derived, stop := context.WithCancel(context.WithValue(ctx, t, nil))
				defer stop()
				<-derived.Done()
				return context.Cause(derived)
			})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Publish = %v, want DeadlineExceeded", err)
			}
		})
	})
	t.Run("KeepsTheCauseOfItsEnd", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			parent, cancel := context.WithCancelCause(t.Context())
			_ = publish(t, parent, func(ctx context.Context, _ outbox.Item) error {
				<-ctx.Done()
				cancel(errors.New("too late"))
				if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
					t.Errorf("cause = %v, want DeadlineExceeded, which came first", cause)
				}
				return nil
			})
		})
	})
	t.Run("EndsWithWhatEndedFirst", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			parent, cancel := context.WithCancel(t.Context())
			err := publish(t, parent, func(ctx context.Context, _ outbox.Item) error {
				cancel()
				time.Sleep(time.Hour) // and nobody asks the context before its deadline
				return ctx.Err()
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Publish = %v, want Canceled, as the caller ended it", err)
			}
		})
	})
	t.Run("TellsItsEndWhenItIsDone", func(t *testing.T) {
		t.Parallel()
		for range 200 {
			p, err := publisher.New(sendFunc(func(ctx context.Context, _ outbox.Item) error {
				done := ctx.Done()
				for ctx.Err() == nil { //nolint:revive // it is to see the very moment
				}
				select {
				case <-done:
				default:
					t.Error("Err tells an end before Done is closed")
				}
				return nil
			}), publisher.Config{})
			if err != nil {
				t.Fatal(err)
			}
			var call sync.WaitGroup
			call.Go(func() { _ = p.Publish(t.Context(), testApp.Created(instance(1))) })
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			for p.Attempts() == 0 {
				runtime.Gosched()
			}
			_ = p.Close(ended)
			call.Wait()
		}
	})
	t.Run("CountsFromTheAttempt", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p, err := publisher.New(sendFunc(func(ctx context.Context, _ outbox.Item) error {
				if at, ok := ctx.Deadline(); !ok || time.Until(at) != time.Minute {
					t.Errorf("deadline in %v, want TryTimeout", time.Until(at))
				}
				return nil
			}), publisher.Config{TryTimeout: time.Minute, Observer: slowObserver{}})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Publish(t.Context(), testApp.Created(instance(1)), testApp.Created(instance(2))); err != nil {
				t.Error(err)
			}
			if err := p.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("IsOverWithTheAttempt", func(t *testing.T) {
		t.Parallel()
		contexts := make(chan context.Context, 1)
		_ = publish(t, t.Context(), func(ctx context.Context, _ outbox.Item) error {
			contexts <- ctx
			return ctx.Err()
		})
		kept := <-contexts
		select {
		case <-kept.Done():
		default:
			t.Error("the context can still be waited for")
		}
		if err := kept.Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("Err = %v, want Canceled", err)
		}
	})
}

// slowObserver takes its time before anything is sent.
type slowObserver struct{ publisher.NopObserver }

func (slowObserver) Publishing(ctx context.Context, _ event.Event) (context.Context, string) {
	time.Sleep(time.Second)
	return ctx, ""
}

func (slowObserver) Delivering(ctx context.Context, _ outbox.Item) context.Context {
	time.Sleep(time.Second)
	return ctx
}

// Each attempt has its own deadline, though one timer serves them all.
func TestPublisher_DeadlinesOfAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const attempts, apart = 20, time.Second
		p, err := publisher.New(sendFunc(func(ctx context.Context, item outbox.Item) error {
			if strings.HasSuffix(item.Type, "short") {
				time.Sleep(apart / 2)
				return ctx.Err()
			}
			<-ctx.Done()
			return ctx.Err()
		}), publisher.Config{TryTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		var calls sync.WaitGroup
		for n := range attempts {
			kind := []string{"long", "short"}[n%2]
			calls.Go(func() {
				start := time.Now()
				err := p.Publish(t.Context(), testApp.Event("app.attempt."+kind, instance(n)))
				took := time.Since(start)
				if kind == "short" {
					if err != nil {
						t.Errorf("attempt %d: %v", n, err)
					}
				} else if !errors.Is(err, context.DeadlineExceeded) || took != time.Minute {
					t.Errorf("attempt %d ended after %v: %v", n, took, err)
				}
			})
			time.Sleep(apart)
		}
		calls.Wait()
		if n := p.Attempts(); n != 0 {
			t.Errorf("%d attempts are kept, want none", n)
		}
		time.Sleep(time.Hour) // the timer has found nothing to do by now
		start := time.Now()
		err = p.Publish(t.Context(), testApp.Event("app.attempt.long", instance(1)))
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != time.Minute {
			t.Errorf("the last ended after %v: %v", took, err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
