// Subscriptions: what each asks for, what it got, and why.
import { $, h, ask, when, shown, count, replace, toast } from "./dom.js";
import { attempts, criteria, newestOf, redeliver } from "./detail.js";

let revealed = 0;
let latest = 0;

export async function showSubscriptions(selected, to) {
  const { total, subscriptions } = await ask("GET", "subscriptions").catch(() => ({ total: 0, subscriptions: [] }));
  $("subscriptions-summary").textContent = count(total, "subscription") + (total > subscriptions.length ? `, the newest ${subscriptions.length}` : "");
  replace($("subscriptions"), "list", subscriptions.map((s) => h("li", {}, h("button", {
    type: "button", "data-key": "subscription-" + s.id, "aria-current": String(s.id === selected), onclick: () => to.open(s.id),
  },
  h("span", { class: "name" }, `${s.id} `, h("span", { class: "badge " + (s.validated ? "" : "warn") }, s.validated ? "validated" : "not validated")),
  h("span", { class: "about mono" }, shown(s.endPoint)),
  h("span", { class: "about" }, asked(s)),
  h("span", { class: "about" }, `${count(s.delivered, "event")} delivered, ${count(s.failed, "failed attempt")}` + (s.heldBack ? `, ${s.heldBack} held back` : ""))))));
  if (total === 0) {
    replace($("subscriptions"), "none", h("li", { class: "empty" }, h("h2", {}, "Nobody subscribes"),
      h("p", {}, "POST /events/api/v1/subscriptions makes a subscription, as at the service; ", h("code", {}, "go run ./examples/subscriber"), " does so.")));
  }
  if (selected) return openSubscription(selected, to);
  latest = revealed = 0;
  replace($("subscription"), "", h("p", { class: "muted" }, "Choose a subscription to see what matches it, what was pushed, and why or why not."));
}

// asked says in a line what a subscription asks for.
function asked(s) {
  const filters = [["type", s.typeFilter], ["subject", s.subjectFilter], ["source", s.sourceFilter]]
    .filter(([, value]) => value !== undefined).map(([name, value]) => [` · ${name} `, value === "" ? "empty (!)" : h("bdi", {}, shown(value))]);
  return [h("bdi", {}, shown(s.resourceFilter)), ...filters];
}

async function openSubscription(id, to) {
  latest = id;
  if (revealed !== id) revealed = 0;
  const again = () => openSubscription(id, to);
  let answer;
  try {
    answer = await ask("GET", `subscriptions/${id}${revealed ? "?reveal=1" : ""}`);
  } catch {
    return to.close();
  }
  if (latest !== id) return;
  const { subscription: s, events, deliveries, masked } = answer;
  const [matches, others] = [events.filter((e) => e.pushed), events.filter((e) => !e.pushed)];
  const reveal = masked ? () => { revealed = id; again(); } : null;
  const filters = [
    ["endPoint", s.endPoint, "Where events are pushed to. What follows a question mark is its secret, and not shown."],
    ["resourceFilter", s.resourceFilter, "The event's resource has to be this."],
    ["typeFilter", s.typeFilter, "The event's type has to be this, case included."],
    ["subjectFilter", s.subjectFilter, "The event's subject has to be this."],
    ["sourceFilter", s.sourceFilter, "The event's source has to be below this."],
    ["consumer", s.consumer, "Who subscribes, and has to be allowed to read the resource."],
  ].filter(([, value]) => value !== undefined);
  const pushes = [...Map.groupBy(deliveries, (d) => d.push).values()].reverse();
  replace($("subscription"), id,
    h("div", { class: "detail-head" },
      h("button", { type: "button", class: "back small", onclick: to.close }, "← Back"),
      h("span", { class: "badge " + (s.validated ? "" : "warn") }, s.validated ? "validated" : "not validated"),
      h("h2", {}, `Subscription ${s.id}`),
      h("div", { class: "buttons" },
        reveal ? h("button", { type: "button", class: "small", onclick: reveal }, "Show numbers") : null,
        revealed === id ? h("button", { type: "button", class: "small", onclick: () => { revealed = 0; again(); } }, "Mask numbers") : null,
        h("button", { type: "button", class: "small", id: "validate", onclick: async () => { await ask("POST", `subscriptions/${id}/validate`); toast("The validation event was sent."); setTimeout(again, 300); } }, "Send validation event"))),
    h("p", { class: "muted" }, "made ", when(s.created), " by ", h("bdi", {}, shown(s.createdBy))),
    h("section", { class: "block", "aria-label": "Filters" }, h("h3", {}, "Filters"), h("dl", { class: "attributes" }, filters.map(([name, value, meaning]) => h("div", {},
      h("dt", {}, name), h("dd", {}, h("span", { class: "value" }, value === "" ? h("em", {}, "empty, which is not the same as none") : shown(value, reveal)), h("span", { class: "meaning" }, meaning)))))),
    section("Events that match", matches, answer.matchesTotal, id, again, reveal, "None of what is kept matches."),
    section("Events that do not match", others, answer.othersTotal, id, again, reveal, "Everything that is kept matches."),
    answer.notLookedAt > 0 ? h("p", { class: "muted" }, `${count(answer.notLookedAt, "older event")} ${answer.notLookedAt === 1 ? "was" : "were"} not compared.`) : null,
    h("section", { class: "block", "aria-label": "Deliveries" }, h("h3", {}, "Deliveries, the newest event first" + newestOf(deliveries, answer.deliveriesTotal)),
      pushes.length === 0 ? h("p", { class: "muted" }, "Nothing was pushed.") : pushes.map((all) => h("div", { class: "card" },
        h("p", {}, h("strong", {}, shown(all[0].type)), " ", h("span", { class: "mono muted" }, shown(all[0].eventId)),
          all[0].request ? [" ", h("a", { href: `?view=events&event=${all[0].request}` }, `#${all[0].request}`)] : null), attempts(all)))));
}

function section(title, events, total, id, again, reveal, none) {
  return h("section", { class: "block", "aria-label": title }, h("h3", {}, `${title} (${(total ?? events.length).toLocaleString("en")}${total > events.length ? `, the newest ${events.length}` : ""})`),
    events.length === 0 ? h("p", { class: "muted" }, none) : events.map((e) => h("details", { class: "explained", "data-key": "event-" + e.number },
      h("summary", {}, h("span", { class: "badge " + (e.pushed ? "" : "off") }, e.pushed ? "matches" : e.criteria.filter((c) => !c.ok).map((c) => c.name).join(", ")),
        " ", shown(e.type), " ", h("span", { class: "muted" }, when(e.at), ` · #${e.number}`)),
      h("p", {}, h("a", { href: `?view=events&event=${e.number}` }, "Show the event"), " ",
        h("button", { type: "button", class: "small", onclick: () => redeliver(id, e.number, again) }, e.pushed ? "Redeliver" : "Deliver all the same")),
      criteria(e.criteria, reveal))));
}
