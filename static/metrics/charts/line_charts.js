// Draws the figures of metrics/charts/figures.py and metrics/compare/charts/figures.py, on top of studio/plot.js.
"use strict";

Object.assign(window.studioPlot, (() => {
  const { CONFIG, NARROW, resolveTokens, readTokens } = window.studioPlot;
  const MANY = 8; // traces up to which Plotly redraws fast enough while a slider moves
  const BEHIND = 250; // milliseconds without a change after which Plotly draws: longer than between two moves of a slider
  const NUMBERS = { u2: Uint16Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array };

  /** The labels of visible series. A narrow chart has no end labels, and a shorter label of the best value. */
  function visibleLabels(annotations, hidden, narrow) {
    const shown = annotations.filter(one => {
      const [kind, group] = (one.name || "").split("-");
      return !hidden.has(group) && !(narrow && kind === "end");
    });
    if (narrow) for (const one of shown) if (one.name === "best-eval") one.text = one.text.split(" · ", 2).join(" · ");
    return shown;
  }

  /** view: {hidden: Set of trace groups, x: [from, to] or null, y: [from, to] or null} */
  function figureFor(box, figure, view) {
    const { data, layout } = resolveTokens(figure);
    const narrow = box.clientWidth < NARROW;
    for (const trace of data) trace.visible = !view.hidden.has(trace.legendgroup);
    layout.annotations = visibleLabels(layout.annotations || [], view.hidden, narrow);
    if (narrow) layout.margin.r = 14;
    layout.xaxis.nticks = narrow ? 5 : 8;
    layout.yaxis.nticks = box.clientHeight < 180 ? 4 : 7;
    if (view.x) layout.xaxis.range = view.x;
    if (view.y) Object.assign(layout.yaxis, { range: view.y, tickmode: "auto" });
    return { data, layout };
  }

  /** If only lines change, they are painted at once, and Plotly draws after a pause: with many runs it would take too
   *  long to keep up with a slider. */
  function draw(box, figure, view) {
    const frame = JSON.stringify([figure.layout, view.x, view.y, document.documentElement.dataset.bsTheme, box.clientWidth]);
    const same = box._frame === frame && figure.data.length > MANY && isPaintable(figure);
    box._frame = frame;
    if (same) previewThenDraw(box, figure, view, BEHIND);
    else drawNow(box, figure, view);
  }

  /** Paint a figure whose final version is still being loaded, on a chart whose axes will not change. */
  function preview(box, figure, view) {
    if (box._frame && isPaintable(figure)) previewThenDraw(box, figure, view, 4 * BEHIND);
  }

  const isPaintable = ({ data }) => data.every(trace => trace.mode === "lines");

  function previewThenDraw(box, figure, view, pause) {
    clearTimeout(box._behind);
    paintPreview(box, figure, view);
    box._behind = setTimeout(() => drawNow(box, figure, view), pause);
  }

  function drawNow(box, figure, view) {
    const { data, layout } = figureFor(box, figure, view);
    clearTimeout(box._behind);
    box._behind = null;
    box.querySelector(".ahead")?.remove();
    for (const node of box.querySelectorAll(".scatterlayer > .trace")) node.style.display = "";
    return window.Plotly.react(box, data, layout, CONFIG);
  }

  /** Paint the lines of a figure on a canvas, on the axes of the drawn chart, in place of its lines. */
  function paintPreview(box, figure, view) {
    const canvas = box.querySelector(".ahead") || box.appendChild(Object.assign(document.createElement("canvas"), { className: "ahead" }));
    const { xaxis, yaxis } = box._fullLayout, { devicePixelRatio: fine } = window, brush = canvas.getContext("2d");
    const width = Math.ceil(xaxis._length), height = Math.ceil(yaxis._length);
    Object.assign(canvas, { width: width * fine, height: height * fine });
    Object.assign(canvas.style, { left: `${xaxis._offset}px`, top: `${yaxis._offset}px`, width: `${width}px`, height: `${height}px` });
    brush.scale(fine, fine);
    brush.miterLimit = 2;
    for (const trace of resolveTokens(figure).data.filter(one => !view.hidden.has(one.legendgroup))) {
      const { line, opacity = 1 } = trace, dashes = line.dash && line.dash !== "solid" ? line.dash.split(",").map(parseFloat) : [];
      Object.assign(brush, { strokeStyle: line.color, lineWidth: line.width, globalAlpha: opacity });
      brush.setLineDash(dashes);
      brush.beginPath();
      tracePath(brush, trace, xaxis, yaxis);
      brush.stroke();
    }
    for (const node of box.querySelectorAll(".scatterlayer > .trace")) node.style.display = "none";
  }

  /** The numbers of a typed array from the server; other arrays are returned as they are. */
  function decodeNumbers(spec) {
    const { dtype, bdata } = spec;
    if (!bdata) return spec;
    const packed = atob(bdata), bytes = new Uint8Array(packed.length);
    for (let at = 0; at < bytes.length; at += 1) bytes[at] = packed.charCodeAt(at);
    return new NUMBERS[dtype](bytes.buffer);
  }

  function tracePath(brush, trace, xaxis, yaxis) {
    const xs = decodeNumbers(trace.x), ys = decodeNumbers(trace.y), short = place => Math.round(place * 100) / 100;
    let apart = true;
    for (let at = 0; at < xs.length; at += 1) {
      const y = yaxis.d2p(ys[at]), known = Number.isFinite(y);
      if (known && apart) brush.moveTo(short(xaxis.d2p(xs[at])), short(y));
      else if (known) brush.lineTo(short(xaxis.d2p(xs[at])), short(y));
      apart = !known;
    }
  }

  /** Show or hide series by their SVG nodes, which is much faster than a redraw. A series that was hidden when the chart
   *  was drawn has no nodes yet, so the chart is redrawn. */
  function hide(box, figure, view) {
    if (box._behind) return draw(box, figure, view);
    const isShown = trace => !view.hidden.has(trace.legendgroup), nodes = new Map();
    for (const node of box.querySelectorAll(".scatterlayer .trace")) nodes.set(node.__data__[0].trace.index, node);
    if (figure.data.some((trace, at) => isShown(trace) && !nodes.has(at))) return draw(box, figure, view);
    for (const [at, node] of nodes) node.style.display = isShown(figure.data[at]) ? "" : "none";
    for (const node of box.querySelectorAll(".annotation")) {
      const [, group] = (box.layout.annotations[node.dataset.index]?.name || "").split("-");
      node.style.display = view.hidden.has(group) ? "none" : "";
    }
    return undefined;
  }

  /** Save the chart as an image, with title, legend, and background. */
  function save(figure, view, format, title, name) {
    const stage = { clientWidth: 1200, clientHeight: 600 };
    const { data, layout } = figureFor(stage, figure, view), token = readTokens();
    Object.assign(layout, {
      showlegend: true, legend: { orientation: "h", x: 0, y: 1.1 }, title: { text: title, x: 0.04, y: 0.97 },
      paper_bgcolor: token("--bg-raised"), margin: { ...layout.margin, t: 84, l: 56, b: 40 },
    });
    for (const trace of data) Object.assign(trace, { showlegend: Boolean(trace.name), legendgroup: "" });
    return window.Plotly.downloadImage({ data, layout }, { format, width: 1200, height: 600, filename: name });
  }

  return { draw, preview, hide, save, decodeNumbers };
})());
