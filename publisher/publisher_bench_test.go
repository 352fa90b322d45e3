package publisher_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/credentials"
	"github.com/altinn-go/events/publisher/outbox"
)

// stub is a transport that answers 201 without a network.
type stub struct{}

func (stub) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusCreated,
		Header:     http.Header{},
		Body:       io.NopCloser(bytes.NewReader([]byte(`"4815d141-8cf6-4555-8c3c-e069c7b80c79"`))),
		Request:    req,
	}, nil
}

// What a client does with the context of an attempt, short of waiting for its end,
// must not make the attempt dear.
func TestPublisher_PublishAllocates(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the whole process
	client, err := altinn.NewClient("https://platform.altinn.no", altinn.Config{
		Transport:   stub{},
		Credentials: altinn.Credentials{PlatformAccessToken: credentials.Static("a"), Bearer: credentials.Static("b")},
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := publisher.New(client, publisher.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ev := testApp.Created(instance(1))
	got := testing.AllocsPerRun(100, func() {
		if err := p.Publish(t.Context(), ev); err != nil {
			t.Error(err)
		}
	})
	// 4 of Publish with the id, 5 of Send, 5 of the stub.
	if want := 14.0; got > want {
		t.Errorf("Publish allocates %v times, want %v at most", got, want)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func BenchmarkPublisher_Publish(b *testing.B) {
	ev := testApp.Created(instance(1))
	publish := func(b *testing.B, p *publisher.Publisher) {
		b.Helper()
		b.ReportAllocs()
		for b.Loop() {
			if err := p.Publish(b.Context(), ev); err != nil {
				b.Fatal(err)
			}
		}
		if err := p.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("NopSender", func(b *testing.B) {
		p, err := publisher.New(sendFunc(func(context.Context, outbox.Item) error { return nil }), publisher.Config{})
		if err != nil {
			b.Fatal(err)
		}
		publish(b, p)
	})
	b.Run("StubTransport", func(b *testing.B) {
		client, err := altinn.NewClient("https://platform.altinn.no", altinn.Config{
			Transport:   stub{},
			Credentials: altinn.Credentials{PlatformAccessToken: credentials.Static("a"), Bearer: credentials.Static("b")},
		})
		if err != nil {
			b.Fatal(err)
		}
		p, err := publisher.New(client, publisher.Config{})
		if err != nil {
			b.Fatal(err)
		}
		publish(b, p)
	})
	b.Run("MemoryQueue", func(b *testing.B) {
		p, err := publisher.New(sendFunc(func(context.Context, outbox.Item) error { return nil }),
			publisher.Config{Queue: outbox.NewMemory(outbox.Config{Capacity: 1 << 20})})
		if err != nil {
			b.Fatal(err)
		}
		publish(b, p)
	})
}
