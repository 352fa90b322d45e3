// Package webhook receives the events that Altinn Events pushes to a subscriber, and
// hands each to the handler of its type: once, in order for each instance or file
// transfer, others in parallel.
//
//	receiver, err := webhook.New(webhook.Config{Secrets: []string{os.Getenv("WEBHOOK_SECRET")}})
//	if err != nil {
//		return err
//	}
//	receiver.On(models.TypeInstanceCreated, func(ctx context.Context, r webhook.Received) error {
//		return archive(ctx, r.Instance)
//	})
//	e.POST("/events", receiver.Echo())
//
// The endpoint of the subscription is then "https://{host}/events?code={secret}".
// Altinn Events proves who it is by nothing else, so the secret is long, and the
// endpoint https. Receiver is an http.Handler too.
//
// # What a handler's result becomes
//
// Altinn Events takes any 2xx for success. Everything else it sends again: after 10 s,
// 30 s, 1 min, 5 min, 10 min, 30 min, 1 h, 3 h, 6 h and 12 h thrice, and then never.
//
//	result                        answer   what happens
//	nil                           200      done; the same event again is not handled
//	ErrNotYet, or wrapping it     425      sent again
//	Permanent(err)                200      Config.DeadLetter gets it; done
//	any other error, a panic      500      sent again
//	                                       (Config.Timeout ends the handler's context)
//	no handler for the type       200      observed; Config.RejectUnknown: 400
//	the validation event          200      answered by the receiver itself
//
// The .NET library answers 400 for a type that it has no handler for, which makes
// Altinn Events try for days; so the default here is 200.
//
// What is no event is refused before any handler: 401 for a secret that is wrong or
// missing, 403 for a source address that is not allowed, 405 for a method other than
// POST, 413 for a body above 1 MiB, 415 for another media type, 400 for all else.
//
// # Filters
//
// A subscription of Broker filters by resource, by subject and by type. What it cannot
// is filtered here: Only has a handler called for events About a file transfer or
// instance, or To an organisation or party. Which types a sender and which a recipient
// is sent is the table models.BrokerTypes:
//
//	for _, eventType := range models.BrokerTypes(models.BrokerRecipient) {
//		receiver.On(eventType, webhook.Only(download, webhook.To("/organisation/986252933")))
//	}
//
// # Guarantees
//
// Once: an event of an id and source that was done is answered 200 and not handled
// again, as long as the Inbox remembers it. The one in memory remembers the newest
// 100,000; sqlite.NewInbox and postgres.NewInbox keep the mark in the transaction in
// which the handler makes its changes, so that both happen or neither.
//
// In order: the events of one instance (extension resourceinstance, or else the
// source) are handled one after the other, as they arrive. Altinn Events sends some
// late and sends some again, so they may arrive out of order: Config.HoldBack waits
// for stragglers so long, and an event older than one that was handled is observed
// as OutOfOrder.
//
// Bounded: Config.Concurrency events at once, bodies of 1 MiB, and Config.Timeout for
// each from its arrival, so that none outlasts the 45 s after which Altinn Events
// gives up.
//
// Secrets compare in constant time. No log or error of this package holds a secret,
// a subject or data.
package webhook
