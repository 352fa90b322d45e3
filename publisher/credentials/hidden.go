package credentials

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden makes the struct that embeds it print as REDACTED.
type hidden struct{}

const redacted = "REDACTED"

// Format prints REDACTED, whatever the verb.
func (hidden) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns REDACTED.
func (hidden) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns REDACTED.
func (hidden) MarshalText() ([]byte, error) { return []byte(redacted), nil }
