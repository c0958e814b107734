// The compare page, on top of metrics/charts/refresh.js. Everything that somebody changes is written into the address, so that
// the copied link shows the same; a link of the page changes only what it is for, and keeps the rest as it is now.
"use strict";

(() => {
  const DRAWN = { curves: ["runs", "metrics", "smoothing", "axis", "scale", "clip", "baseline", "x"], effect: ["runs", "baseline", "tab", "by", "outcome"] };
  const address = () => new URLSearchParams(location.search);

  function written(query) {
    return [...query].filter(([, value]) => value).map(([name, value]) => `${name}=${encodeURIComponent(value).replace(/%2C/g, ",").replace(/%3A/g, ":")}`).join("&");
  }

  /** The page's address with these parameters as in another one. */
  function changed(names, said) {
    const query = address();
    for (const name of names) {
      if (said.get(name)) query.set(name, said.get(name));
      else query.delete(name);
    }
    return written(query);
  }

  // ---- links and forms keep what was changed since the page came ----

  document.addEventListener("click", event => {
    const link = event.target.closest("a[data-change]"), here = event.target.closest("a[data-here]");
    if (link && !event.defaultPrevented) {
      event.preventDefault();
      location.assign(`${location.pathname}?${changed([link.dataset.change], new URL(link.href).searchParams)}`);
    }
    if (here) {
      const query = address();
      if (here.dataset.metrics) query.set("metrics", here.dataset.metrics);
      here.href = `${new URL(here.href).pathname}?${written(query)}`;
    }
  });

  document.addEventListener("submit", event => {
    const form = event.target;
    if (!form.querySelector("[data-kept]") || form.matches("[data-controls], [role=search]")) return;
    event.preventDefault();
    const kept = new Set([...form.querySelectorAll("[data-kept]")].map(field => field.name));
    const said = new URLSearchParams(new FormData(form));
    location.assign(`${location.pathname}?${changed([...said.keys()].filter(name => !kept.has(name)), said)}`);
  });

  document.addEventListener("change", event => {
    if (event.target.closest("[data-effect]")) event.target.form.requestSubmit();
  });

  if (typeof StudioBoard === "undefined") return;

  class Compare extends StudioBoard {
    static READ = 60_000; // values

    constructor(root) {
      super(root, JSON.parse(root.dataset.words));
      if (this.tab === "curves") new StudioReader(this, group => document.querySelector(`[data-run="${group.slice(1)}"] .swatch`));
      else this.takeHidden();
    }

    get tab() {
      return this.root.querySelector("[data-chart=effect]") ? "effect" : "curves";
    }

    axis() {
      return address().get("axis") || "step";
    }

    // ---- asking ----

    /** The same words in the same order as the page's own preload, so that its answer is used. */
    query() {
      const said = address();
      return written(DRAWN[this.tab].map(name => [name, said.get(name) || ""]));
    }

    /** Smoothing changes the curves of training alone: where nothing else has changed, only these are asked for. */
    fetch(query) {
      const before = new URLSearchParams(this.drawn), now = new URLSearchParams(query);
      const train = this.boxes.map(box => box.dataset.chart).filter(name => name.startsWith("train"));
      const rest = said => written([...said].filter(([name]) => name !== "smoothing"));
      if (query === this.drawn || rest(before) !== rest(now) || !train.length) return super.fetch(query);
      now.set("metrics", train.join(","));
      const asked = DRAWN.curves.map(name => [name, now.get(name) || ""]);
      return super.fetch(written([...asked, ["drawn", now.get("smoothing") ? this.onlyLines(train) : ""]]));
    }

    /** Of how many points these charts are, where nothing but their lines can change: the runs are over, and no last
     *  value stands at a line's end. */
    onlyLines(charts) {
      const figures = charts.map(name => this.figures[name]);
      const bare = figure => figure && !figure.layout.annotations.some(one => one.name?.startsWith("end-"));
      return this.over && figures.every(bare) ? figures.map(figure => figure.points).join(",") : "";
    }

    charts(said) {
      if (!said.smoothed) return super.charts(said);
      const smoothed = ([name, { lines }]) => [name, studioSmooth.figure(this.figures[name], trace => lines[trace.legendgroup])];
      return Object.fromEntries(Object.entries(said.smoothed).map(smoothed));
    }

    // ---- smoothing at once ----

    change(field) {
      super.change(field);
      const weight = Number(this.form.elements.smoothing.value);
      if (field.name !== "smoothing" && !field.matches("[data-smoothing]")) return;
      for (const box of weight > 0 ? this.boxes : []) {
        const name = box.dataset.chart, values = this.values?.[name];
        const line = trace => studioSmooth.line(trace, values[trace.legendgroup], weight);
        if (values) studioPlot.preview(box, studioSmooth.figure(this.figures[name], line), this.looked(name));
      }
    }

    /** Of runs that are over, and short enough: every value of training, once everything is drawn. */
    async readValues() {
      const train = this.boxes.map(box => box.dataset.chart).filter(name => name.startsWith("train") && this.figures[name]);
      const points = train.reduce((sum, name) => sum + this.figures[name].points, 0);
      if (this.values || !this.over || !points || points > this.constructor.READ) return;
      this.values = {};
      const answer = await fetch(`${this.root.dataset.values}?${this.query()}`).catch(() => null);
      const found = answer?.ok && !answer.redirected ? await answer.json() : {};
      for (const [name, runs] of Object.entries(found)) {
        this.values[name] = Object.fromEntries(Object.entries(runs).map(([run, packed]) => [run, studioPlot.numbers(packed)]));
      }
    }

    caching() {
      return this.drawn === undefined ? {} : { cache: "no-cache" };
    }

    takeAddress() {
      super.takeAddress();
      const said = address(), pair = text => text?.split(":").map(Number);
      this.view.x = pair(said.get("x")) || null;
      for (const box of this.boxes) {
        const found = pair(said.get(`y.${box.dataset.chart}`));
        if (found) this.view.y[box.dataset.chart] = found;
      }
      this.takeHidden();
    }

    takeHidden() {
      this.view.hidden = new Set((address().get("hidden") || "").split(",").filter(Boolean).map(run => `r${run}`));
    }

    keepAddress() {
      if (!this.form) return; // the effect of a setting has no controls, and its zoom is not kept
      this.form.querySelector("[data-smoothing]").value = this.form.elements.smoothing.value;
      const query = address(), said = new URLSearchParams(super.query());
      for (const name of ["smoothing", "axis", "scale", "clip"]) {
        if (said.get(name)) query.set(name, name === "smoothing" ? Number(said.get(name)) : said.get(name));
        else query.delete(name);
      }
      if (this.drawn !== undefined) this.keepZoom(query);
      this.goTo(written(query));
    }

    keepZoom(query) {
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

    zoomed() {
      this.draw();
      this.keepAddress();
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
      if (this.shown === this.drawn) this.renew();
      this.shown = this.drawn;
      if (this.tab === "curves") setTimeout(() => this.readValues(), this.constructor.DEBOUNCE);
    }

    /** What stands about the charts follows a run that goes on, unless somebody is at work in it. */
    renew() {
      if (this.root.querySelector("#compare-about details[open]")) return;
      htmx.ajax("GET", `${this.root.dataset.page}?${written(address())}`, { target: "#compare-about", swap: "outerHTML" });
    }

    clicked(event) {
      super.clicked(event);
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
      this.root.querySelector("[data-differences]")?.addEventListener("change", event => this.differences(event.target.checked));
      const menu = this.root.querySelector(".metrics-menu");
      menu?.addEventListener("toggle", () => menu.open || this.chosen());
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

    /** What is hidden is grey in the tables, gone from the charts, and in the address. */
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
      this.goTo(written(query));
      for (const box of this.boxes) {
        const figure = this.figures?.[box.dataset.chart];
        if (figure && this.differs(box, figure)) studioPlot.hide(box, figure, this.looked(box.dataset.chart));
      }
    }

    differences(only) {
      this.root.querySelector(".settings").classList.toggle("only-differences", only);
      const query = address();
      if (only) query.delete("settings");
      else query.set("settings", "all");
      this.goTo(written(query));
    }

    /** Other charts are another page: chosen once the menu closes. */
    chosen() {
      const boxes = [...this.root.querySelectorAll("[data-metric]")], now = boxes.filter(box => box.checked).map(box => box.dataset.metric);
      const before = this.boxes.map(box => box.dataset.chart);
      if (!now.length || (now.length === before.length && now.every(name => before.includes(name)))) return;
      location.assign(`${location.pathname}?${changed(["metrics"], new Map([["metrics", now.join(",")]]))}`);
    }
  }

  const withCharts = () => {
    const root = document.getElementById("compare");
    return root?.querySelector("[data-chart]") ? root : null;
  };
  Compare.begin({ root: withCharts });
})();
