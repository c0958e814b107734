// What every page with charts over steps does: asks for its figures while a run goes on and as the controls change,
// draws them, and keeps zoom, hidden series and pause through every update. The controls live in the page's address.
"use strict";

window.StudioBoard = class {
  static SLOW = 30;
  static LATE = 60;
  static DEBOUNCE = 120;

  /** root: the element that holds the charts, with data-figures and data-plotly; words: what the chip says. */
  constructor(root, words) {
    this.root = root;
    this.words = words;
    this.form = root.querySelector("[data-controls]");
    this.boxes = [...root.querySelectorAll("[data-chart]")];
    this.view = { hidden: new Set(), x: null, y: {} };
    this.every = null;
    this.failures = 0;
    if (this.form) this.takeAddress();
    this.listen();
    this.refresh();
    this.clock = setInterval(() => this.tell(), 1000);
  }

  // ---- asking ----

  async refresh() {
    clearTimeout(this.timer);
    const asked = (this.asked = this.query());
    try {
      const [answer] = await Promise.all([this.fetch(asked), studioPlot.ready(this.root.dataset.plotly)]);
      if (asked !== this.asked) return;
      this.failures = 0;
      await this.take(answer, asked);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.failures += 1;
    }
    this.tell();
    this.schedule();
  }

  async fetch(query) {
    const known = query === this.drawn ? { "If-None-Match": this.etag } : {};
    const answer = await fetch(`${this.root.dataset.figures}?${query}`, { headers: known, ...this.caching() });
    if (answer.redirected) location.reload(); // signed out meanwhile
    if (answer.redirected || (answer.status !== 304 && !answer.ok)) throw new TypeError(`the server answered ${answer.status}`);
    return answer;
  }

  caching() {
    return { cache: "no-store" };
  }

  async take(answer, query) {
    this.readAt = Date.parse(answer.headers.get("Last-Modified")) / 1000 || null;
    if (answer.status === 304) return this.unchanged();
    const said = await answer.json();
    this.etag = answer.headers.get("ETag");
    this.drawn = query;
    this.every = said.every;
    this.over = !said.every;
    this.figures = { ...this.figures, ...this.charts(said) };
    this.show(said);
  }

  charts(said) {
    return said.charts;
  }

  schedule() {
    if (!this.every || this.paused) return;
    const slow = this.constructor.SLOW;
    const pause = Math.max(document.hidden ? slow : 0, Math.min(this.every * 2 ** this.failures, slow));
    this.timer = setTimeout(() => {
      if (!this.root.isConnected) this.stop();
      else if (this.boxes.some(box => box._dragging)) this.schedule();
      else this.refresh();
    }, pause * 1000);
  }

  stop() {
    clearTimeout(this.timer);
    clearInterval(this.clock);
  }

  // ---- showing ----

  unchanged() {}

  show() {
    this.draw();
  }

  draw() {
    if (!this.figures) return;
    for (const box of this.boxes) {
      const figure = this.figures[box.dataset.chart];
      box.classList.toggle("drawn", Boolean(figure));
      if (figure && !box.hidden && this.differs(box, figure)) {
        studioPlot.draw(box, figure, this.looked(box.dataset.chart));
        this.follow(box);
      }
    }
  }

  /** A chart that would look as it does is not drawn again. */
  differs(box, figure) {
    const { hidden, x, y } = this.looked(box.dataset.chart);
    const said = JSON.stringify([figure, [...hidden].sort(), x, y, document.documentElement.dataset.bsTheme, box.clientWidth]);
    if (box._said === said) return false;
    box._said = said;
    return true;
  }

  /** How one chart is looked at. */
  looked(name) {
    const { hidden, x, y } = this.view;
    return { hidden, x, y: y[name] || null };
  }

  /** Zoom is kept here, not in Plotly: it is shared by the charts and laid over every new figure. */
  follow(box) {
    if (box.dataset.followed) return;
    box.dataset.followed = "yes";
    box.on("plotly_relayout", change => {
      const range = axis => change[`${axis}.range[0]`] !== undefined && [change[`${axis}.range[0]`], change[`${axis}.range[1]`]];
      if (!range("xaxis") && !range("yaxis")) return;
      this.view.x = range("xaxis") || this.view.x;
      if (range("yaxis")) this.view.y[box.dataset.chart] = range("yaxis");
      this.zoomed();
    });
    box.on("plotly_doubleclick", () => this.unzoom());
  }

  unzoom() {
    this.view.x = null;
    this.view.y = {};
    this.zoomed();
  }

  zoomed() {
    this.draw();
  }

  fit() {
    for (const box of this.root.querySelectorAll(".chart.drawn")) Plotly.Plots.resize(box);
  }

  /** The chip: fresh, late, paused, over. */
  tell() {
    const chip = this.root.querySelector("[data-chip]"), words = this.words;
    if (!chip) return;
    const age = this.readAt ? Math.max(0, Date.now() / 1000 - this.readAt) : null;
    const late = this.failing || this.failures > 0 || (age !== null && age > this.constructor.LATE);
    let word = words.waiting, tone = "";
    if (this.over) word = words.over;
    else if (this.paused) word = words.paused;
    else if (age !== null) {
      word = (late ? words.stale : words.live).replace("{age}", this.ago(age));
      tone = late ? "st-warn" : "st-run";
    }
    chip.className = `st st-chip ${tone}`;
    chip.querySelector("span").textContent = word;
    chip.hidden = false;
  }

  ago(age) {
    const [word, unit] = age < 60 ? ["seconds", 1] : age < 3600 ? ["minutes", 60] : ["hours", 3600];
    return this.words[word].replace("{n}", Math.floor(age / unit));
  }

  // ---- controls ----

  /** The form as an address, without what is as by default. */
  query() {
    const chosen = new Map(new FormData(this.form));
    for (const field of this.form.querySelectorAll("[data-default]")) {
      if (Number(chosen.get(field.name)) === Number(field.dataset.default) || chosen.get(field.name) === field.dataset.default) chosen.delete(field.name);
    }
    return new URLSearchParams([...chosen]).toString();
  }

  /** A shared link carries the controls on whichever page shows this panel. */
  takeAddress() {
    const said = new URLSearchParams(location.search);
    for (const field of this.form.elements) {
      const value = said.getAll(field.name).at(-1);
      if (!field.name || value === undefined || field.type === "hidden") continue;
      if (field.type === "radio" || field.type === "checkbox") field.checked = field.value === value;
      else field.value = value;
    }
    this.keepAddress();
  }

  keepAddress() {
    const range = this.form.querySelector("[data-smoothing]");
    range.value = this.form.elements.smoothing.value;
    const names = new Set([...this.form.elements].map(field => field.name)), query = new URLSearchParams(this.query());
    for (const [name, value] of new URLSearchParams(location.search)) if (!names.has(name)) query.append(name, value);
    this.goTo(query.toString());
  }

  /** Another address for the same page, and on its button. */
  goTo(query) {
    const address = location.pathname + (query ? `?${query}` : "") + location.hash;
    if (address !== location.pathname + location.search + location.hash) history.replaceState(history.state, "", address);
    const link = document.querySelector("[data-link]");
    if (link) link.dataset.copy = location.href;
  }

  change(field) {
    if (field.matches("[data-smoothing]")) this.form.elements.smoothing.value = Number(field.value).toFixed(2);
    if (field.name === "axis") this.view.x = null;
    if (field.name === "scale" || field.name === "clip") this.view.y = {};
    this.keepAddress();
    this.refreshSoon();
  }

  /** At once; while one change follows another, once they pause. */
  refreshSoon() {
    const now = performance.now(), calm = now - (this.changedAt ?? -Infinity) > 2 * this.constructor.DEBOUNCE;
    this.changedAt = now;
    clearTimeout(this.soon);
    if (calm) this.refresh();
    else this.soon = setTimeout(() => this.refresh(), this.constructor.DEBOUNCE);
  }

  listen() {
    this.form?.addEventListener("input", event => this.change(event.target));
    this.form?.addEventListener("submit", event => event.preventDefault());
    this.root.addEventListener("click", event => this.clicked(event));
  }

  clicked(event) {
    const at = selector => event.target.closest(selector);
    const panel = at("[data-panel]");
    if (at("[data-pause]")) this.pause();
    if (at("[data-full]")) panel.requestFullscreen();
    if (at("[data-image]")) this.save(panel, at("[data-image]").dataset.image);
  }

  pause() {
    this.paused = !this.paused;
    const button = this.root.querySelector("[data-pause]");
    button.setAttribute("aria-pressed", this.paused);
    button.title = this.paused ? this.words.resume : this.words.pause;
    button.setAttribute("aria-label", button.title);
    if (this.paused) clearTimeout(this.timer);
    else this.refresh();
    this.tell();
  }

  save(panel, format) {
    const name = panel.dataset.panel, title = panel.querySelector("h3").textContent;
    if (this.figures?.[name]) studioPlot.save(this.figures[name], this.looked(name), format, title, name);
  }

  // ---- one board on a page, which may come by htmx ----

  static begin(find) {
    let current = null;
    const begin = () => {
      const root = find.root();
      if (!root || current?.root === root) return;
      current?.stop();
      current = new this(root);
    };
    document.addEventListener("DOMContentLoaded", begin);
    document.addEventListener("htmx:afterSettle", begin);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && current?.every && !current.paused) current.refresh();
    });
    document.addEventListener("fullscreenchange", () => current?.fit());
    new MutationObserver(() => current?.draw()).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  }
};
