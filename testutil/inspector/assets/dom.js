// What the views build documents with. Whatever an event holds becomes text nodes.

export const $ = (id) => document.getElementById(id);

// h makes an element. Properties that begin with "on" are listeners, true and false
// set attributes without a value, null and undefined set nothing.
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// What is invisible, looks like a space and is none, or turns the direction of what
// follows.
const controls = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff0-\ufffb]|[\u{e0000}-\u{e0fff}]|\p{Cs}/gu;
const controlsAndBreaks = new RegExp(controls.source + "|[\\t\\n]", "gu");
const masks = /\*{3,}/g;
const maxMaskButtons = 200;

const chip = (label) => h("span", { class: "ctl" }, label);
const point = (char) => "U+" + char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
const spaces = (n) => n === 0 ? "" : chip(point(" ") + (n > 1 ? " × " + n : ""));

// inPre returns text as nodes: controls as their code points, and runs of asterisks
// as buttons that call reveal, if there is one.
export function inPre(text, reveal, marked = controls) {
  const nodes = [];
  let buttons = 0;
  const plain = (part) => {
    let from = 0;
    for (const match of part.matchAll(marked)) {
      nodes.push(part.slice(from, match.index), chip(point(match[0])));
      from = match.index + match[0].length;
    }
    nodes.push(part.slice(from));
  };
  let from = 0;
  for (const match of reveal ? text.matchAll(masks) : []) {
    if (++buttons > maxMaskButtons) break;
    plain(text.slice(from, match.index));
    nodes.push(h("button", { type: "button", class: "maskd", title: "Masked. Click to show.", "aria-label": "masked number, show it", onclick: reveal }, match[0]));
    from = match.index + match[0].length;
  }
  plain(text.slice(from));
  return nodes.filter((node) => node !== "");
}

// shown is inPre for text in a line, where spaces at an end, tabs and breaks would not
// be seen either.
export function shown(text, reveal) {
  let from = 0;
  let to = text.length;
  while (from < to && text[from] === " ") from++;
  while (to > from && text[to - 1] === " ") to--;
  return [spaces(from), inPre(text.slice(from, to), reveal, controlsAndBreaks), spaces(text.length - to)].flat().filter((node) => node !== "");
}

// plain is shown as text, where no nodes can be.
export const plain = (text) => shown(text).map((node) => node.textContent ?? node).join("");

// exactParts returns text that the sink sends exactly: strings, and numbers for bytes
// that are no UTF-8.
export function exactParts(exact) {
  if (typeof exact === "string") return [exact];
  const bytes = Uint8Array.from(atob(exact.base64), (c) => c.charCodeAt(0));
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const parts = [];
  let from = 0;
  const flush = (to) => { if (to > from) parts.push(decoder.decode(bytes.subarray(from, to))); };
  for (let i = 0; i < bytes.length;) {
    const length = sequence(bytes, i);
    if (length === 0) {
      flush(i);
      parts.push(bytes[i]);
      from = i + 1;
    }
    i += Math.max(length, 1);
  }
  flush(bytes.length);
  return parts;
}

// sequence returns how long the UTF-8 sequence at i is, or 0 if there is none.
function sequence(bytes, i) {
  const first = bytes[i];
  const length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
  for (let j = 1; j < length; j++) {
    const c = bytes[i + j];
    const low = j > 1 ? 0x80 : first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
    const high = j > 1 ? 0xbf : first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
    if (c === undefined || c < low || c > high) return 0;
  }
  return length;
}

// exactText is exactParts for the clipboard; bytes that are no UTF-8 become U+FFFD.
export const exactText = (exact) => exactParts(exact).map((part) => (typeof part === "string" ? part : "\ufffd")).join("");

const jsonTokens = /("(?:\\.|[^"\\])*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;
const maxColoured = 64 << 10;

// json returns JSON as nodes, coloured unless it is long.
export function json(exact, reveal) {
  return exactParts(exact).map((part) => {
    if (typeof part !== "string") return chip("\\x" + part.toString(16).padStart(2, "0"));
    if (part.length > maxColoured) return inPre(part, reveal);
    const nodes = [];
    let from = 0;
    for (const match of part.matchAll(jsonTokens)) {
      nodes.push(inPre(part.slice(from, match.index), reveal));
      const kind = match[1] ? (match[2] ? "k" : "s") : match[3] ? "n" : "l";
      nodes.push(h("span", { class: kind }, inPre(match[1] ?? match[0], reveal)), match[2] ?? "");
      from = match.index + match[0].length;
    }
    nodes.push(inPre(part.slice(from), reveal));
    return nodes;
  });
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

// when returns a time of day, with the date if it is not today's.
export function when(iso) {
  const at = new Date(iso);
  const text = at.toDateString() === new Date().toDateString() ? clock.format(at) : day.format(at) + " " + clock.format(at);
  return h("time", { datetime: iso, title: iso, class: "at" }, text);
}

export function duration(ms) {
  if (ms < 1) return ms.toFixed(2) + " ms";
  if (ms < 1000) return Math.round(ms) + " ms";
  if (ms < 60_000) return (ms / 1000).toFixed(ms < 10_000 ? 1 : 0) + " s";
  if (ms < 3_600_000) return Math.round(ms / 60_000) + " min";
  return (ms / 3_600_000).toFixed(1) + " h";
}

export const count = (n, one, many) => n.toLocaleString("en") + " " + (n === 1 ? one : many ?? one + "s");

export function badge(status, outcome) {
  const kind = { accepted: "", duplicate: "info", refused: "err", failed: "err" }[outcome] ?? "";
  return h("span", { class: "badge " + kind, title: status === 0 ? "no answer" : outcome }, status === 0 ? "none" : String(status));
}

let toastTimer;
export function toast(text) {
  $("toast").replaceChildren(...shown(text));
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $("toast").replaceChildren(), 6000);
}

// openDialog shows a dialog with the toast in it: what is outside of it is dimmed, and
// not read out.
export function openDialog(name) {
  const dialog = $("dialog-" + name);
  dialog.returnValue = "";
  dialog.append($("toast"));
  dialog.addEventListener("close", () => document.body.append($("toast")), { once: true });
  dialog.showModal();
}

// ask sends a request to the sink and returns the answer's JSON; null if it has none.
// What goes wrong is shown, and thrown.
export async function ask(method, path, body) {
  let response;
  try {
    response = await fetch("_sink/" + path, {
      method, body: body instanceof Blob ? body : body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    toast("The sink does not answer.");
    throw error;
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (!response.ok) {
    const text = answer?.detail || answer?.title || response.status + " " + response.statusText;
    toast(text);
    throw Object.assign(new Error(text), { status: response.status });
  }
  return answer;
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast(what + " copied.");
}

// replace shows content in a container. If it is about the same thing as before, what
// was scrolled, opened and focused stays so: "data-key" tells things apart. A function
// returns content that may stand in the container already, and has the focus there.
export function replace(container, key, ...content) {
  const same = container.dataset.about === String(key);
  const find = (selector) => same ? [...container.querySelectorAll(selector)] : [];
  const top = same ? container.scrollTop : 0;
  const open = new Map(find("details[data-key]").map((d) => [d.dataset.key, d.open]));
  const scrolled = new Map(find("pre[id]").map((pre) => [pre.id, pre.scrollTop]));
  const like = (e) => e.id || e.dataset.key || e.tagName + e.textContent;
  const alike = (name) => [...container.querySelectorAll("a, button, input, summary, [tabindex]")].filter((e) => like(e) === name);
  const active = same && container.contains(document.activeElement) ? document.activeElement : null;
  const name = active && like(active);
  const position = active && alike(name).indexOf(active);
  container.replaceChildren(...content.flat(Infinity).map((part) => (typeof part === "function" ? part() : part)).filter(Boolean));
  container.dataset.about = key;
  for (const details of find("details[data-key]")) details.open = open.get(details.dataset.key) ?? details.open;
  if (active) (alike(name)[position] ?? container).focus({ preventScroll: true });
  container.scrollTop = top;
  for (const pre of find("pre[id]")) if (scrolled.get(pre.id)) pre.scrollTop = scrolled.get(pre.id);
}

// tabs returns a tab list over panels, [name, build] pairs, with the one selected that
// was chosen last under this label.
const chosen = {};
export function tabs(label, panels) {
  const panel = h("div", { role: "tabpanel", tabindex: "0" });
  const show = (i) => {
    chosen[label] = i;
    items.forEach((item, j) => {
      item.setAttribute("aria-selected", String(i === j));
      item.tabIndex = i === j ? 0 : -1;
    });
    panel.setAttribute("aria-label", panels[i][0]);
    panel.replaceChildren(...[panels[i][1]()].flat());
  };
  const items = panels.map(([name], i) => h("button", {
    type: "button", role: "tab", id: "tab-" + i, onclick: () => show(i),
    onkeydown: (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = (i + step + items.length) % items.length;
      show(next);
      items[next].focus();
    },
  }, name));
  show(chosen[label] ?? 0);
  return [h("div", { role: "tablist", "aria-label": label, class: "tablist" }, items), panel];
}
