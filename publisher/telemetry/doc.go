// Package telemetry shows publishing to OpenTelemetry: it is a publisher.Observer that
// makes spans and metrics, and a health check for readiness probes.
//
//	var queue *sqlite.Queue // has the observer, which asks it
//	observer, err := telemetry.New(telemetry.Config{
//		TracerProvider: otel.GetTracerProvider(),
//		MeterProvider:  otel.GetMeterProvider(),
//		Stats:          func(ctx context.Context) (outbox.Stats, error) { return queue.Stats(ctx) },
//	})
//	...
//	queue, err = sqlite.New(db, sqlite.Config{Observer: observer})
//	...
//	pub, err := publisher.New(client, publisher.Config{Queue: queue, Observer: observer})
//	e.GET("/health/events", echo.WrapHandler(telemetry.Health(telemetry.HealthConfig{Stats: queue.Stats, Relaying: pub.Relaying, MaxAge: -1})))
//
// The queue has the same Observer as the publisher, for PublishTx. Nothing is global:
// without a provider its part is not recorded and allocates nothing.
//
// # Spans
//
//	publish   producer   from Publish to its acceptance; a child of the request's span
//	deliver   client     one attempt; a child of publish, also when a queue delivers it
//	                     later or another process does: the queue keeps the trace context
//	process   consumer   Observer.Process around the handling of a pushed event; a child
//	                     of publish, of which events to POST /events carry the context in
//	                     the extension traceparent of CloudEvents, and linked to the
//	                     push's request. Of other events it is that request's child.
//
// An event that has a valid traceparent already keeps it. Its publish is in the request's
// trace and linked to that one; process, and with a queue deliver, are in the other trace,
// as children of that one: a queue and an event carry a single trace parent.
//
// # Metrics
//
//	messaging.client.sent.messages        {message}  attempts to deliver; those without error.type have
//	messaging.client.operation.duration   s          the same attempts, not by type of event
//	messaging.client.consumed.messages    {message}  handlings by Process
//	messaging.process.duration            s          the same handlings
//	altinn.events.published               {event}    ends of Publish, by outcome: accepted, invalid, failed
//	altinn.events.retried                 {event}    failed attempts that another follows
//	altinn.events.discarded               {event}    events that were given up: alert on it
//	altinn.events.lag                     s          from Publish to the endpoint's answer
//	altinn.events.queue.depth             {event}    by state: pending, sending, delivered, discarded
//	altinn.events.queue.oldest.age        s          of the oldest event that is not delivered
//	altinn.events.queue.readable                     1, or 0 if Stats failed or took 2 s; the two above
//	                                                 are missing then: alert on it
//
// Of a PostgreSQL queue the three gauges are the whole queue's, and every process that
// shares it reports them: take the maximum over processes, never the sum. A counter
// counts its process's events, and has no series before the first of a kind, nor after a
// restart: alerts.yml in examples/observability shows how to alert on that first one.
//
// Published counts what the caller was told. What PublishTx has written is accepted, also
// if its transaction is rolled back afterwards. A Publish to a publisher that is closed is
// in no metric and no span: its ErrClosed is the caller's to report.
//
// Attributes have few values: messaging.destination.name is the endpoint, altinn.queue
// is Config.Queue, cloudevents.event_type is one that Altinn has, with
// "app.instance.process.movedTo" for every task, or "other". error.type is a status, or
// invalid, rejected, unauthorized, unavailable, _OTHER; of Process it is always handler.
//
// # Personal data
//
// No span and no metric has a subject, data, or a text that the endpoint wrote. The ids
// of events are in spans, redacted like everything that is logged.
//
// Of the conventions for CloudEvents, source and subject are left out, because both may
// hold a person's number; event_id, because messaging.message.id says it; and
// event_spec_version, because it is always 1.0. Of those for messaging, server.address,
// server.port and the network attributes are left out, because the HTTP client's own spans
// have them; client id, conversation id, batch, partition, consumer group, subscription and
// what describes a destination further, because there is none; and the sizes of messages,
// which are opt-in.
//
// Source: OpenTelemetry semantic conventions for messaging and for CloudEvents (1.43, the
// newest that go.opentelemetry.io/otel 1.47 has).
package telemetry
