// What every figure needs: Plotly, loaded at the first one, and the studio's own clothes. Figures name colours by
// token, `var(--train)`; tokens become colours here, so a change of theme is a redraw.
"use strict";

window.studioPlot = (() => {
  // Plotly writes its rules into a style element of its own, which the page's policy refuses, unless it finds this
  // one with this class. The rules themselves are in studio/components.css.
  const GUARD = { id: "plotly.js-style-global", className: "no-inline-styles" };
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
    if (part === null || typeof part !== "object" || ArrayBuffer.isView(part)) return part;
    return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, dressed(value, token)]));
  }

  return { CONFIG, NARROW: 480, ready, dressed: figure => dressed(figure, css()), css };
})();
