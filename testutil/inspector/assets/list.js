// The list of requests: a window over what the sink keeps. Only rows in view are in
// the document, and only rows near them in memory.
import { $, h, ask, badge, when, shown, count } from "./dom.js";

const rowHeight = 56;
const overscan = 8;
const pageSize = 100;
const maxCached = 2000;

export class List {
  constructor({ query, open, connect }) {
    this.query = query; // the filter as URLSearchParams
    this.connect = connect; // starts anew, with the rows as they are if told to
    this.open = open; // shows a request by its number
    this.element = $("list");
    this.space = this.element.firstElementChild;
    this.rows = new Map(); // index → row
    this.elements = new Map(); // index → element
    this.loading = new Set(); // pages
    this.generation = 0;
    this.until = 0; // the newest request that is shown
    this.newest = 0; // the newest there was
    this.api = location.origin; // where events are to be posted
    this.total = 0;
    this.pending = 0; // rows that came and are not shown
    this.wanted = -1; // index of the row to choose once it is loaded
    this.selected = 0;
    this.paused = false;
    this.element.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.element.addEventListener("click", (event) => {
      const number = Number(event.target.closest(".row")?.dataset.number);
      if (number) this.choose(number);
    });
    $("new-rows").addEventListener("click", () => this.toNewest());
    new ResizeObserver(() => this.render()).observe(this.element);
  }

  get atTop() { return this.element.scrollTop < rowHeight / 2; }

  // reset starts anew with what the sink has now. With keep, what is newer than the
  // rows that are shown stays pending.
  async reset(keep) {
    const generation = ++this.generation;
    this.loading.clear();
    const now = await ask("GET", "requests?" + this.pageQuery(0, 0));
    if (generation !== this.generation) return;
    let page = now;
    if (keep && this.until === 0) page = { until: 0, total: 0, rows: [] };
    else if (keep && this.until < now.until) page = await ask("GET", "requests?" + this.pageQuery(this.until, 0));
    if (generation !== this.generation) return;
    this.rows.clear();
    this.wanted = -1;
    this.newest = now.until;
    this.api = now.api;
    this.until = page.until;
    this.total = page.total;
    this.pending = now.total - page.total;
    if (!keep) this.element.scrollTop = 0;
    page.rows.forEach((row, i) => this.rows.set(i, row));
    this.render();
  }

  pageQuery(until, offset) {
    const query = new URLSearchParams(this.query());
    query.set("offset", offset);
    query.set("limit", pageSize);
    if (until) query.set("until", until);
    return query;
  }

  // push takes a message of the stream in.
  push({ added, rows, newest }) {
    if (added === 0) return;
    if (this.paused || !this.atTop) {
      this.pending += added;
      this.render();
      return;
    }
    const moved = new Map();
    rows.forEach((row, i) => moved.set(i, row));
    if (rows.length === added) {
      for (const [i, row] of this.rows) if (i + added < 2 * pageSize) moved.set(i + added, row);
    }
    this.generation++; // what is being loaded has other indexes
    this.loading.clear();
    this.rows = moved;
    if (this.wanted >= 0) this.wanted += added;
    this.until = newest;
    this.total += added;
    this.render();
  }

  async load(page) {
    if (this.loading.has(page)) return;
    this.loading.add(page);
    const generation = this.generation;
    try {
      const answer = await ask("GET", "requests?" + this.pageQuery(this.until, page * pageSize));
      if (generation !== this.generation) return "late";
      this.total = answer.total;
      answer.rows.forEach((row, i) => this.rows.set(page * pageSize + i, row));
      this.forgetFar(page * pageSize);
    } catch {
      return; // the stream tells that the sink is gone
    } finally {
      if (generation === this.generation) this.loading.delete(page);
    }
    this.render();
  }

  // renew asks again for the rows in view, and forgets the others.
  async renew() {
    const [first, last] = this.range();
    for (const i of this.rows.keys()) if (i < first || i >= last) this.rows.delete(i);
    this.generation++;
    this.loading.clear();
    const pages = [];
    for (let page = Math.floor(first / pageSize); page * pageSize < last; page++) pages.push(this.load(page));
    if ((await Promise.all(pages)).includes("late")) this.renew();
  }

  forgetFar(near) {
    if (this.rows.size <= maxCached) return;
    for (const i of this.rows.keys()) if (Math.abs(i - near) > maxCached / 2) this.rows.delete(i);
  }

  scrolled() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (this.atTop && this.pending > 0 && !this.paused) {
        this.pending = 0; // asks once
        this.connect(false);
      }
      this.render();
    });
  }

  range() {
    const first = Math.max(0, Math.floor(this.element.scrollTop / rowHeight) - overscan);
    return [first, Math.min(this.total, first + Math.ceil(this.element.clientHeight / rowHeight) + 2 * overscan)];
  }

  render() {
    const [first, last] = this.range();
    this.space.style.height = this.total * rowHeight + "px";
    for (const [i, element] of this.elements) {
      if (i < first || i >= last || element.row !== this.rows.get(i)) {
        element.remove();
        this.elements.delete(i);
      }
    }
    const missing = new Set();
    for (let i = first; i < last; i++) {
      const row = this.rows.get(i);
      if (!row) missing.add(Math.floor(i / pageSize));
      if (!this.elements.has(i)) {
        const element = row ? rowElement(row) : h("div", { class: "row loading", "aria-hidden": "true" }, "", "…");
        element.row = row;
        element.style.top = i * rowHeight + "px";
        this.elements.set(i, element);
        this.space.append(element);
      }
      const element = this.elements.get(i);
      if (row) {
        element.setAttribute("aria-posinset", i + 1);
        element.setAttribute("aria-setsize", this.total);
        element.setAttribute("aria-selected", String(row.number === this.selected));
      }
    }
    const active = $("row-" + this.selected);
    if (active) this.element.setAttribute("aria-activedescendant", active.id);
    else this.element.removeAttribute("aria-activedescendant");
    clearTimeout(this.loadTimer);
    if (missing.size > 0) this.loadTimer = setTimeout(() => missing.forEach((page) => this.load(page)), 40);
    this.summary();
    const wanted = this.rows.get(this.wanted);
    if (wanted) this.choose(wanted.number);
  }

  summary() {
    const filtered = [...this.query()].length > 0;
    $("list-summary").textContent = count(this.total, "request") + (filtered ? " match" + (this.total === 1 ? "es" : "") : "") +
      (this.dropped ? `; the oldest ${this.dropped.toLocaleString("en")} were dropped to make room` : "") +
      (this.unshared ? "; the number in the filter is not put into the address" : "");
    const pill = $("new-rows");
    pill.hidden = this.pending === 0;
    pill.textContent = "↑ " + count(this.pending, "new request");
    this.element.hidden = this.total === 0 && this.pending === 0;
    $("empty").hidden = !this.element.hidden;
    if (this.element.hidden) this.onempty(filtered);
  }

  async toNewest() {
    await this.connect(false);
    this.element.focus({ preventScroll: true });
  }

  choose(number) {
    this.wanted = -1;
    this.open(number);
  }

  indexOfSelected() {
    for (const [i, row] of this.rows) if (row.number === this.selected) return i;
    return -1;
  }

  // step moves the selection.
  step(by) {
    if (this.total === 0) return;
    let at = this.indexOfSelected();
    if (at < 0 && by < 0) at = 0;
    const i = Math.max(0, Math.min(this.total - 1, at + by));
    const top = i * rowHeight;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + rowHeight > scrollTop + clientHeight) this.element.scrollTop = top + rowHeight - clientHeight;
    this.wanted = i;
    this.render();
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.element.clientHeight / rowHeight) - 1);
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.total, End: this.total }[event.key];
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.step(by);
  }
}

function rowElement(row) {
  const mark = row.outcome === "duplicate" ? ["info", "again"] : { error: ["err", "error"], warning: ["warn", "warning"] }[row.level];
  return h("div", { class: "row", role: "option", id: "row-" + row.number, "data-number": row.number },
    badge(row.status, row.outcome),
    h("span", { class: "type" }, shown(row.type || row.method + " " + row.endpoint)),
    when(row.at),
    h("span", { class: "about" }, [row.reason, ...(row.reason ? [] : [row.subject, row.instance?.split("/").pop() || row.source])]
      .filter(Boolean).map((text, i) => [i > 0 ? " · " : "", shown(text)])),
    h("span", { class: "marks" }, mark ? h("span", { class: "badge " + mark[0] }, mark[1]) : null));
}
