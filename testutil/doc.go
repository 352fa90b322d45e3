// Package testutil is the Altinn Events API for tests: a sink in memory that
// checks, answers, stores and pushes events as the real service does, assertions
// about what came, and faults to see what your code does when the service fails.
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
// Intercept is the hook beneath it, for what a Fault cannot say. The endpoint
// "/deliveries" means the pushes to webhooks.
//
// # Subscribers
//
// Subscriptions are made as at the service, by POST /subscriptions. What an event
// matches is pushed to its webhook at once, a few attempts of one webhook at a time, so that
// events overtake each other as they do in the cloud. Deliveries has every attempt,
// RequireDelivered and EventuallyDelivered assert what a webhook took, and Explain
// tells why an event is pushed to a subscription or not. A webhook in process is
// SinkConfig.WebhookTransport; in a synctest bubble a day of retries takes no time.
// The sink connects to loopback addresses only, unless SinkConfig.RemoteWebhooks: other
// deliveries are held back and recorded as such.
//
// What is pushed has the content type application/json, as the service's has. SDKs
// of CloudEvents, which look for application/cloudevents+json, see no event in it
// unless they are told.
//
// # The inspector
//
// URL and Handler serve a page at "/" that shows requests as they come, what is
// wrong with each, what was pushed to whom and why not to others; it sends samples,
// pushes again, and switches faults on. ServeInspector logs its address from a test,
// Inspector is the page as a handler for any prefix. What it asks is there for others
// too, below /_sink: GET requests (filters type, source, subject, status and q; until,
// offset and limit), GET, DELETE requests/{number} and POST requests/{number}/forward,
// GET stream (server-sent events), GET subscriptions and subscriptions/{id}, POST
// subscriptions/{id}/validate and redeliver, GET faults, DELETE faults/{id}, GET and
// POST samples, GET export and POST import (NDJSON). Its answers are masked unless
// reveal=1 is asked for, and hold no token whole; data in Base64 is not looked into.
// What is not the page's below /_sink, such as GET events, is never masked.
//
// # Golden files, recordings, other languages
//
// Golden compares the stored events with a file, in which ids and times are
// normalised. Record and Replay write and read them as NDJSON. The command
// testutil/cmd/eventsink is the sink as a program, with a control API below /_sink
// that is served by URL and Handler too: GET and DELETE events, GET wait, GET
// deliveries, POST and DELETE faults, POST tokens, PUT policy and PUT parties.
//
// # Bounds
//
// The sink keeps the newest 100,000 accepted requests (SinkConfig.MaxEvents) or 256
// MiB of them, whichever is less, and counts what it drops. It takes bodies up to 1
// MiB and, over the socket, headers up to 64 KiB. Of requests that it refused it keeps
// the newest 1,000 or 16 MiB. An import is up to 256 MiB, 64 pages look at once, and a
// page gets 5 messages a second. It keeps 100,000 subscriptions and
// the newest 10,000 attempts to deliver; 8 attempts of one webhook are under way at
// once, and 100,000 deliveries wait. A query looks through the events that share its
// resource, its subject or its alternative subject, whichever are fewest, from the place
// of "after" on: a page of 50 among 100,000 takes about half a millisecond, one whose
// type nothing matches some ten.
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
//	              403 empty: the policy denies publishing,     AuthorizationService.cs
//	                  unless altinn:events.publish.admin
//	GET           401 empty: user token missing or invalid     AppController.cs
//	/app/{org}/   401 JSON string: the caller is no service    AppController.cs
//	{app}             owner
//	              400 errors: times, size or party unreadable  AppController.cs
//	              400 problem: bounds, time zones, size, who,  AppController.cs
//	                  in the order of the service
//	              404 problem: the register knows no such      AppController.cs
//	                  unit or person (inferred body)
//	              200 array in order of arrival, next;         getappevents.sql,
//	                  filters without case and with wildcards  AppCloudEventXacmlMapper.cs
//	GET           as above, for any caller; 400 problem:       AppController.cs
//	/app/party        nobody asked about
//	GET /events   401 empty, 403 empty: scope                  EventsController.cs
//	                  altinn:events.subscribe missing
//	              400 errors: resource missing                 EventsController.cs
//	              400 problem: resource, after, subject        EventsController.cs
//	              200 array in order of arrival, next;         getevents.sql
//	                  types with case and with wildcards
//	POST          401 empty, 400 errors, 400 JSON strings in   SubscriptionController.cs,
//	/subscriptions    the order of the service, 403 empty:     AppSubscriptionService.cs,
//	                  scope missing, 403 JSON string: denied   GenericSubscriptionService.cs
//	              201, Location (no route of the service's);   SubscriptionService.cs
//	                  the same again is the same one
//	GET, DELETE   401 empty, 403 empty: another's, 404: not    SubscriptionController.cs
//	/subscriptions    there or no number; 200
//	PUT /subscri- 403 empty: no platform access token, 404,    SubscriptionController.cs
//	ptions/validate   200
//	POST /tests/  200 empty                                    WebhookReceiverController.cs
//	webhookreceiver
//	pushes        validation first; equality of resource,      OutboundService.cs,
//	                  subject and type, with case; sources by  getsubscriptions.sql
//	                  Uri.IsBaseOf; sub-units
//	              13 attempts, 9 of a validation; 45 s each;   RetryBackoffService.cs,
//	                  any 2xx; Slack's envelope                WebhookService.cs
//
// What differs from the service:
//
//   - Signatures of tokens are checked only with AuthVerify.
//   - The register and the policy are tables, empty until they are set.
//   - An accepted event is visible and pushed at once; SinkConfig.VisibilityLag and
//     SinkConfig.MatchCache are the service's delays.
//   - Bounds of time compare as times, where the service compares text.
//   - Webhooks may be by http on loopback, unless SinkConfig.HTTPSOnly.
//   - What is left of a schedule when the sink ends is not made up for.
//   - The limit of 1 MiB is the sink's; it answers 413 then.
//   - Messages about malformed JSON have another text. A URI that net/url cannot
//     parse, such as one with a stray "%", counts as malformed.
//   - Paths compare with case. Answers have no headers but Content-Type, Location
//     and next.
package testutil
