// The page: where it is, what it listens to, its keys and dialogs.
import { $, h, ask, toast, copy, count, openDialog } from "./dom.js";
import { List } from "./list.js";
import { openRequest, closeRequest } from "./detail.js";
import { showSubscriptions } from "./subscriptions.js";
import { showFaults, startFaults } from "./faults.js";

const filterNames = ["q", "type", "source", "subject", "status"];
const filters = $("filters");
const state = { view: "events", event: 0, subscription: 0 };

// What looks like somebody's number stays out of the address.
const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
const isPersonal = (text) => /\p{Nd}([^\p{L}\p{Nd}]{0,3}\p{Nd}){8}/u.test(text.replace(uuid, "x"));

// query returns the filter.
function query() {
  const params = new URLSearchParams();
  for (const name of filterNames) {
    const value = filters.elements[name].value.trim();
    if (value) params.set(name, value);
  }
  return params;
}

function readAddress() {
  const params = new URLSearchParams(location.search);
  const view = params.get("view");
  state.view = ["events", "subscriptions", "faults"].includes(view) ? view : "events";
  state.event = Number(params.get("event")) || 0;
  state.subscription = Number(params.get("subscription")) || 0;
  const status = params.get("status") ?? ""; // the menu has no codes
  if (/^[1-5]\d\d$/.test(status) && ![...filters.elements.status.options].some((o) => o.value === status)) filters.elements.status.add(new Option(status, status));
  for (const name of filterNames) filters.elements[name].value = params.get(name) ?? "";
}

// writeAddress writes where the page is; as a new step if told to, from which Back goes
// back. A step that only opened something is undone by closing it.
function writeAddress(push, opened = null) {
  const params = new URLSearchParams({ view: state.view });
  list.unshared = false;
  for (const [name, value] of query()) {
    if (isPersonal(value)) list.unshared = true;
    else params.set(name, value);
  }
  if (state.view === "events" && state.event) params.set("event", state.event);
  if (state.view === "subscriptions" && state.subscription) params.set("subscription", state.subscription);
  if (push) history.pushState({ opened }, "", "?" + params);
  else history.replaceState(history.state, "", "?" + params);
}

let leaving = false; // a step that popstate is to come of
function closed(what) {
  if (history.state?.opened !== what) return writeAddress(false);
  leaving = true;
  history.back();
}

const toRequest = {
  open,
  close: () => {
    const focused = document.activeElement === document.body || $("detail").contains(document.activeElement);
    open(0);
    if (focused) $("list").focus({ preventScroll: true });
  },
};
const toSubscription = {
  open: (id) => {
    const push = !state.subscription;
    state.subscription = id;
    writeAddress(push, "subscription");
    show();
  },
  close: () => { state.subscription = 0; closed("subscription"); show(); },
};

function open(number) {
  const push = !state.event;
  state.event = number;
  if (number) writeAddress(push, "event");
  else closed("event");
  showEvent(number);
}

function showEvent(number) {
  document.querySelector("#view-events .panes").classList.toggle("open", number > 0);
  list.selected = number;
  list.render();
  if (number) openRequest(number, toRequest);
  else closeRequest();
}

function show() {
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.dataset.view === state.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const view of document.querySelectorAll(".view")) view.hidden = view.id !== "view-" + state.view;
  document.querySelector("#view-subscriptions .panes").classList.toggle("open", state.subscription > 0);
  $("reset-filters").hidden = [...query()].length === 0;
  document.title = { events: "Events", subscriptions: "Subscriptions", faults: "Faults" }[state.view] + " – inspector";
  if (state.view === "subscriptions") showSubscriptions(state.subscription, toSubscription);
}

const list = new List({ query, open, connect });
list.onempty = (filtered) => {
  $("empty").replaceChildren(...(filtered ? [h("h2", {}, "Nothing matches"), h("p", {}, "Requests come in all the same; the filter hides them.")] : [
    h("h2", {}, "Nothing has come yet"),
    h("p", {}, "Point the Events API address of an app here, send a sample, or post something:"),
    h("pre", { id: "try" }, example()),
    h("button", { type: "button", onclick: () => copy(example(), "Command") }, "Copy the command"),
  ]));
};

const base = () => new URL(".", location.href).href.replace(/\/$/, "");

const example = () => `TOKEN=$(curl -s ${base()}/_sink/tokens -d '{"kind":"user"}' | sed 's/.*:"//; s/".*//')
curl ${list.api}/events/api/v1/events \\
  -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/cloudevents+json' \\
  -d '{"specversion":"1.0","id":"1","source":"https://example.com","type":"try.this","resource":"urn:altinn:resource:try-this"}'`;

// The stream of what happens. Each connection starts the list anew, so that nothing
// is missing and nothing is there twice. A list that somebody reads keeps its rows.
let stream;
let connecting = 0;
let reconnect;
let seen; // the message that came last
let refreshing;
let marksChanged; // rows say whether a subscription asks for almost the same

function connection(stateName, text) {
  const paused = list.paused && stateName === "live";
  $("connection").dataset.state = paused ? "paused" : stateName;
  if (paused) text = "Paused";
  if ($("connection").textContent !== text) $("connection").textContent = text; // or it is read out each time
}

function disconnect() {
  connecting++;
  clearTimeout(reconnect);
  stream?.close();
}

async function connect(keep = list.paused || !list.atTop) {
  disconnect();
  const attempt = connecting;
  try {
    await list.reset(keep);
  } catch {
    return retry(attempt);
  }
  if (attempt !== connecting || document.hidden) return;
  const params = query();
  params.set("after", list.newest);
  stream = new EventSource("_sink/stream?" + params);
  stream.onopen = () => connection("live", "Live");
  stream.onerror = () => retry(attempt);
  stream.onmessage = (event) => { if (attempt === connecting) receive(JSON.parse(event.data)); };
}

function retry(attempt) {
  if (attempt !== connecting) return;
  stream?.close();
  connection("lost", "Connection lost, trying again…");
  if (seen) seen.newest = -1; // what is open may be another sink's
  if (!document.hidden) reconnect = setTimeout(connect, 1000);
}

// A page that nobody looks at, in another tab or kept for Back, holds no stream: a
// browser has six connections to a server, and the seventh page would wait for one.
addEventListener("pagehide", disconnect);
addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
document.addEventListener("visibilitychange", () => { if (document.hidden) disconnect(); else connect(); });

function receive(message) {
  connection("live", "Live");
  list.dropped = message.dropped;
  if (stream.began && seen.cleared !== message.cleared) connect();
  else list.push(message);
  stream.began = true;
  $("count-events").textContent = message.requests.toLocaleString("en");
  $("count-subscriptions").textContent = message.subscriptions.toLocaleString("en");
  $("count-faults").textContent = message.faults.length;
  showFaults(message.faults);
  const changed = seen && ["newest", "cleared", "deliveries", "changes"].some((name) => seen[name] !== message[name]);
  marksChanged ||= seen && seen.changes !== message.changes;
  seen = message;
  if (changed && !refreshing) {
    refreshing = setTimeout(() => {
      refreshing = 0;
      if (marksChanged) list.renew();
      marksChanged = false;
      if (state.view === "subscriptions") show();
      else if (state.view === "events" && state.event) openRequest(state.event, toRequest);
    }, 500);
  }
}

function pause() {
  list.paused = !list.paused;
  $("pause").setAttribute("aria-pressed", String(list.paused));
  $("pause").textContent = list.paused ? "Go on" : "Pause";
  connection("live", "Live");
  if (!list.paused && list.pending > 0) connect(false);
}

let filterTimer;
filters.addEventListener("input", () => {
  clearTimeout(filterTimer);
  filterTimer = setTimeout(filtered, 200);
});
filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("reset", () => setTimeout(filtered));

$("more-filters").addEventListener("click", () => {
  const open = filters.classList.toggle("open");
  $("more-filters").setAttribute("aria-expanded", String(open));
});

function filtered() {
  clearTimeout(filterTimer);
  writeAddress(false);
  $("reset-filters").hidden = [...query()].length === 0;
  connect(list.paused);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='?']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const params = new URLSearchParams(link.getAttribute("href"));
  state.view = params.get("view");
  for (const name of ["subscription", "event"]) if (params.has(name)) state[name] = Number(params.get(name));
  writeAddress(true);
  show();
  if (state.view === "events") showEvent(state.event);
});

addEventListener("popstate", () => {
  if (leaving) { // what is shown is right, and the filter may be newer than the address
    leaving = false;
    return writeAddress(false);
  }
  const before = String(query());
  readAddress();
  show();
  if (String(query()) !== before) connect(list.paused);
  showEvent(state.event);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = event.target.closest("input:not([type=checkbox]), select, textarea");
  if (event.key === "Escape") {
    if (typing) typing.blur();
    else if (state.view === "events" && state.event) toRequest.close();
    else if (state.view === "subscriptions" && state.subscription) toSubscription.close();
    return;
  }
  if (typing) return;
  const search = () => {
    if (state.view !== "events") {
      state.view = "events";
      writeAddress(true);
      show();
    }
    $("filter-q").focus();
    $("filter-q").select();
  };
  const actions = { p: pause, "?": () => openDialog("help"), "/": search };
  if (state.view === "events") Object.assign(actions, { j: () => list.step(1), k: () => list.step(-1), g: () => list.toNewest() });
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
});

$("pause").addEventListener("click", pause);
$("help").addEventListener("click", () => openDialog("help"));

$("clear").addEventListener("click", () => openDialog("clear"));
$("dialog-clear").addEventListener("close", async () => {
  if ($("dialog-clear").returnValue !== "ok") return;
  await ask("DELETE", "events");
  open(0);
  toast("Cleared.");
});

$("sample").addEventListener("click", async () => {
  const { types } = await ask("GET", "samples");
  $("samples").replaceChildren(...types.map((type) => h("button", {
    type: "button", onclick: async () => {
      const { sent } = await ask("POST", "samples", { type });
      toast(`Sent ${count(sent, "event")}: ${type}`);
    },
  }, type)));
  openDialog("sample");
});

const exportLink = () => {
  const params = query();
  if ($("export-reveal").checked) params.set("reveal", "1");
  $("export-link").href = "_sink/export?" + params;
};
$("export").addEventListener("click", () => {
  $("export-mask").hidden = document.documentElement.dataset.unmasked === "true";
  $("export-reveal").checked = false;
  exportLink();
  openDialog("export");
});
$("export-reveal").addEventListener("change", exportLink);
$("export-link").addEventListener("click", () => $("dialog-export").close());

$("import").addEventListener("click", () => openDialog("import"));
$("dialog-import").addEventListener("close", async () => {
  const file = $("import-file").files[0];
  if ($("dialog-import").returnValue !== "ok" || !file) return;
  $("import-file").value = "";
  const { taken } = await ask("POST", "import", file);
  toast(`Imported ${count(taken, "event")}.`);
});

readAddress();
writeAddress(false); // what must not stand in it may have come with it
startFaults();
show();
showEvent(state.event);
connect();
