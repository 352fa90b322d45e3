package publisher_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

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
			cancel()
			if derived.Err() == nil {
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
}
