// The compare page, on top of metrics/charts/refresh.js. Every change is written to the address, so that a copied link
// shows the same. A link on the page changes only its own parameter and leaves the others as they are now.
"use strict";

(() => {
  const FIGURE_PARAMETERS = { curves: ["runs", "metrics", "smoothing", "axis", "scale", "clip", "baseline", "x"], effect: ["runs", "baseline", "tab", "by", "outcome"] };
  const address = () => new URLSearchParams(location.search);

  function toQueryString(query) {
    return [...query].filter(([, value]) => value).map(([name, value]) => `${name}=${encodeURIComponent(value).replace(/%2C/g, ",").replace(/%3A/g, ":")}`).join("&");
  }

  /** The query of this page, with these parameters taken from another one. */
  function addressWith(names, said) {
    const query = address();
    for (const name of names) {
      if (said.get(name)) query.set(name, said.get(name));
      else query.delete(name);
    }
    return toQueryString(query);
  }

  // ---- links and forms keep the changes that were made on the page ----

  document.addEventListener("click", event => {
    const link = event.target.closest("a[data-change]"), here = event.target.closest("a[data-here]");
    if (link && !event.defaultPrevented) {
      event.preventDefault();
      location.assign(`${location.pathname}?${addressWith([link.dataset.change], new URL(link.href).searchParams)}`);
    }
    if (here) {
      const query = address();
      if (here.dataset.metrics) query.set("metrics", here.dataset.metrics);
      here.href = `${new URL(here.href).pathname}?${toQueryString(query)}`;
    }
  });

  document.addEventListener("submit", event => {
    const form = event.target;
    if (!form.querySelector("[data-kept]") || form.matches("[data-controls], [role=search]")) return;
    event.preventDefault();
    const kept = new Set([...form.querySelectorAll("[data-kept]")].map(field => field.name));
    const said = new URLSearchParams(new FormData(form));
    location.assign(`${location.pathname}?${addressWith([...said.keys()].filter(name => !kept.has(name)), said)}`);
  });

  document.addEventListener("change", event => {
    if (event.target.closest("[data-effect]")) event.target.form.requestSubmit();
  });

  if (typeof StudioBoard === "undefined") return;

  class Compare extends StudioBoard {
    static MAX_POINTS_READ = 60_000; // values: about 320 kB in the response, and smoothed within a frame

    constructor(root) {
      super(root, JSON.parse(root.dataset.words));
      if (this.tab === "curves") new StudioReader(this, group => document.querySelector(`[data-run="${group.slice(1)}"] .swatch`));
      else this.readHidden();
    }

    get tab() {
      return this.root.querySelector("[data-chart=effect]") ? "effect" : "curves";
    }

    axis() {
      return address().get("axis") || "step";
    }

    // ---- asking ----

    /** The same parameters in the same order as in the page's preload link, so that its response is used. */
    buildQuery() {
      const said = address();
      return toQueryString(FIGURE_PARAMETERS[this.tab].map(name => [name, said.get(name) || ""]));
    }

    /** Smoothing changes only training curves: if nothing else has changed, only these are requested. */
    fetch(query) {
      const before = new URLSearchParams(this.drawn), now = new URLSearchParams(query);
      const train = this.boxes.map(box => box.dataset.chart).filter(name => name.startsWith("train"));
      const rest = said => toQueryString([...said].filter(([name]) => name !== "smoothing"));
      if (query === this.drawn || rest(before) !== rest(now) || !train.length) return super.fetch(query);
      now.set("metrics", train.join(","));
      const asked = FIGURE_PARAMETERS.curves.map(name => [name, now.get(name) || ""]);
      return super.fetch(toQueryString([...asked, ["drawn", now.get("smoothing") ? this.pointCountsIfOnlyLinesChange(train) : ""]]));
    }

    /** The number of points of each chart, if nothing but its lines can change: the runs have ended, and no line has a
     *  label with its last value. Empty otherwise. */
    pointCountsIfOnlyLinesChange(charts) {
      const figures = charts.map(name => this.figures[name]);
      const bare = figure => figure && !figure.layout.annotations?.some(one => one.name?.startsWith("end-"));
      return this.over && figures.every(bare) ? figures.map(figure => figure.points).join(",") : "";
    }

    chartsOf(said) {
      if (!said.smoothed) return super.chartsOf(said);
      const smoothEntry = ([name, { lines }]) => [name, studioSmooth.smoothFigure(this.figures[name], trace => lines[trace.legendgroup])];
      return Object.fromEntries(Object.entries(said.smoothed).map(smoothEntry));
    }

    // ---- smoothing at once ----

    onControlChange(field) {
      super.onControlChange(field);
      const weight = Number(this.form.elements.smoothing.value);
      if (field.name !== "smoothing" && !field.matches("[data-smoothing]")) return;
      for (const box of weight > 0 ? this.boxes : []) {
        const name = box.dataset.chart, values = this.values?.[name];
        const line = trace => studioSmooth.smoothLine(trace, values[trace.legendgroup], weight);
        if (values) studioPlot.preview(box, studioSmooth.smoothFigure(this.figures[name], line), this.viewOf(name));
      }
    }

    /** Load every training value once the charts are drawn, if all runs have ended and are short enough. */
    async readValues() {
      const train = this.boxes.map(box => box.dataset.chart).filter(name => name.startsWith("train") && this.figures[name]);
      const points = train.reduce((sum, name) => sum + this.figures[name].points, 0);
      if (this.values || !this.over || !points || points > this.constructor.MAX_POINTS_READ) return;
      this.values = {};
      const answer = await fetch(`${this.root.dataset.values}?${this.buildQuery()}`).catch(() => null);
      const found = answer?.ok && !answer.redirected ? await answer.json() : {};
      for (const [name, runs] of Object.entries(found)) {
        this.values[name] = Object.fromEntries(Object.entries(runs).map(([run, packed]) => [run, studioPlot.decodeNumbers(packed)]));
      }
    }

    fetchOptions() {
      return this.drawn === undefined ? {} : { cache: "no-cache" };
    }

    readAddress() {
      super.readAddress();
      const said = address(), pair = text => text?.split(":").map(Number);
      this.view.x = pair(said.get("x")) || null;
      for (const box of this.boxes) {
        const found = pair(said.get(`y.${box.dataset.chart}`));
        if (found) this.view.y[box.dataset.chart] = found;
      }
      this.readHidden();
    }

    readHidden() {
      this.view.hidden = new Set((address().get("hidden") || "").split(",").filter(Boolean).map(run => `r${run}`));
    }

    writeAddress() {
      if (!this.form) return; // the effect tab has no controls, and its zoom is not part of the address
      this.form.querySelector("[data-smoothing]").value = this.form.elements.smoothing.value;
      const query = address(), said = new URLSearchParams(super.buildQuery());
      for (const name of ["smoothing", "axis", "scale", "clip"]) {
        if (said.get(name)) query.set(name, name === "smoothing" ? Number(said.get(name)) : said.get(name));
        else query.delete(name);
      }
      if (this.drawn !== undefined) this.writeZoom(query);
      this.replaceAddress(toQueryString(query));
    }

    writeZoom(query) {
      const span = range => range.map(end => Number(Number(end).toPrecision(10))).join(":");
      const { x, y } = this.view;
      if (x && x.every(end => Number.isFinite(Number(end)))) query.set("x", span(x));
      else query.delete("x");
      for (const box of this.boxes) {
        const name = box.dataset.chart;
        if (y[name]) query.set(`y.${name}`, span(y[name]));
        else query.delete(`y.${name}`);
      }
    }

    onZoom() {
      this.draw();
      this.writeAddress();
      this.refreshSoon();
    }

    // ---- showing ----

    show() {
      this.draw();
      for (const box of this.boxes) {
        const figure = this.figures[box.dataset.chart], panel = box.closest("[data-panel]");
        const outside = figure?.outside, note = panel.querySelector("[data-outside]");
        if (note) note.textContent = outside ? this.words[outside.count === 1 ? "above_one" : "above"].replace("{n}", outside.count.toLocaleString("en")).replace("{most}", outside.most.toPrecision(4)) : "";
        const empty = !figure || !figure.data.length;
        box.classList.toggle("drawn", !empty);
        box.querySelector("[data-word]").textContent = empty ? this.words.none : "";
      }
      if (this.shown === this.drawn) this.refreshAbout();
      this.shown = this.drawn;
      if (this.tab === "curves") setTimeout(() => this.readValues(), this.constructor.DEBOUNCE);
    }

    /** Refresh the tables around the charts while a run goes on, unless one of their menus is open. */
    refreshAbout() {
      if (this.root.querySelector("#compare-about details[open]")) return;
      htmx.ajax("GET", `${this.root.dataset.page}?${toQueryString(address())}`, { target: "#compare-about", swap: "outerHTML" });
    }

    onClick(event) {
      super.onClick(event);
      const toggle = event.target.closest("[data-toggle]"), only = event.target.closest("[data-only]");
      if (!toggle && !only) return;
      event.preventDefault();
      const run = `r${event.target.closest("[data-run]").dataset.run}`;
      if (toggle) this.toggle(run);
      else this.isolate(run);
    }

    listen() {
      super.listen();
      this.root.addEventListener("dblclick", event => {
        const toggle = event.target.closest("[data-toggle]");
        if (toggle) this.isolate(`r${toggle.closest("[data-run]").dataset.run}`);
      });
      this.root.querySelector("[data-differences]")?.addEventListener("change", event => this.showOnlyDifferences(event.target.checked));
      const menu = this.root.querySelector(".metrics-menu");
      menu?.addEventListener("toggle", () => menu.open || this.applyMetricChoice());
    }

    toggle(run) {
      if (!this.view.hidden.delete(run)) this.view.hidden.add(run);
      this.hide();
    }

    isolate(run) {
      const others = [...this.root.querySelectorAll("[data-run]")].map(row => `r${row.dataset.run}`).filter(one => one !== run);
      const alone = others.every(one => this.view.hidden.has(one)) && !this.view.hidden.has(run);
      this.view.hidden = new Set(alone ? [] : others);
      this.hide();
    }

    /** Gray out hidden runs in the tables, remove them from the charts, and write them to the address. */
    hide() {
      const hidden = this.view.hidden, runs = [...hidden].map(run => Number(run.slice(1))).sort((a, b) => a - b);
      for (const row of this.root.querySelectorAll("[data-run], [data-of]")) {
        const off = hidden.has(`r${row.dataset.run || row.dataset.of}`);
        row.classList.toggle("off", off);
        row.querySelector("[data-toggle]")?.setAttribute("aria-pressed", !off);
      }
      const query = address();
      if (runs.length) query.set("hidden", runs.join(","));
      else query.delete("hidden");
      this.replaceAddress(toQueryString(query));
      for (const box of this.boxes) {
        const figure = this.figures?.[box.dataset.chart];
        if (figure && this.needsRedraw(box, figure)) studioPlot.hide(box, figure, this.viewOf(box.dataset.chart));
      }
    }

    showOnlyDifferences(only) {
      this.root.querySelector(".settings").classList.toggle("only-differences", only);
      const query = address();
      if (only) query.delete("settings");
      else query.set("settings", "all");
      this.replaceAddress(toQueryString(query));
    }

    /** Load the page with other charts, once the menu is closed. */
    applyMetricChoice() {
      const boxes = [...this.root.querySelectorAll("[data-metric]")], now = boxes.filter(box => box.checked).map(box => box.dataset.metric);
      const before = this.boxes.map(box => box.dataset.chart);
      if (!now.length || (now.length === before.length && now.every(name => before.includes(name)))) return;
      location.assign(`${location.pathname}?${addressWith(["metrics"], new Map([["metrics", now.join(",")]]))}`);
    }
  }

  const findRoot = () => {
    const root = document.getElementById("compare");
    return root?.querySelector("[data-chart]") ? root : null;
  };
  Compare.mount({ root: findRoot });
})();
