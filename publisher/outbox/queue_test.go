package outbox_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/altinn-go/events/publisher/outbox"
)

func TestStatus_String(t *testing.T) {
	t.Parallel()
	got := fmt.Sprint(outbox.StatusPending, outbox.StatusSending, outbox.StatusDelivered, outbox.StatusDiscarded, outbox.Status(9))
	if want := "pending sending delivered discarded unknown"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestItem_PrintsNoBody(t *testing.T) {
	t.Parallel()
	it := outbox.Item{
		ID: "1", Source: "01017512345", Type: "t", Key: "01017512345", Endpoint: "/events", Attempt: 2,
		Body: []byte(`{"subject":"/person/01017512345"}`),
	}
	var logged bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&logged, nil))
	logger.Info("x", slog.Any("item", it), slog.Any("record", outbox.Record{Item: it}), slog.Any("discarded", outbox.DiscardedItem{Item: it}))
	texts := []string{logged.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		texts = append(texts, fmt.Sprintf(verb, it), fmt.Sprintf(verb, outbox.Record{Item: it}), fmt.Sprintf(verb, []outbox.DiscardedItem{{Item: it}}))
	}
	for _, text := range texts {
		if strings.Contains(text, "017512345") || strings.Contains(text, "3137353132") || strings.Contains(text, "person") {
			t.Errorf("body or key are printed: %s", text)
		}
	}
	if got := fmt.Sprint(it); got != "event 1 of type t to /events, attempt 2" {
		t.Errorf("got %s", got)
	}
}

func TestStoreError(t *testing.T) {
	t.Parallel()
	err := error(&outbox.StoreError{Op: "enqueue", Err: fmt.Errorf("no room for 01017512345: %w", outbox.ErrFull)})
	if got, want := err.Error(), "enqueue: no room for ***********: queue is full"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, outbox.ErrFull) {
		t.Error("what it wraps is not found")
	}
}
