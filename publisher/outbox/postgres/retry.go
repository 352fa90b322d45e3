package postgres

import (
	"context"
	"log/slog"
	"time"

	"github.com/altinn-go/events/models"
)

const (
	retryFirst = 50 * time.Millisecond
	retryMax   = 2 * time.Second
	// statementTimeout bounds one try, so that a connection to a machine that has
	// gone is given up.
	statementTimeout = 15 * time.Second
)

// retry calls try until it works or ctx ends.
func (l *lines) retry(ctx context.Context, try func(context.Context) error) error {
	for pause := retryFirst; ; pause = min(2*pause, retryMax) {
		bounded, cancel := context.WithTimeout(ctx, statementTimeout)
		err := try(bounded)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if pause == retryFirst {
			l.logger.LogAttrs(ctx, slog.LevelWarn, "event queue: the database failed, trying again",
				slog.String("error", models.Redact(err.Error())))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}
