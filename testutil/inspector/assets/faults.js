// Faults: switched on here or by a test, and always in sight while they are on.
import { $, h, ask, duration, toast, shown, plain } from "./dom.js";

function text(f) {
  const what = [];
  if (f.delayMs) what.push("delay of " + duration(f.delayMs));
  if (f.status) what.push("status " + f.status + (f.retryAfterMs ? ", Retry-After " + duration(f.retryAfterMs) : ""));
  if (f.reset) what.push("connection reset");
  if (f.hang) what.push("no answer");
  if (f.truncate) what.push("answer broken off");
  const where = f.endpoint === "/" || !f.endpoint ? "everything" : f.endpoint;
  return `${f.method ? f.method + " " : ""}${where}: ${what.join(", ")}` + (f.stored ? ", event taken" : "") +
    (f.rate > 0 && f.rate < 1 ? `, ${Math.round(f.rate * 100)} % of requests` : "") + (f.times ? `, ${f.times} more times` : "");
}

let shownFaults = "";

export function showFaults(faults) {
  const key = JSON.stringify(faults);
  if (key === shownFaults) return;
  shownFaults = key;
  $("banner").hidden = faults.length === 0;
  $("banner-text").replaceChildren(...shown(faults.length === 1 ? "A fault is on: " + text(faults[0]) : `${faults.length} faults are on: ` + faults.map(text).join("; ")));
  $("faults").replaceChildren(...faults.map((f) => h("li", {}, h("span", {}, shown(text(f))),
    h("button", { type: "button", class: "small", "aria-label": "Turn off: " + plain(text(f)), onclick: () => ask("DELETE", "faults/" + f.id).then(refresh) }, "Turn off"))));
  if (faults.length === 0) $("faults").replaceChildren(h("li", { class: "muted" }, "None. Requests are answered as the service would."));
}

export async function refresh() {
  showFaults((await ask("GET", "faults")).faults);
}

export function startFaults() {
  const form = $("fault-form");
  const what = () => form.elements.what.value;
  const adapt = () => {
    for (const label of form.querySelectorAll("[data-for]")) label.hidden = label.dataset.for !== what();
  };
  form.elements.what.addEventListener("change", adapt);
  adapt();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = (name) => form.elements[name].value;
    const [endpoint, method] = field("endpoint").split(" ").reverse();
    const fault = { endpoint, method };
    if (what() === "status") {
      fault.status = Number(field("status"));
      if (field("retryAfter")) fault.retryAfter = field("retryAfter") + "s";
    } else if (what() !== "delay") {
      fault[what()] = true;
    }
    if (field("delay")) fault.delay = field("delay") + "s";
    if (field("times")) fault.times = Number(field("times"));
    if (Number(field("rate")) < 100) fault.rate = Number(field("rate")) / 100;
    if (form.elements.stored.checked) fault.stored = true;
    await ask("POST", "faults", fault);
    toast("The fault is on.");
    await refresh();
  });
  $("lift-all").addEventListener("click", async () => {
    await ask("DELETE", "faults");
    await refresh();
  });
}
