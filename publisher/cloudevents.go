package publisher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/protocol"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher/outbox"
)

// AsSender lets the clients of the CloudEvents SDK send through p:
//
//	client, err := cloudevents.NewClient(publisher.AsSender(p))
//
// Send publishes the event with p.Publish. Its result is an ACK (nil) when p has
// delivered it or its queue has taken it, and a NACK when the event is wrong or
// was rejected; any other error means that it was not delivered
// (protocol.IsUndelivered). The result wraps the error of Publish.
func AsSender(p *Publisher) protocol.Sender { return sdkSender{p} }

type sdkSender struct{ p *Publisher }

// Send implements protocol.Sender.
func (s sdkSender) Send(ctx context.Context, m binding.Message, transformers ...binding.Transformer) (err error) {
	defer func() {
		if finishErr := m.Finish(err); finishErr != nil && err == nil {
			err = finishErr
		}
	}()
	ev, err := binding.ToEvent(ctx, m, transformers...)
	if err != nil {
		return fmt.Errorf("read the CloudEvents message: %w", err)
	}
	err = s.p.Publish(ctx, *ev)
	_, invalid := errors.AsType[*models.ValidationError](err)
	if invalid || errors.Is(err, ErrRejected) {
		return protocol.NewReceipt(false, "%w", err)
	}
	return err
}

// FromSender makes a Sender of any sender of the CloudEvents SDK, so that a
// Publisher can deliver to whatever the SDK has a protocol for, or to a channel
// in a test. Every event goes out as a full CloudEvent, those of apps too.
//
// An ACK means delivered. Everything else counts as ErrUnavailable and is
// retried, a NACK too, because the SDK's HTTP protocol answers with one for a
// refused connection as for a refused event. A sender that knows better wraps
// ErrRejected or ErrUnauthorized itself.
func FromSender(s protocol.Sender) Sender { return fromSDK{s} }

type fromSDK struct{ sender protocol.Sender }

// Encoder makes every event a structured CloudEvent.
func (fromSDK) Encoder() Encoder { return Encoder{CloudEventsOnly: true} }

// Send implements Sender.
func (s fromSDK) Send(ctx context.Context, item outbox.Item) error {
	ev, err := decode(item.Body)
	if err != nil {
		return fmt.Errorf("%w: read the stored event: %w", ErrRejected, err)
	}
	result := s.sender.Send(ctx, binding.ToMessage(&ev))
	if protocol.IsACK(result) {
		return nil
	}
	return result
}

// decode reads an event that appendCloudEvent has written. The SDK reads the
// attributes; it would refuse JSON data of a "+json" type.
func decode(body []byte) (event.Event, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return event.Event{}, err
	}
	var contentType string
	_ = json.Unmarshal(members["datacontenttype"], &contentType)
	data, ok := members["data"]
	if ok = ok && isJSON(contentType); ok {
		delete(members, "data")
		var err error
		if body, err = json.Marshal(members); err != nil {
			return event.Event{}, err
		}
	}
	var ev event.Event
	err := json.Unmarshal(body, &ev)
	if ok {
		ev.DataEncoded = data
	}
	return ev, err
}
