package postgres

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/altinn-go/events/models"
)

// warnings hands on what River logs at Warn and above, without the identity numbers
// that a database's words may have. Below that it speaks of its own workings.
type warnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h warnings) Handle(ctx context.Context, record slog.Record) error {
	redacted := slog.NewRecord(record.Time, record.Level, record.Message, record.PC)
	record.Attrs(func(a slog.Attr) bool {
		redacted.AddAttrs(redact(a))
		return true
	})
	return h.Handler.Handle(ctx, redacted)
}

// WithAttrs implements slog.Handler.
func (h warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{h.Handler.WithAttrs(redactAll(attrs))}
}

// WithGroup implements slog.Handler.
func (h warnings) WithGroup(name string) slog.Handler { return warnings{h.Handler.WithGroup(name)} }

// redact masks what has words.
func redact(a slog.Attr) slog.Attr {
	value := a.Value.Resolve()
	switch value.Kind() {
	case slog.KindString, slog.KindAny:
		value = slog.StringValue(models.Redact(fmt.Sprint(value.Any())))
	case slog.KindGroup:
		value = slog.GroupValue(redactAll(value.Group())...)
	default:
	}
	return slog.Attr{Key: a.Key, Value: value}
}

func redactAll(attrs []slog.Attr) []slog.Attr {
	all := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		all[i] = redact(a)
	}
	return all
}
