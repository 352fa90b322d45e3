package postgres_test

import (
	"bytes"
	"errors"
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

// What the database says may be about somebody.
func TestWarnings_Redact(t *testing.T) {
	t.Parallel()
	const person = "01017512345"
	var out bytes.Buffer
	logger := postgres.Warnings(slog.NewTextHandler(&out, nil)).With(slog.String("with", person))
	logger.LogAttrs(t.Context(), slog.LevelWarn, "trouble", slog.Any("err", errors.New("no "+person)),
		slog.Group("g", slog.String("of", person), slog.Int("n", 1)))
	if got := out.String(); strings.Contains(got, person) || !strings.Contains(got, "g.n=1") || strings.Count(got, "*") < 3*11 {
		t.Errorf("log = %q, want every number masked", got)
	}
}
