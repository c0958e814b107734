// Draws the figures of metrics/charts.py with Plotly, on top of studio/plot.js.
"use strict";

Object.assign(window.studioPlot, (() => {
  const { CONFIG, NARROW, dressed, css } = window.studioPlot;

  /** Labels of a hidden series go with it; on a narrow chart only the star and the short words of the best stay. */
  function labels(annotations, hidden, narrow) {
    const shown = annotations.filter(one => {
      const [kind, group] = (one.name || "").split("-");
      return !hidden.has(group) && !(narrow && kind === "end");
    });
    if (narrow) for (const one of shown) if (one.name === "best-eval") one.text = one.text.split(" · ", 2).join(" · ");
    return shown;
  }

  /** view: {hidden: Set of trace groups, x: [from, to] or null, y: [from, to] or null} */
  function figureFor(box, figure, view) {
    const { data, layout } = dressed(figure);
    const narrow = box.clientWidth < NARROW;
    for (const trace of data) trace.visible = !view.hidden.has(trace.legendgroup);
    layout.annotations = labels(layout.annotations || [], view.hidden, narrow);
    if (narrow) layout.margin.r = 14;
    layout.xaxis.nticks = narrow ? 5 : 8;
    layout.yaxis.nticks = box.clientHeight < 180 ? 4 : 7;
    if (view.x) layout.xaxis.range = view.x;
    if (view.y) Object.assign(layout.yaxis, { range: view.y, tickmode: "auto" });
    return { data, layout };
  }

  function draw(box, figure, view) {
    const { data, layout } = figureFor(box, figure, view);
    return window.Plotly.react(box, data, layout, CONFIG);
  }

  /** Only what is hidden changes: nodes that Plotly has drawn are taken from sight, which costs next to nothing; where
   *  one was hidden before it was drawn, the chart is drawn again. */
  function hide(box, figure, view) {
    const shown = trace => !view.hidden.has(trace.legendgroup), nodes = new Map();
    for (const node of box.querySelectorAll(".scatterlayer .trace")) nodes.set(node.__data__[0].trace.index, node);
    if (figure.data.some((trace, at) => shown(trace) && !nodes.has(at))) return draw(box, figure, view);
    for (const [at, node] of nodes) node.style.display = shown(figure.data[at]) ? "" : "none";
    for (const node of box.querySelectorAll(".annotation")) {
      const [, group] = (box.layout.annotations[node.dataset.index]?.name || "").split("-");
      node.style.display = view.hidden.has(group) ? "none" : "";
    }
    return undefined;
  }

  /** The chart with title, legend and background, as a file that the browser saves. */
  function save(figure, view, format, title, name) {
    const stage = { clientWidth: 1200, clientHeight: 600 };
    const { data, layout } = figureFor(stage, figure, view), token = css();
    Object.assign(layout, {
      showlegend: true, legend: { orientation: "h", x: 0, y: 1.1 }, title: { text: title, x: 0.04, y: 0.97 },
      paper_bgcolor: token("--bg-raised"), margin: { ...layout.margin, t: 84, l: 56, b: 40 },
    });
    for (const trace of data) Object.assign(trace, { showlegend: Boolean(trace.name), legendgroup: "" });
    return window.Plotly.downloadImage({ data, layout }, { format, width: 1200, height: 600, filename: name });
  }

  return { draw, hide, save };
})());
