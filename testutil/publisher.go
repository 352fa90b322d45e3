package testutil

import (
	"context"
	"testing"
	"time"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
)

// Publisher returns a publisher that delivers to the sink in process. It has no
// queue, so what Publish has returned nil for is in the sink. It is closed when
// the test ends.
func (s *Sink) Publisher(tb testing.TB) *publisher.Publisher {
	tb.Helper()
	return s.PublisherWithConfig(tb, publisher.Config{})
}

// closeTimeout is how long a publisher may take to empty its queue when the test
// ends.
const closeTimeout = 5 * time.Second

// PublisherWithConfig is Publisher with a configuration: a queue, an observer,
// retries. The test fails if the configuration is bad.
//
// When the test ends, the publisher is closed and has 5 s to deliver what its queue
// holds; what is left then is logged. Closing the queue is up to who opened it.
func (s *Sink) PublisherWithConfig(tb testing.TB, cfg publisher.Config) *publisher.Publisher {
	tb.Helper()
	client, err := altinn.NewClient("https://localhost", altinn.Config{
		Credentials: s.Credentials(),
		Transport:   s.Transport(),
	})
	if err != nil {
		tb.Fatalf("sink's publisher: %v", err)
	}
	pub, err := publisher.New(client, cfg)
	if err != nil {
		tb.Fatalf("sink's publisher: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), closeTimeout)
		defer cancel()
		if err := pub.Close(ctx); err != nil {
			tb.Logf("sink's publisher: close: %v", err)
		}
	})
	return pub
}
