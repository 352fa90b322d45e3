// One request: what it says, what is wrong with it, and what became of it.
import { $, h, ask, badge, when, duration, shown, inPre, json, exactText, copy, replace, tabs, toast, count } from "./dom.js";

let revealed = 0; // the number of the request that is shown in clear
let latest = 0; // the request that was asked for last
let rendered = ""; // the answer that is shown

export async function openRequest(number, { close, open }) {
  latest = number;
  if (revealed !== number) revealed = 0;
  let request;
  try {
    request = await ask("GET", `requests/${number}${revealed ? "?reveal=1" : ""}`);
  } catch (error) {
    if (latest === number && error.status === 404) close();
    return;
  }
  const answer = JSON.stringify(request);
  if (latest !== number || answer === rendered) return;
  rendered = answer;
  render(request, { close, open, again: () => openRequest(number, { close, open }) });
}

export function closeRequest() {
  latest = revealed = 0;
  rendered = "";
  replace($("detail"), "", h("p", { class: "muted" }, "Choose a request to see what it says, what is wrong with it and what became of it."));
}

function render(r, to) {
  const reveal = r.masked ? () => { revealed = r.number; to.again(); } : null;
  const body = (id, exact) => (exact === "" ? h("p", { id, class: "muted" }, "No body") : h("pre", { id }, json(exact, reveal)));
  const block = (title, ...content) => h("section", { class: "block", "aria-label": title }, h("h3", {}, title), content);
  replace($("detail"), r.number,
    h("div", { class: "detail-head" },
      h("button", { type: "button", class: "back small", onclick: to.close }, "← Back"),
      badge(r.status, r.outcome), r.outcome === "duplicate" ? h("span", { class: "badge info" }, "came again") : null,
      h("h2", {}, shown(r.type || r.method + " " + r.endpoint)),
      h("div", { class: "buttons" },
        reveal ? h("button", { type: "button", class: "small", id: "reveal", onclick: reveal }, "Show numbers") : null,
        revealed === r.number ? h("button", { type: "button", class: "small", id: "reveal", onclick: () => { revealed = 0; to.again(); } }, "Mask numbers") : null,
        r.pretty === "" ? null : h("button", { type: "button", class: "small", id: "copy-json", onclick: () => copy(exactText(r.pretty), r.masked ? "JSON, masked," : "JSON") }, "Copy JSON"),
        h("button", { type: "button", class: "small", id: "copy-curl", onclick: () => copy(r.curl, r.masked ? "curl, masked," : "curl") }, "Copy curl"),
        h("button", { type: "button", class: "small danger", id: "delete", onclick: () => remove(r, to) }, "Delete"))),
    h("p", { class: "muted" }, `#${r.number} · `, h("bdi", {}, shown(r.method + " " + r.endpoint)), " · ", when(r.at), ` · ${count(r.bytes, "byte")}`,
      r.cut ? [" ", h("span", { class: "badge warn", title: "What came after this was not kept." }, "cut")] : null),
    block("Findings", findings(r.findings)),
    r.attributes.length > 0 ? block("Attributes", h("dl", { class: "attributes" }, r.attributes.map((a) => h("div", {},
      h("dt", {}, shown(a.name)),
      h("dd", {}, h("span", { class: "value" }, shown(a.value, reveal)), h("span", { class: "meaning" }, a.meaning)))))) : null,
    h("section", { class: "block", "aria-label": "Content" }, tabs("Content", [
      ["Event", () => body("pretty", r.pretty)],
      ["Body as it came", () => body("raw", r.raw)],
      [`Headers (${r.headers.length})`, () => headers(r.headers, reveal)],
      ["curl", () => h("pre", { id: "curl" }, inPre(r.curl, reveal))],
    ])),
    r.outcome === "accepted" || r.outcome === "duplicate" ? [
      block("Deliveries" + newestOf(r.deliveries, r.deliveriesTotal), deliveries(r, to)),
      block("Subscriptions", explanations(r, reveal)),
      r.arrivals.length > 1 ? block(`Came ${count(r.relatedTotal ?? r.arrivals.length, "time")}` + newestOf(r.arrivals, r.relatedTotal), timeline(r.arrivals, r.number, to)) : null,
      r.timeline.length > 0 ? block("Its instance, in order" + newestOf(r.timeline, r.instanceTotal), timeline(r.timeline, r.number, to)) : null,
      () => block("Forward", forward(r)),
    ] : null);
}

// newestOf says how many there are of what is shown, if that is not all.
export const newestOf = (shownOnes, total) => (total > shownOnes.length ? `, ${total.toLocaleString("en")} in all, the newest ${shownOnes.length}` : "");

async function remove(r, to) {
  if (r.arrivals.length > 1 && !confirm(`Delete all ${r.relatedTotal ?? r.arrivals.length} arrivals of this event?`)) return;
  await ask("DELETE", `requests/${r.number}`);
  to.close();
}

const levels = { error: "err", warning: "warn", info: "info" };

function findings(all) {
  if (all.length === 0) return h("p", {}, h("span", { class: "badge" }, "fine"), " Nothing breaks a rule of CloudEvents or Altinn.");
  return h("ul", { class: "findings" }, all.map((f) => h("li", {},
    h("span", { class: "badge " + levels[f.level] }, f.level),
    h("span", {}, f.attribute ? [h("code", {}, shown(f.attribute)), ": "] : null, shown(f.message), " ", h("span", { class: "rule" }, f.rule)))));
}

function headers(all, reveal) {
  if (all.length === 0) return h("p", { class: "muted" }, "It was imported, and has none.");
  return h("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Headers" }, h("table", { id: "headers" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Name"), h("th", { scope: "col" }, "Value"))),
    h("tbody", {}, all.map((header) => h("tr", {}, h("td", { class: "mono" }, shown(header.name)), h("td", { class: "mono" }, shown(header.value, reveal),
      (header.tokens ?? []).map((token) => h("details", { "data-key": "token-" + header.name },
        h("summary", {}, "Token", token.expires ? [", expires ", when(token.expires)] : ", without expiry"),
        h("pre", {}, json(token.header, reveal)), h("pre", {}, json(token.claims, reveal))))))))));
}

function timeline(rows, here, to) {
  return h("ol", { class: "timeline" }, rows.map((row) => h("li", { class: (row.number === here ? "here " : "") + (row.level === "error" ? "err" : "ok"), "aria-current": row.number === here ? "true" : null },
    row.number === here ? h("strong", {}, shown(row.type)) : h("button", { type: "button", class: "linkish", onclick: () => to.open(row.number) }, shown(row.type)),
    " ", badge(row.status, row.outcome), h("br"), when(row.at), h("span", { class: "at" }, ` · #${row.number}`))));
}

function outcome(d) {
  if (d.heldBack) return ["warn", "held back"];
  if (d.status >= 200 && d.status < 300) return ["ok", "answered " + d.status];
  return ["err", d.status ? "answered " + d.status : d.error];
}

// attempts returns a timeline of attempts, each with the time since the first.
export function attempts(all) {
  const first = new Date(all[0].at);
  return h("ol", { class: "timeline" }, all.map((d) => {
    const [kind, text] = outcome(d);
    return h("li", { class: kind },
      h("span", { class: "badge " + { ok: "", err: "err", warn: "warn" }[kind] }, `attempt ${d.attempt}`), " ", shown(text),
      d.heldBack && d.error ? h("div", { class: "at" }, shown(d.error)) : null,
      h("br"), when(d.at), h("span", { class: "at" }, `${d.at === all[0].at ? "" : " · " + duration(new Date(d.at) - first) + " later"} · took ${duration(d.tookMs)}`,
        d.nextAttempt ? [" · next ", when(d.nextAttempt)] : ""));
  }));
}

function deliveries(r, to) {
  if (r.deliveries.length === 0) return h("p", { class: "muted" }, "It was pushed to nobody. Why not stands below.");
  return [...Map.groupBy(r.deliveries, (d) => d.push).values()].map((all) => {
    const { subscription: id, endPoint } = all[0];
    return h("div", { class: "card" },
      h("p", {}, h("a", { href: `?view=subscriptions&subscription=${id}` }, `Subscription ${id}`), " ", h("span", { class: "mono" }, shown(endPoint)), " ",
        h("button", { type: "button", class: "small", onclick: () => redeliver(id, r.number, to.again) }, "Redeliver")),
      attempts(all));
  });
}

export async function redeliver(subscription, number, then) {
  await ask("POST", `subscriptions/${subscription}/redeliver`, { number });
  toast("Pushed again.");
  setTimeout(then, 300);
}

const hint = (c) => (c.hint ? h("div", { class: "muted" }, shown(c.hint)) : null);

// criteria returns the table of why an event is pushed, or not.
export function criteria(all, reveal) {
  return h("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Criteria" }, h("table", {},
    h("thead", {}, h("tr", {}, ["", "Criterion", "Subscription asks for", "Event has"].map((name) => h("th", { scope: "col" }, name || h("span", { class: "muted" }, "OK?"))))),
    h("tbody", {}, all.map((c) => h("tr", {},
      h("td", {}, h("span", { class: "badge " + (c.ok ? "" : "err") }, c.ok ? "yes" : "no")),
      h("td", { class: "mono" }, c.name),
      c.name === "policy" // asks of who subscribes, not of the event
        ? h("td", { class: "mono", colspan: 2 }, shown(c.want + " for " + c.got, reveal), hint(c))
        : [h("td", { class: "mono" }, c.want === "" ? h("em", {}, "empty") : shown(c.want, reveal)),
          h("td", { class: "mono" }, c.got === "" ? h("em", {}, "none") : shown(c.got, reveal), hint(c))])))));
}

function explanations(r, reveal) {
  if (r.explained.length === 0) return h("p", { class: "muted" }, "There are no subscriptions.");
  return [
    r.explained.map((e) => h("details", { class: "explained", "data-key": "subscription-" + e.subscription, open: r.explained.length === 1 },
      h("summary", {}, h("span", { class: "badge " + (e.pushed ? "" : "off") }, e.pushed ? "matches" : "does not match"), ` Subscription ${e.subscription} `, h("span", { class: "mono muted" }, shown(e.endPoint))),
      criteria(e.criteria, reveal))),
    r.more > 0 ? h("p", { class: "muted" }, `and ${count(r.more, "subscription")} more`) : null,
  ];
}

// kept is where the last one was forwarded to, as far as the browser keeps anything.
function kept(url) {
  try {
    if (url === undefined) return localStorage.getItem("forward") ?? "";
    localStorage.setItem("forward", url);
  } catch {
    return "";
  }
}

// forward returns the same form for the same request, with what was typed and answered.
let forwarding = { number: 0 };
function forward(r) {
  if (forwarding.number === r.number) return forwarding.form;
  const result = h("p", { class: "muted", role: "status" });
  const url = h("input", { type: "url", name: "url", id: "forward-url", required: true, placeholder: "http://127.0.0.1:8080/events" });
  url.value = kept();
  const send = async (event) => {
    event.preventDefault();
    kept(url.value.split("?")[0]); // without its secret
    result.textContent = "Posting…";
    const answer = await ask("POST", `requests/${r.number}/forward`, { url: url.value }).catch((error) => ({ error: error.message, tookMs: 0 }));
    result.replaceChildren(...answer.error ? shown(answer.error) : [`Answered ${answer.status} in ${duration(answer.tookMs)}.`]);
  };
  forwarding = { number: r.number, form: [h("form", { class: "forward", id: "forward", onsubmit: send },
    h("label", {}, "Post it once to a receiver, as a webhook gets it", url), h("button", { type: "submit" }, "Forward")), result] };
  return forwarding.form;
}
