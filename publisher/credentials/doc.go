// Package credentials has the token sources that altinn.Credentials takes: a token
// that is given, and the token of the user whose request caused the event.
//
//	client, err := altinn.NewClient(platformURL, altinn.Config{
//		Credentials: altinn.Credentials{
//			PlatformAccessToken: credentials.Static(os.Getenv("PLATFORM_ACCESS_TOKEN")),
//			Bearer:              credentials.User(service),
//		},
//	})
//
//	// In the request that publishes; middleware.AppLifecycle does it by itself.
//	ctx := credentials.WithUserToken(r.Context(), credentials.UserTokenFromRequest(r))
//	err = pub.Publish(ctx, event)
//
// # Guarantees
//
// A user's token lives in the context of its request and is never stored: an event
// that a queue delivers later is sent with the fallback of User. Without a fallback
// such a delivery is ErrNoUserToken, which the publisher retries slowly and reports,
// so give one wherever there is a queue.
//
// A source that does not take a context cannot hold up its caller beyond the context:
// User and altinn.NewClient see to that with Bounded.
//
// Every source is safe for concurrent use, and every value of this package that
// holds a token prints as REDACTED.
package credentials
