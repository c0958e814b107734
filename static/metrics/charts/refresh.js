// For every page with charts over steps: loads figures while a run goes on and when the controls change, draws them, and
// keeps zoom, hidden series, and pause through every update. The page's address holds the values of the controls.
"use strict";

window.StudioBoard = class {
  static SLOW = 30; // seconds between two requests in a hidden tab, and at most after failures
  static LATE = 60; // seconds without new data after which the chip warns: STALE_AFTER in metrics/monitor/page.py
  static DEBOUNCE = 120; // milliseconds between two requests while a slider moves

  /** root: the element around the charts, with data-figures and data-plotly; words: the texts of the status chip. */
  constructor(root, words) {
    this.root = root;
    this.words = words;
    this.form = root.querySelector("[data-controls]");
    this.boxes = [...root.querySelectorAll("[data-chart]")];
    this.view = { hidden: new Set(), x: null, y: {} };
    this.every = null;
    this.failures = 0;
    if (this.form) this.readAddress();
    this.listen();
    this.refresh();
    this.clock = setInterval(() => this.updateChip(), 1000);
  }

  // ---- requests ----

  async refresh() {
    clearTimeout(this.timer);
    const asked = (this.asked = this.buildQuery());
    try {
      const [answer] = await Promise.all([this.fetch(asked), studioPlot.loadPlotly(this.root.dataset.plotly)]);
      if (asked !== this.asked) return;
      this.failures = 0;
      await this.applyResponse(answer, asked);
    } catch (error) {
      if (!(error instanceof studioPlot.LoadError)) reportError(error);
      this.failures += 1;
    }
    this.updateChip();
    this.schedule();
  }

  async fetch(query) {
    const known = query === this.drawn ? { "If-None-Match": this.etag } : {};
    const answer = await fetch(`${this.root.dataset.figures}?${query}`, { headers: known, ...this.fetchOptions() }).catch(StudioBoard.failLoading);
    if (answer.redirected) location.reload(); // to the sign-in page, because the session has ended
    if (answer.redirected || (answer.status !== 304 && !answer.ok)) throw new studioPlot.LoadError(`the server answered ${answer.status}`);
    return answer;
  }

  static failLoading(error) {
    throw new studioPlot.LoadError(error.message);
  }

  fetchOptions() {
    return { cache: "no-store" };
  }

  async applyResponse(answer, query) {
    this.readAt = Date.parse(answer.headers.get("Last-Modified")) / 1000 || null;
    if (answer.status === 304) return this.onUnchanged();
    const said = JSON.parse(await answer.text().catch(StudioBoard.failLoading));
    this.etag = answer.headers.get("ETag");
    this.drawn = query;
    this.every = said.every;
    this.over = !said.every;
    this.figures = { ...this.figures, ...this.chartsOf(said) };
    this.show(said);
  }

  chartsOf(said) {
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

  // ---- display ----

  onUnchanged() {}

  show() {
    this.draw();
  }

  draw() {
    if (!this.figures) return;
    for (const box of this.boxes) {
      const figure = this.figures[box.dataset.chart];
      box.classList.toggle("drawn", Boolean(figure));
      if (figure && !box.hidden && this.needsRedraw(box, figure)) {
        studioPlot.draw(box, figure, this.viewOf(box.dataset.chart));
        this.listenForZoom(box);
      }
    }
  }

  /** Whether the chart would look different from what is drawn. */
  needsRedraw(box, figure) {
    const { hidden, x, y } = this.viewOf(box.dataset.chart);
    const said = JSON.stringify([figure, [...hidden].sort(), x, y, document.documentElement.dataset.bsTheme, box.clientWidth]);
    if (box._said === said) return false;
    box._said = said;
    return true;
  }

  /** Hidden series and zoom of one chart. */
  viewOf(name) {
    const { hidden, x, y } = this.view;
    return { hidden, x, y: y[name] || null };
  }

  /** Zoom is stored here, not in Plotly: all charts share its x range, and every new figure gets it. */
  listenForZoom(box) {
    if (box.dataset.followed) return;
    box.dataset.followed = "yes";
    box.on("plotly_relayout", change => {
      const range = axis => change[`${axis}.range[0]`] !== undefined && [change[`${axis}.range[0]`], change[`${axis}.range[1]`]];
      if (!range("xaxis") && !range("yaxis")) return;
      this.view.x = range("xaxis") || this.view.x;
      if (range("yaxis")) this.view.y[box.dataset.chart] = range("yaxis");
      this.onZoom();
    });
    box.on("plotly_doubleclick", () => this.unzoom());
  }

  unzoom() {
    this.view.x = null;
    this.view.y = {};
    this.onZoom();
  }

  onZoom() {
    this.draw();
  }

  resizeCharts() {
    for (const box of this.root.querySelectorAll(".chart.drawn")) Plotly.Plots.resize(box);
  }

  /** Show in the chip whether the data is live, late, paused, or complete. */
  updateChip() {
    const chip = this.root.querySelector("[data-chip]"), words = this.words;
    if (!chip) return;
    const age = this.readAt ? Math.max(0, Date.now() / 1000 - this.readAt) : null;
    const late = this.failing || this.failures > 0 || (age !== null && age > this.constructor.LATE);
    let word = words.waiting, tone = "";
    if (this.over) word = words.over;
    else if (this.paused) word = words.paused;
    else if (age !== null) {
      word = (late ? words.stale : words.live).replace("{age}", this.formatAge(age));
      tone = late ? "st-warn" : "st-run";
    }
    chip.className = `st st-chip ${tone}`;
    chip.querySelector("span").textContent = word;
    chip.hidden = false;
  }

  formatAge(age) {
    const [word, unit] = age < 60 ? ["seconds", 1] : age < 3600 ? ["minutes", 60] : ["hours", 3600];
    return this.words[word].replace("{n}", Math.floor(age / unit));
  }

  // ---- controls ----

  /** The form as a query string, without default values. */
  buildQuery() {
    const chosen = new Map(new FormData(this.form));
    for (const field of this.form.querySelectorAll("[data-default]")) {
      if (Number(chosen.get(field.name)) === Number(field.dataset.default) || chosen.get(field.name) === field.dataset.default) chosen.delete(field.name);
    }
    return new URLSearchParams([...chosen]).toString();
  }

  /** Set the controls from the address, so that a link can be shared. */
  readAddress() {
    const said = new URLSearchParams(location.search);
    for (const field of this.form.elements) {
      const value = said.getAll(field.name).at(-1);
      if (!field.name || value === undefined || field.type === "hidden") continue;
      if (field.type === "radio" || field.type === "checkbox") field.checked = field.value === value;
      else field.value = value;
    }
    this.writeAddress();
  }

  writeAddress() {
    const range = this.form.querySelector("[data-smoothing]");
    range.value = this.form.elements.smoothing.value;
    const names = new Set([...this.form.elements].map(field => field.name)), query = new URLSearchParams(this.buildQuery());
    for (const [name, value] of new URLSearchParams(location.search)) if (!names.has(name)) query.append(name, value);
    this.replaceAddress(query.toString());
  }

  /** Replace the page's address, also the one that its copy button copies. */
  replaceAddress(query) {
    const address = location.pathname + (query ? `?${query}` : "") + location.hash;
    if (address !== location.pathname + location.search + location.hash) history.replaceState(history.state, "", address);
    const link = document.querySelector("[data-link]");
    if (link) link.dataset.copy = location.href;
  }

  onControlChange(field) {
    if (field.matches("[data-smoothing]")) this.form.elements.smoothing.value = Number(field.value).toFixed(2);
    if (field.name === "axis") this.view.x = null;
    if (field.name === "scale" || field.name === "clip") this.view.y = {};
    this.writeAddress();
    this.refreshSoon();
  }

  /** Refresh at once, or after a pause while changes follow each other quickly. */
  refreshSoon() {
    const now = performance.now(), calm = now - (this.changedAt ?? -Infinity) > 2 * this.constructor.DEBOUNCE;
    this.changedAt = now;
    clearTimeout(this.soon);
    if (calm) this.refresh();
    else this.soon = setTimeout(() => this.refresh(), this.constructor.DEBOUNCE);
  }

  listen() {
    this.form?.addEventListener("input", event => this.onControlChange(event.target));
    this.form?.addEventListener("submit", event => event.preventDefault());
    this.root.addEventListener("click", event => this.onClick(event));
  }

  onClick(event) {
    const at = selector => event.target.closest(selector);
    const panel = at("[data-panel]");
    if (at("[data-pause]")) this.togglePause();
    if (at("[data-full]")) panel.requestFullscreen();
    if (at("[data-image]")) this.save(panel, at("[data-image]").dataset.image);
  }

  togglePause() {
    this.paused = !this.paused;
    const button = this.root.querySelector("[data-pause]");
    button.setAttribute("aria-pressed", this.paused);
    button.title = this.paused ? this.words.resume : this.words.pause;
    button.setAttribute("aria-label", button.title);
    if (this.paused) clearTimeout(this.timer);
    else this.refresh();
    this.updateChip();
  }

  save(panel, format) {
    const name = panel.dataset.panel, title = panel.querySelector("h3").textContent;
    if (this.figures?.[name]) studioPlot.save(this.figures[name], this.viewOf(name), format, title, name);
  }

  // ---- one board on a page, which htmx may load later ----

  static mount(find) {
    let current = null;
    const mountHere = () => {
      const root = find.root();
      if (!root || current?.root === root) return;
      current?.stop();
      current = new this(root);
    };
    document.addEventListener("DOMContentLoaded", mountHere);
    document.addEventListener("htmx:afterSettle", mountHere);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && current?.every && !current.paused) current.refresh();
    });
    document.addEventListener("fullscreenchange", () => current?.resizeCharts());
    new MutationObserver(() => current?.draw()).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  }
};
