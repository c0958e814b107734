// Reads the values of many curves at one place: a line through every chart, and beside the pointer the runs in the
// order of their values. The arrow keys move it on a focused chart. Plotly's own labels would hide the curves.
"use strict";

window.StudioReader = class {
  static ROWS = 12;
  static LEAP = 60;

  /** board: a StudioBoard; swatch(group): a node that shows how a run is drawn, or null. */
  constructor(board, swatch) {
    this.board = board;
    this.swatch = swatch;
    this.at = null;
    this.panel = Object.assign(document.createElement("div"), { className: "reading", hidden: true });
    this.panel.setAttribute("role", "status");
    document.body.append(this.panel);
    for (const box of board.boxes) {
      box.addEventListener("mousemove", event => this.moved(box, event));
      box.addEventListener("mouseleave", () => this.leave());
      box.addEventListener("keydown", event => this.pressed(box, event));
      box.addEventListener("blur", () => this.leave());
    }
  }

  moved(box, event) {
    const plot = this.plot(box);
    if (!plot || event.buttons) return this.leave();
    const frame = box.getBoundingClientRect();
    const x = event.clientX - frame.left - plot.xaxis._offset, y = event.clientY - frame.top - plot.yaxis._offset;
    if (x < 0 || y < 0 || x > plot.xaxis._length || y > plot.yaxis._length) return this.leave();
    this.show(box, plot.xaxis.p2c(x), y, event.clientX);
  }

  pressed(box, event) {
    const plot = this.plot(box), way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") this.leave();
    if (!plot || !way) return;
    event.preventDefault();
    const [low, high] = plot.xaxis.range.map(end => plot.xaxis.d2c(end));
    const middle = (low + high) / 2, leap = (high - low) / (event.shiftKey ? 12 : this.constructor.LEAP);
    const x = Math.min(high, Math.max(low, (this.at ?? middle) + way * leap));
    this.show(box, x, plot.yaxis._length / 2, box.getBoundingClientRect().left + plot.xaxis._offset + plot.xaxis.c2p(x));
  }

  plot(box) {
    return box.classList.contains("drawn") ? box._fullLayout : null;
  }

  leave() {
    if (this.panel.hidden) return;
    this.at = null;
    this.panel.hidden = true;
    for (const box of this.board.boxes) box.querySelector(".cross")?.remove();
  }

  show(box, x, y, left) {
    this.at = x;
    for (const one of this.board.boxes) this.cross(one, x);
    const found = this.values(box, x), plot = this.plot(box);
    if (!found.length) return (this.panel.hidden = true);
    const rows = [...found].sort((a, b) => Math.abs(a.place - y) - Math.abs(b.place - y)).slice(0, this.constructor.ROWS);
    rows.sort((a, b) => b.value - a.value);
    const more = found.length - rows.length;
    this.panel.replaceChildren(
      this.line("reading-head", this.heading(plot, x)),
      ...rows.map(row => this.row(row, plot)),
      ...(more ? [this.line("t2", this.board.words.more.replace("{n}", more))] : []),
    );
    this.panel.hidden = false;
    this.place(box, left);
  }

  /** The nearest drawn value of every run that is shown there. */
  values(box, x) {
    const plot = this.plot(box), found = new Map();
    const traces = (box._fullData || []).filter(trace => trace.visible === true && !this.board.view.hidden.has(trace.legendgroup) && trace.meta !== "star" && trace.x?.length);
    for (const trace of traces) {
      const xs = trace.x, near = this.nearest(xs, x), step = xs.length > 1 ? (xs[xs.length - 1] - xs[0]) / (xs.length - 1) : 0;
      if (x < xs[0] - step || x > xs[xs.length - 1] + step || !Number.isFinite(trace.y[near])) continue;
      const row = found.get(trace.legendgroup) || { group: trace.legendgroup, name: trace.name };
      if (trace.meta === "raw") row.raw = trace.y[near];
      else Object.assign(row, { value: trace.y[near], place: plot.yaxis.c2p(plot.yaxis.d2c(trace.y[near])) });
      found.set(trace.legendgroup, row);
    }
    return [...found.values()].filter(row => row.value !== undefined);
  }

  nearest(xs, x) {
    let low = 0, high = xs.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (xs[middle] < x) low = middle;
      else high = middle;
    }
    return x - xs[low] <= xs[high] - x ? low : high;
  }

  heading(plot, x) {
    const { step, epoch } = this.board.words, axis = this.board.axis();
    if (axis === "step") return step.replace("{x}", Math.round(x).toLocaleString("en"));
    if (axis === "epoch") return epoch.replace("{x}", x.toFixed(2));
    if (axis === "clock") return new Date(x).toISOString().slice(0, 19).replace("T", " ");
    return `${x.toFixed(2)}${plot.xaxis.ticksuffix || ""}`;
  }

  row(row, plot) {
    const line = this.line("reading-row", ""), number = value => this.written(value, plot.yaxis.hoverformat);
    const swatch = this.swatch(row.group);
    if (swatch) line.append(swatch.cloneNode(true));
    line.append(this.line("clip", row.name), this.line("num", number(row.value)));
    if (row.raw !== undefined) line.append(this.line("t2 num", this.board.words.raw.replace("{value}", number(row.raw))));
    return line;
  }

  written(value, format) {
    if (format === ".1%") return `${(value * 100).toFixed(1)}%`;
    return format === ",d" ? Math.round(value).toLocaleString("en") : value.toFixed(3);
  }

  line(css, words) {
    return Object.assign(document.createElement("span"), { className: css, textContent: words });
  }

  cross(box, x) {
    const plot = this.plot(box);
    if (!plot) return;
    const place = plot.xaxis.c2p(x);
    let line = box.querySelector(".cross");
    if (place < 0 || place > plot.xaxis._length) return line?.remove();
    if (!line) box.append((line = Object.assign(document.createElement("div"), { className: "cross" })));
    Object.assign(line.style, {
      left: `${plot.xaxis._offset + place}px`, top: `${plot.yaxis._offset}px`, height: `${plot.yaxis._length}px`,
    });
  }

  /** Beside the pointer, on the side where there is room. */
  place(box, left) {
    const frame = box.getBoundingClientRect(), width = this.panel.offsetWidth, gap = 14;
    const fits = left + gap + width < document.documentElement.clientWidth;
    Object.assign(this.panel.style, {
      left: `${Math.max(4, fits ? left + gap : left - gap - width)}px`,
      top: `${Math.max(4, Math.min(frame.top + 24, innerHeight - this.panel.offsetHeight - 4))}px`,
    });
  }
};
