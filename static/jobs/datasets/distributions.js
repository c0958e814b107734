// Draws the distributions of a dataset, whose figures are in the page as JSON.
"use strict";

(() => {
  const { CONFIG, NARROW, loadPlotly, resolveTokens } = window.studioPlot;

  function draw(box) {
    const { data, layout, narrow } = resolveTokens(JSON.parse(document.getElementById(box.dataset.spread).textContent));
    const small = box.clientWidth < NARROW;
    Plotly.react(box, data, { ...layout, ...(small ? narrow : {}) }, CONFIG);
  }

  document.addEventListener("DOMContentLoaded", async () => {
    const place = document.querySelector("[data-plotly]");
    const boxes = [...place.querySelectorAll("[data-spread]")];
    const all = () => boxes.forEach(draw);
    await loadPlotly(place.dataset.plotly);
    all();
    new MutationObserver(all).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    matchMedia("(max-width: 575.98px)").addEventListener("change", all);
  });
})();
