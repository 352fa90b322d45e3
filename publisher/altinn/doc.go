// Package altinn is the client of the Altinn Events API, in both directions: it posts
// encoded events to POST /app and POST /events, once per call, and says what the
// service answered in terms of what to do next; and it subscribes to events and reads
// them. Both ask for the same tokens at the same address, so they are one client.
//
//	client, err := altinn.NewClient("https://platform.tt02.altinn.no", altinn.Config{
//		Credentials: altinn.Credentials{PlatformAccessToken: platform, Bearer: user},
//	})
//	pub, err := publisher.New(client, publisher.Config{})
//	err = pub.Publish(ctx, app.Created(instance))
//
// # Delivery
//
// The client tries once and keeps nothing; retries, queues and timeouts are the
// publisher's. An answer of 2xx means that the service has queued the event.
// Delivery is at least once, and the two endpoints differ in what a repeat
// means:
//
//   - POST /events keeps the event's own id and time. A repeat with the same id
//     and source is stored once, so net/http may itself repeat a request whose
//     reused connection broke before an answer.
//   - POST /app assigns id and time itself. If an answer is lost on the way, the
//     retry makes a second event with another id, so do not build on the id of an
//     app event for deduplication.
//
// # Errors
//
// Every error of Send and Post wraps publisher.ErrRejected, ErrUnauthorized or
// ErrUnavailable. An answer other than 2xx is a *ResponseError with the details.
// Redirects are not followed, so tokens never leave for another host.
//
// A 401 makes the client ask its token sources again, once per call; if they have
// another token, the event is posted a second time with it. One 401 is different:
// POST /app answers a JSON string with "is not authorized to create events for" when
// the event's source does not belong to the app of the platform access token, which
// no token will change.
//
// # Time and connections
//
// The context bounds a call, and nothing else does: give it a deadline, as the
// publisher does with TryTimeout. It bounds the token sources too: one that does not
// take a context is asked on a goroutine of its own, which a source that hangs keeps
// until it returns, see credentials.Bounded. Replies are read to their end, up to 64 KiB, so
// that connections are used again; a longer reply costs its connection.
//
// # Subscribing and reading
//
// Ensure makes the subscriptions that a program declares, and waits until their
// webhooks are validated; package middleware/webhook receives what is pushed.
// Subscribe, Subscriptions and Unsubscribe are the calls beneath it. What would never
// match is refused before it is sent, see Subscription.Validate.
//
// Events reads what the service keeps, page by page, as an iterator; Poll goes on for as
// long as its context. Either begins after an event whose id the caller has kept:
//
//	for ev, err := range client.Poll(ctx, altinn.Query{Resource: resource, After: cursor}, altinn.PollConfig{}) {
//		if err != nil {
//			logger.Warn("reading events", slog.Any("error", err))
//			continue // Poll waits and goes on
//		}
//		cursor = ev.ID() // once the event is done
//	}
//
// # Secrets and personal data
//
// Tokens and the subscription key go into headers and nowhere else. What the
// service answers is redacted before it becomes part of an error: identity
// numbers, and the secrets of that call should a gateway echo them. Credentials,
// Config and Client print as REDACTED where they hold secrets. Plain http is
// refused but for loopback hosts, see Config.AllowHTTP.
package altinn
