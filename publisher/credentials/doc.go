// Package credentials makes, keeps and renews every token that Altinn asks for, as the
// token sources that altinn.Credentials takes:
//
//	Platform       which app is calling: a platform access token for each app
//	Maskinporten   which organisation is calling, by the JWT grant
//	Exchange       the Altinn token for one of Maskinporten's: the bearer token of a service
//	User           the token of the user whose request caused the event
//	Static         a token that is given, for tools and tests
//
// A service reads them from its environment in one call, whose error names every
// variable that is missing:
//
//	set, err := credentials.FromEnv(credentials.EnvOptions{Logger: logger})
//	...
//	client, err := altinn.NewClient(set.Environment.PlatformURL, altinn.Config{
//		Credentials: altinn.Credentials{
//			PlatformAccessToken: set.PlatformAccessToken,
//			Bearer:              credentials.User(set.Bearer),
//			SubscriptionKey:     set.SubscriptionKey,
//		},
//	})
//
//	// In the request that publishes; middleware.AppLifecycle does it by itself.
//	ctx := credentials.WithUserToken(r.Context(), credentials.UserTokenFromRequest(r))
//	err = pub.Publish(ctx, event)
//
// # Keys
//
// A Key is read from PEM, PKCS #12 or a JWK, or signs in a vault (NewKey takes any
// crypto.Signer). KeyFile reads files again whenever a token is made, so a rotated
// key needs no restart. RSA of 2048 bits or more is taken, and RS256, RS384 and RS512:
// neither Maskinporten nor the platform takes anything else.
//
// # Guarantees
//
// A user's token lives in the context of its request and is never stored: an event
// that a queue delivers later is sent with the fallback of User. Without a fallback
// publisher.New refuses to be given a queue.
//
// A source that does not take a context cannot hold up its caller beyond the context:
// User and altinn.NewClient see to that with Bounded.
//
// Platform, Maskinporten and Exchange keep their token and renew it when a tenth of its
// life is left (5 s to 5 min, and up to half as much earlier, at random). One attempt
// is under way at a time, however many ask, and takes 10 s at most; who asks waits for
// it only if the token has 5 s left or less. If it fails, the token serves on until it
// expires, and attempts pause for 1 s, doubling to 30 s. Reading a token that is there
// allocates nothing. Clocks may differ: the issuer's is read from its answers.
//
// An *Error says who gave no token and why, without a secret. It is
// publisher.ErrUnavailable if waiting may help, and publisher.ErrUnauthorized if
// somebody has to act; a queue keeps its events either way.
//
// When the service answers 401, altinn.Client has its tokens renewed once; a second
// 401 is publisher.ErrUnauthorized.
//
// Every source is safe for concurrent use, and every value of this package that
// holds a token prints as REDACTED.
package credentials
