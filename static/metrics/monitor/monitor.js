// Monitor: the charts of one run, their tables, and the facts below them, on top of metrics/charts/refresh.js.
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
      this.refreshFacts();
    }

    onUnchanged() {
      this.refreshFacts();
    }

    /** Refresh the notes and checkpoints below the charts, unless a dialog is open in them. */
    refreshFacts() {
      const place = this.root.querySelector("#monitor-facts");
      if (this.facts === undefined || this.facts === place.dataset.facts || place.querySelector("dialog[open]")) return;
      const source = `${this.root.dataset.monitor}?${this.buildQuery()}`;
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

    onClick(event) {
      super.onClick(event);
      const group = event.target.closest("[data-group]"), link = event.target.closest("[data-table]");
      if (group) this.toggle(group.dataset.group);
      if (link) {
        event.preventDefault();
        this.toggleTable(link.closest("[data-panel]"), link);
      }
    }

    toggle(group) {
      const hidden = this.view.hidden;
      if (!hidden.delete(group)) hidden.add(group);
      this.draw();
    }

    /** Show only this series, or all of them if it already was the only one. The double-click's two clicks cancel out. */
    isolate(group) {
      const items = [...this.root.querySelectorAll("[data-group]:not([hidden])")];
      const others = items.map(item => item.dataset.group).filter(name => name !== group);
      const alone = others.every(name => this.view.hidden.has(name));
      this.view.hidden = new Set(alone ? [] : others);
      this.draw();
    }

    toggleTable(panel, link) {
      const chart = panel.querySelector("[data-chart]"), rows = panel.querySelector("[data-rows]");
      rows.hidden = !rows.hidden;
      chart.hidden = !rows.hidden;
      link.classList.toggle("on", chart.hidden);
      if (chart.hidden) htmx.ajax("GET", link.href, { target: rows, swap: "innerHTML" });
      else this.draw();
    }
  }

  Monitor.mount({ root: () => document.getElementById("monitor") });
})();
