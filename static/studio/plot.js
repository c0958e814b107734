// For every figure: loads Plotly at the first one and resolves colors. Figures name colors by design token,
// `var(--train)`; a change of theme therefore needs only a redraw.
"use strict";

window.studioPlot = (() => {
  // Plotly adds a style element, which the page's content security policy refuses, unless an element with this id and
  // class exists. The rules themselves are in studio/components.css.
  const GUARD = { id: "plotly.js-style-global", className: "no-inline-styles" };
  const CONFIG = { displayModeBar: false, responsive: true, doubleClick: false, showTips: false };
  const NARROW = 480; // pixels of width below which labels at the ends of lines leave no room for the lines
  let loading;

  /** The network or the server failed. Any other error is a mistake in the page's own code. */
  class LoadError extends Error {}

  function loadPlotly(url) {
    loading ??= new Promise((resolve, reject) => {
      document.head.append(Object.assign(document.createElement("meta"), GUARD));
      const script = document.createElement("script");
      script.src = url;
      script.onload = resolve;
      script.onerror = () => {
        loading = undefined;
        reject(new LoadError("Plotly could not be loaded"));
      };
      document.head.append(script);
    });
    return loading;
  }

  const readTokens = () => {
    const style = getComputedStyle(document.documentElement);
    return name => style.getPropertyValue(name).trim();
  };

  /** A copy of any part of a figure in which every `var(--token)` is replaced by its current value. */
  function replaceTokens(part, token) {
    if (typeof part === "string") return part.startsWith("var(") ? token(part.slice(4, -1)) : part;
    if (Array.isArray(part)) return part.map(one => replaceTokens(one, token));
    if (part === null || typeof part !== "object" || ArrayBuffer.isView(part)) return part;
    return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, replaceTokens(value, token)]));
  }

  return { CONFIG, NARROW, LoadError, loadPlotly, resolveTokens: figure => replaceTokens(figure, readTokens()), readTokens };
})();
