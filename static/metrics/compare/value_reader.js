// Shows the values of many curves at one x: a line through every chart, and beside the pointer a list of runs ordered by
// value. The arrow keys move it on a focused chart. Plotly's own hover labels would hide the curves.
"use strict";

window.StudioReader = class {
  static ROWS = 12; // runs in the list: more would be taller than a chart
  static LEAP = 60; // presses of an arrow key from one end of the axis to the other

  /** board: a StudioBoard; swatch(group): a sample of a run's line, or null. */
  constructor(board, swatch) {
    this.board = board;
    this.swatch = swatch;
    this.at = null;
    this.panel = Object.assign(document.createElement("div"), { className: "reading", hidden: true });
    this.panel.setAttribute("role", "status");
    document.body.append(this.panel);
    for (const box of board.boxes) {
      box.addEventListener("mousemove", event => this.onPointerMove(box, event));
      box.addEventListener("mouseleave", () => this.hideReading());
      box.addEventListener("keydown", event => this.onKeyDown(box, event));
      box.addEventListener("blur", () => this.hideReading());
    }
  }

  onPointerMove(box, event) {
    const plot = this.layoutOf(box);
    if (!plot || event.buttons) return this.hideReading();
    const frame = box.getBoundingClientRect();
    const x = event.clientX - frame.left - plot.xaxis._offset, y = event.clientY - frame.top - plot.yaxis._offset;
    if (x < 0 || y < 0 || x > plot.xaxis._length || y > plot.yaxis._length) return this.hideReading();
    this.showReading(box, plot.xaxis.p2c(x), y, event.clientX);
  }

  onKeyDown(box, event) {
    const plot = this.layoutOf(box), way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") this.hideReading();
    if (!plot || !way) return;
    event.preventDefault();
    const [low, high] = plot.xaxis.range.map(end => plot.xaxis.d2c(end));
    const middle = (low + high) / 2, leap = (high - low) / (event.shiftKey ? 12 : this.constructor.LEAP);
    const x = Math.min(high, Math.max(low, (this.at ?? middle) + way * leap));
    this.showReading(box, x, plot.yaxis._length / 2, box.getBoundingClientRect().left + plot.xaxis._offset + plot.xaxis.c2p(x));
  }

  layoutOf(box) {
    return box.classList.contains("drawn") ? box._fullLayout : null;
  }

  hideReading() {
    if (this.panel.hidden) return;
    this.at = null;
    this.panel.hidden = true;
    for (const box of this.board.boxes) box.querySelector(".cross")?.remove();
  }

  showReading(box, x, y, left) {
    this.at = x;
    for (const one of this.board.boxes) this.moveCrosshair(one, x);
    const found = this.nearestValues(box, x), plot = this.layoutOf(box);
    if (!found.length) return (this.panel.hidden = true);
    const rows = [...found].sort((a, b) => Math.abs(a.place - y) - Math.abs(b.place - y)).slice(0, this.constructor.ROWS);
    rows.sort((a, b) => b.value - a.value);
    const more = found.length - rows.length;
    this.panel.replaceChildren(
      this.buildSpan("reading-head", this.formatHeading(plot, x)),
      ...rows.map(row => this.buildRow(row, plot)),
      ...(more ? [this.buildSpan("t2", this.board.words.more.replace("{n}", more))] : []),
    );
    this.panel.hidden = false;
    this.placePanel(box, left);
  }

  /** The nearest drawn value of every visible run. */
  nearestValues(box, x) {
    const plot = this.layoutOf(box), found = new Map();
    const traces = (box._fullData || []).filter(trace => trace.visible === true && !this.board.view.hidden.has(trace.legendgroup) && trace.meta !== "star" && trace.x?.length);
    for (const trace of traces) {
      const xs = trace.x, near = this.nearestIndex(xs, x), step = xs.length > 1 ? (xs[xs.length - 1] - xs[0]) / (xs.length - 1) : 0;
      if (x < xs[0] - step || x > xs[xs.length - 1] + step || !Number.isFinite(trace.y[near])) continue;
      const row = found.get(trace.legendgroup) || { group: trace.legendgroup, name: trace.name };
      if (trace.meta === "raw") row.raw = trace.y[near];
      else Object.assign(row, { value: trace.y[near], place: plot.yaxis.c2p(plot.yaxis.d2c(trace.y[near])) });
      found.set(trace.legendgroup, row);
    }
    return [...found.values()].filter(row => row.value !== undefined);
  }

  nearestIndex(xs, x) {
    let low = 0, high = xs.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (xs[middle] < x) low = middle;
      else high = middle;
    }
    return x - xs[low] <= xs[high] - x ? low : high;
  }

  formatHeading(plot, x) {
    const { step, epoch } = this.board.words, axis = this.board.axis();
    if (axis === "step") return step.replace("{x}", Math.round(x).toLocaleString("en"));
    if (axis === "epoch") return epoch.replace("{x}", x.toFixed(2));
    if (axis === "clock") return new Date(x).toISOString().slice(0, 19).replace("T", " ");
    return `${x.toFixed(2)}${plot.xaxis.ticksuffix || ""}`;
  }

  buildRow(row, plot) {
    const line = this.buildSpan("reading-row", ""), number = value => this.formatValue(value, plot.yaxis.hoverformat);
    const swatch = this.swatch(row.group);
    if (swatch) line.append(swatch.cloneNode(true));
    line.append(this.buildSpan("clip", row.name), this.buildSpan("num", number(row.value)));
    if (row.raw !== undefined) line.append(this.buildSpan("t2 num", this.board.words.raw.replace("{value}", number(row.raw))));
    return line;
  }

  formatValue(value, format) {
    if (format === ".1%") return `${(value * 100).toFixed(1)}%`;
    return format === ",d" ? Math.round(value).toLocaleString("en") : value.toFixed(3);
  }

  buildSpan(css, words) {
    return Object.assign(document.createElement("span"), { className: css, textContent: words });
  }

  moveCrosshair(box, x) {
    const plot = this.layoutOf(box);
    if (!plot) return;
    const place = plot.xaxis.c2p(x);
    let line = box.querySelector(".cross");
    if (place < 0 || place > plot.xaxis._length) return line?.remove();
    if (!line) box.append((line = Object.assign(document.createElement("div"), { className: "cross" })));
    Object.assign(line.style, {
      left: `${plot.xaxis._offset + place}px`, top: `${plot.yaxis._offset}px`, height: `${plot.yaxis._length}px`,
    });
  }

  /** Place the list beside the pointer, on the side with room for it. */
  placePanel(box, left) {
    const frame = box.getBoundingClientRect(), width = this.panel.offsetWidth, gap = 14;
    const fits = left + gap + width < document.documentElement.clientWidth;
    Object.assign(this.panel.style, {
      left: `${Math.max(4, fits ? left + gap : left - gap - width)}px`,
      top: `${Math.max(4, Math.min(frame.top + 24, innerHeight - this.panel.offsetHeight - 4))}px`,
    });
  }
};
