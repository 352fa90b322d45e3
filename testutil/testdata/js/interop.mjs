// The official JavaScript SDK of CloudEvents posts an event to the Events API at
// EVENTS_URL, subscribes with a webhook of its own, and prints what comes there.
import { createServer } from "node:http";
import { CloudEvent, HTTP, ValidationError } from "cloudevents";

const api = `${process.env.EVENTS_URL}/events/api/v1`;
const resource = "urn:altinn:resource:interop";

function fail(what) {
  console.error(what);
  process.exit(1);
}

// The webhook: what the SDK makes of each request.
const received = [];
const server = createServer((req, res) => {
  const chunks = [];
  req.on("data", (chunk) => chunks.push(chunk));
  req.on("end", () => {
    try {
      // The service pushes as application/json, in which the SDK sees no event.
      const headers = { ...req.headers, "content-type": "application/cloudevents+json" };
      received.push(HTTP.toEvent({ headers, body: Buffer.concat(chunks).toString() }));
      res.statusCode = 200;
    } catch (error) {
      received.push({ error: String(error), errors: error instanceof ValidationError ? error.errors : [] });
      res.statusCode = 400;
    }
    res.end();
  });
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

async function until(condition, what) {
  for (const deadline = Date.now() + 10_000; !condition(); ) {
    if (Date.now() > deadline) fail(`never: ${what}; received ${JSON.stringify(received)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const subscribed = await fetch(`${api}/subscriptions`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ endPoint: `http://127.0.0.1:${server.address().port}/hook`, resourceFilter: resource }),
});
if (subscribed.status !== 201) fail(`subscribe: ${subscribed.status} ${await subscribed.text()}`);
await until(() => received.length === 1, "the validation event");

const message = HTTP.structured(
  new CloudEvent({
    id: "js-1",
    type: "test.interop",
    source: "https://example.com/js",
    subject: "/party/1337",
    time: "2026-11-24T12:00:00.000Z",
    resource,
    resourceinstance: "1",
    data: { text: "<æøå>", list: [1, 2.5, null] },
  }),
);
// The SDK names the charset, which the service takes too.
const posted = await fetch(`${api}/events`, { method: "POST", headers: message.headers, body: message.body });
if (posted.status !== 200) fail(`post: ${posted.status} ${await posted.text()}`);
await until(() => received.length === 2, "the event");

console.log(JSON.stringify(received));
server.close();
server.closeAllConnections();
