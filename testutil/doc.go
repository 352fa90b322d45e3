// Package testutil is the Altinn Events API for tests: a sink in memory that
// checks, answers and stores events as the real service does, assertions about
// what came, and faults to see what your code does when the service fails.
//
//	sink := testutil.NewSink(t)
//	pub := sink.Publisher(t) // no queue: what Publish took has arrived
//	// ... exercise the code under test with pub ...
//	sink.Require(t, testutil.Want{Type: models.TypeInstanceCreated, Subject: "/party/50019855"})
//
// # Reaching the sink
//
// Publisher gives a ready publisher, PublisherWithConfig one with a queue or
// retries. Transport and Client reach the sink in process, whatever host a URL
// names: give Transport and Credentials to altinn.NewClient to test a client of
// your own. Nothing waits on the network then, so all of it works in a
// testing/synctest bubble, where an hour of retries takes no time; open the sink,
// the queue and the publisher inside the bubble. URL opens a loopback socket for
// code in other processes. The two behave alike.
//
// # Assertions
//
// Require looks now, Eventually waits until an event comes, RequireNone sees that
// none comes. They are about stored events: an event that arrives again with the
// same id and source on POST /events is stored once. Received has every arrival.
//
// A failure shows what was wanted, the nearest misses and what differs in them, and
// the requests that were refused, with the reason. Subjects are masked there, with
// a note where two differ only in what is masked; SinkConfig.Unmask shows them.
//
// # Faults
//
// Inject makes requests fail, by endpoint, a number of times, at a rate, or until
// it is lifted:
//
//	sink.Inject(testutil.Fault{Status: 503, RetryAfter: 2 * time.Second, Times: 3})
//	sink.Inject(testutil.Fault{Endpoint: "/app", Delay: time.Minute})
//	sink.Inject(testutil.Fault{Hang: true, Times: 1})
//	sink.Inject(testutil.Fault{Reset: true, Rate: 0.5, Seed: 42})
//	sink.Inject(testutil.Fault{Reset: true, Stored: true, Times: 1}) // taken, answer lost
//
// Intercept is the hook beneath it, for what a Fault cannot say.
//
// # Bounds
//
// The sink keeps the newest 100,000 accepted requests (SinkConfig.MaxEvents) or 256
// MiB of them, whichever is less, and counts what it drops. It takes bodies up to 1
// MiB and, over the socket, headers up to 64 KiB.
//
// # Conformance
//
// Each row is held by golden cases in testdata, which name their source: mostly
// files of Altinn/altinn-events (2026-08) and of the .NET SDK of CloudEvents.
// "Inferred" means that the framework does so, while no test of the service asserts
// it.
//
//	endpoint      rule, in order of checks                     source
//	POST /app     401 empty: user token missing or invalid     AppController.cs
//	              403 empty: platform access token missing,    AccessTokenHandler.cs
//	                  invalid or repeated; 10 s of skew
//	              415 empty: not application/json (inferred)   AppController.cs
//	              400 errors: malformed JSON, wrong types      AppCloudEventRequestModel.cs
//	              400 problem: source, type, subject or        AppCloudEventRequestModel.cs
//	                  specversion empty
//	              500 problem: source relative (inferred)      AppController.cs
//	              401 JSON string: source not of the app, by   AppController.cs
//	                  prefix of the path, case-sensitive
//	              500 JSON string: control characters          CloudEventAttributeType.cs
//	              201, JSON string id, Location: subject       AppController.cs
//	              stored: id, time, resource and instance      AppCloudEventExtensions.cs
//	                  are the service's; data and other
//	                  extensions are dropped
//	POST /events  401 empty: user token missing or invalid     EventsController.cs
//	              403 empty: neither scope                     PublishScopeOrAccessTokenHandler.cs
//	                  altinn:events.publish nor a platform
//	                  access token
//	              415 empty: not application/cloudevents+json  EventsController.cs
//	              400 errors, key RequestBody: the SDK's       JsonEventFormatter.cs,
//	                  message                                  Validation.cs
//	              400 problem: resource missing or no URN in   EventsController.cs,
//	                  lower case                               UriExtensions.cs
//	              200 empty; stored once per id and source,    CloudEventRepository.cs,
//	                  extensions as strings, old names of      EventsService.cs
//	                  apps' resources renewed
//
// What differs from the service:
//
//   - Signatures of tokens are not checked.
//   - No policy is asked, so nobody is refused with a 403 for a resource; a Fault
//     with Status 403 does that.
//   - GET /events, GET /app/party, GET /app/{org}/{app}, /subscriptions and POST
//     /tests/webhookreceiver are not emulated and answer 501. Nothing is pushed.
//   - An accepted event is stored at once. The service only queues it.
//   - The limit of 1 MiB is the sink's; it answers 413 then.
//   - Messages about malformed JSON have another text. A URI that net/url cannot
//     parse, such as one with a stray "%", counts as malformed.
//   - Paths compare with case. Answers have no headers but Content-Type and
//     Location.
package testutil
