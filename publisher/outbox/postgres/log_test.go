package postgres_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/altinn-go/events/publisher/outbox/postgres"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger := postgres.Warnings(slog.NewTextHandler(&out, nil)).With(slog.String("a", "b")).WithGroup("g")
	logger.LogAttrs(t.Context(), slog.LevelInfo, "chatter")
	logger.LogAttrs(t.Context(), slog.LevelWarn, "trouble", slog.Int("n", 1))
	if got := out.String(); strings.Contains(got, "chatter") || !strings.Contains(got, "msg=trouble a=b g.n=1") {
		t.Errorf("log = %q, want the warning alone, with its attributes", got)
	}
}
