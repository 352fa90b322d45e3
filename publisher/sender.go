package publisher

import (
	"context"

	"github.com/altinn-go/events/publisher/outbox"
)

// Sender posts one encoded event to its endpoint, once. altinn.Client is the
// one for Altinn Events; FromSender makes one from any sender of the
// CloudEvents SDK.
//
// A nil error means that the endpoint has taken the event. Any other error
// wraps ErrRejected, ErrUnauthorized or ErrUnavailable, and may implement
// RetryDelay() time.Duration to ask for a pause and HTTPStatus() int to be
// logged. Send honours ctx, is safe for concurrent use, and does not keep or
// change item.Body.
type Sender interface {
	Send(ctx context.Context, item outbox.Item) error
}

// encoding is what a Sender implements when its events are not encoded as the
// zero Encoder does.
type encoding interface {
	Encoder() Encoder
}
