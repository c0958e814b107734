// Keeps a Monitor panel alive: asks for its figures while the run goes on, and as the controls change. Zoom, hidden
// series and pause are the person's own and survive every update; the controls live in the page's address.
"use strict";

(() => {
  const SLOW = 30, LATE = 60, DEBOUNCE = 120;
  const seconds = () => Date.now() / 1000;

  class Monitor {
    constructor(root) {
      this.root = root;
      this.form = root.querySelector("[data-controls]");
      this.words = JSON.parse(root.querySelector("[data-chip]").dataset.words);
      this.boxes = [...root.querySelectorAll("[data-chart]")];
      this.view = { hidden: new Set(), x: null, y: {} };
      this.every = null;
      this.failures = 0;
      this.takeAddress();
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
      const answer = await fetch(`${this.root.dataset.figures}?${query}`, { headers: known, cache: "no-store" });
      if (answer.redirected) location.reload(); // signed out meanwhile
      if (answer.redirected || (answer.status !== 304 && !answer.ok)) throw new TypeError(`the server answered ${answer.status}`);
      return answer;
    }

    async take(answer, query) {
      this.readAt = Date.parse(answer.headers.get("Last-Modified")) / 1000 || null;
      if (answer.status === 304) return this.tellFacts();
      const said = await answer.json();
      this.etag = answer.headers.get("ETag");
      this.drawn = query;
      this.every = said.every;
      this.over = said.over;
      this.failing = said.failing;
      this.figures = said.charts;
      this.root.querySelector("[data-progress]").textContent = said.progress;
      for (const word of this.root.querySelectorAll("[data-word]")) word.textContent = said.word;
      this.draw();
      this.facts = said.facts;
      this.tellFacts();
    }

    /** What stands below the charts is left alone while a dialog is open in it; the next look renews it. */
    tellFacts() {
      const place = this.root.querySelector("#monitor-facts");
      if (this.facts === undefined || this.facts === place.dataset.facts || place.querySelector("dialog[open]")) return;
      const source = `${this.root.dataset.monitor}?${this.query()}`;
      htmx.ajax("GET", source, { target: "#monitor-facts", swap: "outerHTML" });
    }

    schedule() {
      if (!this.every || this.paused) return;
      const pause = Math.max(document.hidden ? SLOW : 0, Math.min(this.every * 2 ** this.failures, SLOW));
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

    draw() {
      if (!this.figures) return;
      for (const box of this.boxes) {
        const figure = this.figures[box.dataset.chart];
        box.classList.toggle("drawn", Boolean(figure));
        if (figure && !box.hidden) {
          const { hidden, x, y } = this.view;
          studioPlot.draw(box, figure, { hidden, x, y: y[box.dataset.chart] || null });
          this.follow(box);
        }
      }
      const groups = new Set(Object.values(this.figures).flatMap(one => one.data.map(trace => trace.legendgroup)));
      for (const item of this.root.querySelectorAll("[data-group]")) {
        item.hidden = !groups.has(item.dataset.group);
        item.setAttribute("aria-pressed", !this.view.hidden.has(item.dataset.group));
      }
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
        this.draw();
      });
      box.on("plotly_doubleclick", () => this.unzoom());
    }

    unzoom() {
      this.view.x = null;
      this.view.y = {};
      this.draw();
    }

    fit() {
      for (const box of this.root.querySelectorAll(".chart.drawn")) Plotly.Plots.resize(box);
    }

    /** The chip: fresh, late, paused, over. */
    tell() {
      const chip = this.root.querySelector("[data-chip]"), words = this.words;
      const age = this.readAt ? Math.max(0, seconds() - this.readAt) : null;
      const late = this.failing || this.failures > 0 || (age !== null && age > LATE);
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
      const address = location.pathname + (query.size ? `?${query}` : "") + location.hash;
      if (address !== location.pathname + location.search + location.hash) history.replaceState(history.state, "", address);
      this.form.querySelector("[data-link]").dataset.copy = location.href;
    }

    change(field) {
      if (field.matches("[data-smoothing]")) this.form.elements.smoothing.value = Number(field.value).toFixed(2);
      if (field.name === "axis") this.view.x = null;
      if (field.name === "scale" || field.name === "clip") delete this.view.y.loss;
      this.keepAddress();
      clearTimeout(this.soon);
      this.soon = setTimeout(() => this.refresh(), DEBOUNCE);
    }

    listen() {
      this.form.addEventListener("input", event => this.change(event.target));
      this.form.addEventListener("submit", event => event.preventDefault());
      this.root.addEventListener("click", event => {
        const at = selector => event.target.closest(selector);
        const panel = at("[data-panel]");
        if (at("[data-pause]")) this.pause();
        if (at("[data-group]")) this.toggle(at("[data-group]").dataset.group);
        if (at("[data-full]")) panel.requestFullscreen();
        if (at("[data-image]")) this.save(panel, at("[data-image]").dataset.image);
        if (at("[data-table]")) {
          event.preventDefault();
          this.table(panel, at("[data-table]"));
        }
      });
      this.root.addEventListener("dblclick", event => {
        const item = event.target.closest("[data-group]");
        if (item) this.isolate(item.dataset.group);
      });
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

    toggle(group) {
      const hidden = this.view.hidden;
      if (!hidden.delete(group)) hidden.add(group);
      this.draw();
    }

    /** This one alone; all of them again, if it was alone already. Its two single clicks have undone each other. */
    isolate(group) {
      const items = [...this.root.querySelectorAll("[data-group]:not([hidden])")];
      const others = items.map(item => item.dataset.group).filter(name => name !== group);
      const alone = others.every(name => this.view.hidden.has(name));
      this.view.hidden = new Set(alone ? [] : others);
      this.draw();
    }

    table(panel, link) {
      const chart = panel.querySelector("[data-chart]"), rows = panel.querySelector("[data-rows]");
      rows.hidden = !rows.hidden;
      chart.hidden = !rows.hidden;
      link.classList.toggle("on", chart.hidden);
      if (chart.hidden) htmx.ajax("GET", link.href, { target: rows, swap: "innerHTML" });
      else this.draw();
    }

    save(panel, format) {
      const name = panel.dataset.panel, title = panel.querySelector("h3").textContent;
      const { hidden, x, y } = this.view;
      if (this.figures?.[name]) studioPlot.save(this.figures[name], { hidden, x, y: y[name] || null }, format, title, name);
    }
  }

  let current = null;

  function begin() {
    const root = document.getElementById("monitor");
    if (!root || current?.root === root) return;
    current?.stop();
    current = new Monitor(root);
  }

  document.addEventListener("DOMContentLoaded", begin);
  document.addEventListener("htmx:afterSettle", begin);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && current?.every && !current.paused) current.refresh();
  });
  document.addEventListener("fullscreenchange", () => current?.fit());
  new MutationObserver(() => current?.draw()).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
})();
