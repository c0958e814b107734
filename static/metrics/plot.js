// Draws the figures of metrics/charts.py with Plotly, in the studio's own clothes: tokens become colours here, so a
// change of theme is a redraw. Plotly is loaded at the first figure.
"use strict";

window.studioPlot = (() => {
  // Plotly writes its rules into a style element of its own, which the page's policy refuses, unless it finds this
  // one with this class. The rules themselves are in studio/components.css.
  const GUARD = { id: "plotly.js-style-global", className: "no-inline-styles" };
  const NARROW = 480;
  const CONFIG = { displayModeBar: false, responsive: true, doubleClick: false, showTips: false };
  let loading;

  function ready(url) {
    loading ??= new Promise((resolve, reject) => {
      document.head.append(Object.assign(document.createElement("meta"), GUARD));
      const script = document.createElement("script");
      script.src = url;
      script.onload = resolve;
      script.onerror = () => {
        loading = undefined;
        reject(new TypeError("Plotly could not be loaded"));
      };
      document.head.append(script);
    });
    return loading;
  }

  const css = () => {
    const style = getComputedStyle(document.documentElement);
    return name => style.getPropertyValue(name).trim();
  };

  /** A copy of any part of a figure with every `var(--token)` replaced by what it stands for now. */
  function dressed(part, token) {
    if (typeof part === "string") return part.startsWith("var(") ? token(part.slice(4, -1)) : part;
    if (Array.isArray(part)) return part.map(one => dressed(one, token));
    if (part === null || typeof part !== "object") return part;
    return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, dressed(value, token)]));
  }

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
    const { data, layout } = dressed(figure, css());
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

  return { ready, draw, save };
})();
