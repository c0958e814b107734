// The Monitor panel of one run, on top of metrics/charts/refresh.js: its two series, its tables, and the facts below the charts.
"use strict";

(() => {
  class Monitor extends StudioBoard {
    constructor(root) {
      super(root, JSON.parse(root.querySelector("[data-chip]").dataset.words));
    }

    show(said) {
      this.over = said.over;
      this.failing = said.failing;
      this.root.querySelector("[data-progress]").textContent = said.progress;
      for (const word of this.root.querySelectorAll("[data-word]")) word.textContent = said.word;
      this.draw();
      this.facts = said.facts;
      this.tellFacts();
    }

    unchanged() {
      this.tellFacts();
    }

    /** What stands below the charts is left alone while a dialog is open in it; the next look renews it. */
    tellFacts() {
      const place = this.root.querySelector("#monitor-facts");
      if (this.facts === undefined || this.facts === place.dataset.facts || place.querySelector("dialog[open]")) return;
      const source = `${this.root.dataset.monitor}?${this.query()}`;
      htmx.ajax("GET", source, { target: "#monitor-facts", swap: "outerHTML" });
    }

    draw() {
      super.draw();
      if (!this.figures) return;
      const groups = new Set(Object.values(this.figures).flatMap(one => one.data.map(trace => trace.legendgroup)));
      for (const item of this.root.querySelectorAll("[data-group]")) {
        item.hidden = !groups.has(item.dataset.group);
        item.setAttribute("aria-pressed", !this.view.hidden.has(item.dataset.group));
      }
    }

    listen() {
      super.listen();
      this.root.addEventListener("dblclick", event => {
        const item = event.target.closest("[data-group]");
        if (item) this.isolate(item.dataset.group);
      });
    }

    clicked(event) {
      super.clicked(event);
      const group = event.target.closest("[data-group]"), link = event.target.closest("[data-table]");
      if (group) this.toggle(group.dataset.group);
      if (link) {
        event.preventDefault();
        this.table(link.closest("[data-panel]"), link);
      }
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
  }

  Monitor.begin({ root: () => document.getElementById("monitor") });
})();
