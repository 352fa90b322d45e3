package telemetry

import (
	"context"
	"strings"
	"sync"

	"github.com/cloudevents/sdk-go/v2/event"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher/outbox"
)

// spans makes the spans.
type spans struct {
	tracer trace.Tracer
	starts kept[startKey, *start]
}

// startKey is the kind of a span.
type startKey struct {
	label

	own int // attributes of this span alone
}

// start is what spans of one kind begin with. Options are made once and used again, with
// another id: made anew they cost five allocations a span, and attributes that are set
// after the start cost a quarter of all that an event's spans do.
type start struct {
	name string
	free sync.Pool // of *opening
}

type opening struct {
	attributes []attribute.KeyValue // the last one or two differ from span to span
	options    []trace.SpanStartOption
}

// start begins a span. Of l it takes the operation, the endpoint and the event's type;
// own are the attributes of this span alone.
func (s *spans) start(ctx context.Context, l label, kind trace.SpanKind, own ...attribute.KeyValue) (context.Context, trace.Span) {
	n := len(own)
	begin := s.starts.get(startKey{l, n}, func() *start {
		begin := &start{name: strings.TrimSpace(l.operation + " " + l.endpoint)}
		begin.free.New = func() any {
			all := append(l.attributes(), make([]attribute.KeyValue, n)...)
			return &opening{all, []trace.SpanStartOption{trace.WithSpanKind(kind), trace.WithAttributes(all...)}}
		}
		return begin
	})
	with := begin.free.Get().(*opening)
	copy(with.attributes[len(with.attributes)-n:], own)
	ctx, span := s.tracer.Start(ctx, begin.name, with.options...) //nolint:spancheck // whoever starts it ends it
	begin.free.Put(with)                                          // who reads options has a copy of the attributes
	return ctx, span                                              //nolint:spancheck // see above
}

func (s *spans) publishing(ctx context.Context, ev event.Event) (*activity, string) {
	eventType, traceParent := "", parentCarrier("")
	if ev.Context != nil {
		eventType = ev.Type()
	}
	a := &activity{}
	a.Context, a.span = s.start(ctx, label{operation: opPublish, eventType: KnownType(eventType)}, trace.SpanKindProducer)
	if own := parentOf(ev); own.IsValid() { //nolint:contextcheck // the event's, not ctx's
		a.span.AddLink(trace.Link{SpanContext: own})
		return a, ""
	}
	propagation.TraceContext{}.Inject(a.Context, &traceParent) //nolint:contextcheck // the span's
	return a, string(traceParent)
}

func (s *spans) published(span trace.Span, item outbox.Item, err error) {
	if span.IsRecording() {
		// Of an event that was refused there may be neither.
		if item.Endpoint != "" {
			span.SetAttributes(keyDestination.String(item.Endpoint))
		}
		if item.ID != "" {
			span.SetAttributes(keyMessageID.String(messageID(item.ID)))
		}
	}
	end(span, err)
}

func (s *spans) delivering(ctx context.Context, item outbox.Item) (context.Context, trace.Span) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = withTraceParent(ctx, item.TraceParent)
	}
	ctx, span := s.start(ctx, label{operation: opDeliver, endpoint: item.Endpoint, eventType: KnownType(item.Type)}, trace.SpanKindClient,
		keyMessageID.String(messageID(item.ID)), keyAttempt.Int(item.Attempt))
	return ctx, span
}

func (s *spans) processing(ctx context.Context, ev event.Event, eventType string) (context.Context, trace.Span) {
	var own []attribute.KeyValue
	if ev.Context != nil && ev.ID() != "" {
		own = append(own, keyMessageID.String(messageID(ev.ID())))
	}
	request, parent := trace.SpanContextFromContext(ctx), parentOf(ev)
	if parent.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
	}
	ctx, span := s.start(ctx, label{operation: opProcess, eventType: eventType}, trace.SpanKindConsumer, own...)
	if parent.IsValid() && request.IsValid() {
		span.AddLink(trace.Link{SpanContext: request})
	}
	return ctx, span
}

// processed ends the span of Process.
func processed(span trace.Span, failed bool) {
	if failed {
		span.SetStatus(codes.Error, handlerError)
		span.SetAttributes(keyErrorType.String(handlerError))
	}
	span.End()
}

// end ends a span. Of an error it has the kind alone: its text is somebody else's.
func end(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		span.SetStatus(codes.Error, errorType(err))
		span.SetAttributes(keyErrorType.String(errorType(err)))
		if status := statusOf(err); status != 0 {
			span.SetAttributes(keyStatus.Int(status))
		}
	}
	span.End()
}

// parentCarrier carries a trace parent and nothing else.
type parentCarrier string

// Get implements propagation.TextMapCarrier.
func (p *parentCarrier) Get(name string) string {
	if name == models.ExtTraceParent {
		return string(*p)
	}
	return ""
}

// Set implements propagation.TextMapCarrier.
func (p *parentCarrier) Set(name, value string) {
	if name == models.ExtTraceParent {
		*p = parentCarrier(value)
	}
}

// Keys implements propagation.TextMapCarrier.
func (*parentCarrier) Keys() []string { return []string{models.ExtTraceParent} }

// withTraceParent returns ctx with a remote parent, if text is one.
func withTraceParent(ctx context.Context, text string) context.Context {
	if text == "" {
		return ctx
	}
	carrier := parentCarrier(text)
	return propagation.TraceContext{}.Extract(ctx, &carrier)
}

// parentOf is the trace parent that an event has in itself, if it is one: not everybody's
// extension of that name is. Event.Extensions would copy them all.
func parentOf(ev event.Event) trace.SpanContext {
	attributes, ok := ev.Context.(*event.EventContextV1)
	if !ok {
		return trace.SpanContext{}
	}
	parent, _ := attributes.Extensions[models.ExtTraceParent].(string)
	return trace.SpanContextFromContext(withTraceParent(context.Background(), parent))
}
