package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/altinn-go/events/publisher/outbox/postgres"
)

func TestRetry_UntilItWorks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		tries := 0
		err := postgres.Retry(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), func(context.Context) error {
			if tries++; tries < 10 {
				return errors.New("no answer about 01017512345")
			}
			return nil
		})
		if err != nil || tries != 10 {
			t.Errorf("retry = %v after %d tries, want success at the tenth", err, tries)
		}
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "about ***********") {
			t.Errorf("log = %q, want one line, without the number", got)
		}
	})
}

func TestRetry_EndsWithTheRelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		down := errors.New("down")
		start := time.Now()
		err := postgres.Retry(ctx, slog.New(slog.DiscardHandler), func(context.Context) error { return down })
		if !errors.Is(err, down) || time.Since(start) != time.Minute {
			t.Errorf("retry = %v after %v, want the last error after a minute", err, time.Since(start))
		}
	})
}
