package publisher_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/client"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/protocol"
	"github.com/cloudevents/sdk-go/v2/protocol/gochan"
	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
)

func TestAsSender(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer error
		ev     event.Event
		check  func(protocol.Result) bool
	}{
		"Delivered":   {nil, generic(), protocol.IsACK},
		"Rejected":    {publisher.ErrRejected, generic(), protocol.IsNACK},
		"Unavailable": {publisher.ErrUnavailable, generic(), protocol.IsUndelivered},
		"Invalid":     {nil, func() event.Event { ev := generic(); ev.SetExtension("resource", "UPPER"); return ev }(), protocol.IsNACK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &endpoint{answer: func(outbox.Item) error { return tc.answer }}
			c, err := client.New(publisher.AsSender(open(t, e, publisher.Config{})), client.WithUUIDs(), client.WithTimeNow())
			if err != nil {
				t.Fatal(err)
			}
			result := c.Send(t.Context(), tc.ev)
			if !tc.check(result) {
				t.Errorf("result = %v, of the wrong kind", result)
			}
			if tc.answer != nil && !errors.Is(result, tc.answer) {
				t.Errorf("result = %v, does not wrap %v", result, tc.answer)
			}
		})
	}
}

// unreadable is a message without an event.
type unreadable struct{ binding.Message }

func (unreadable) ReadEncoding() binding.Encoding { return binding.EncodingUnknown }
func (unreadable) ReadStructured(context.Context, binding.StructuredWriter) error {
	return binding.ErrUnknownEncoding
}

func (unreadable) ReadBinary(context.Context, binding.BinaryWriter) error {
	return binding.ErrUnknownEncoding
}

func TestAsSender_FinishesTheMessageOnce(t *testing.T) {
	t.Parallel()
	ev := generic()
	for name, tc := range map[string]struct {
		message binding.Message
		answer  error
	}{
		"Delivered":  {binding.ToMessage(&ev), nil},
		"Failed":     {binding.ToMessage(&ev), publisher.ErrUnavailable},
		"Unreadable": {unreadable{binding.ToMessage(&ev)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &endpoint{answer: func(outbox.Item) error { return tc.answer }}
			var finished []error
			m := binding.WithFinish(tc.message, func(err error) { finished = append(finished, err) })
			err := publisher.AsSender(open(t, e, publisher.Config{})).Send(t.Context(), m)
			if len(finished) != 1 || !errors.Is(finished[0], err) {
				t.Errorf("finished with %v, want once with the result %v", finished, err)
			}
			if name == "Unreadable" && !protocol.IsUndelivered(err) {
				t.Errorf("result = %v, want undelivered", err)
			}
		})
	}
}

func TestFromSender(t *testing.T) {
	t.Parallel()
	t.Run("DeliversFullCloudEvents", func(t *testing.T) {
		t.Parallel()
		channel := gochan.New()
		p := open(t, publisher.FromSender(channel), publisher.Config{})
		ev := testApp.Created(instance(1))
		ev.SetExtension("extra", "kept")
		arrived := make(chan event.Event, 1)
		go func() {
			m, err := channel.Receive(t.Context())
			if err != nil {
				t.Error(err)
				close(arrived)
				return
			}
			got, _ := binding.ToEvent(t.Context(), m)
			_ = m.Finish(nil)
			arrived <- *got
		}()
		if err := p.Publish(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
		got := <-arrived
		want := ev.Clone()
		want.SetID(got.ID())
		want.SetTime(got.Time())
		if diff := cmp.Diff(want.String(), got.String()); diff != "" {
			t.Errorf("arrived (-want +got):\n%s", diff)
		}
	})
	t.Run("KeepsJSONDataOfAnyType", func(t *testing.T) {
		t.Parallel()
		for _, contentType := range []string{"application/json", "application/vnd.example+json", "text/plain"} {
			ev := generic()
			ev.SetDataContentType(contentType)
			ev.DataEncoded = []byte(`{"a":[1,2.50]}`)
			var got []byte
			send := messageFunc(func(m binding.Message) error {
				arrived, err := binding.ToEvent(t.Context(), m)
				got = arrived.Data()
				return err
			})
			if err := open(t, publisher.FromSender(send), publisher.Config{}).Publish(t.Context(), ev); err != nil {
				t.Fatalf("%s: %v", contentType, err)
			}
			if string(got) != `{"a":[1,2.50]}` {
				t.Errorf("%s: data = %s", contentType, got)
			}
		}
	})
	t.Run("RetriesWhatIsNoACK", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			results := []protocol.Result{errors.New("network"), protocol.ResultNACK, protocol.NewReceipt(true, "202")}
			tries := 0
			p := open(t, publisher.FromSender(sdkFunc(func() protocol.Result { tries++; return results[tries-1] })),
				publisher.Config{Retry: publisher.RetryPolicy{Base: time.Second}})
			if err := p.Publish(t.Context(), generic()); err != nil || tries != 3 {
				t.Errorf("Publish = %v after %d tries, want success on the third", err, tries)
			}
		})
	})
	t.Run("StopsAtARejection", func(t *testing.T) {
		t.Parallel()
		tries := 0
		p := open(t, publisher.FromSender(sdkFunc(func() protocol.Result { tries++; return publisher.ErrRejected })),
			publisher.Config{Retry: publisher.RetryPolicy{Base: time.Second}})
		if err := p.Publish(t.Context(), generic()); !errors.Is(err, publisher.ErrRejected) || tries != 1 {
			t.Errorf("Publish = %v after %d tries, want ErrRejected after one", err, tries)
		}
	})
}

// messageFunc is a sender of the SDK that looks at the message.
type messageFunc func(binding.Message) error

func (f messageFunc) Send(_ context.Context, m binding.Message, _ ...binding.Transformer) error {
	return f(m)
}

// sdkFunc is a sender of the SDK.
type sdkFunc func() protocol.Result

func (f sdkFunc) Send(_ context.Context, m binding.Message, _ ...binding.Transformer) error {
	defer func() { _ = m.Finish(nil) }()
	return f()
}
