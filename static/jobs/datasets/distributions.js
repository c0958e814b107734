// Draws the distributions of a dataset: each figure stands in the page as JSON, beside its box.
"use strict";

(() => {
  const { CONFIG, NARROW, ready, dressed } = window.studioPlot;

  function draw(box) {
    const { data, layout, narrow } = dressed(JSON.parse(document.getElementById(box.dataset.spread).textContent));
    const small = box.clientWidth < NARROW;
    Plotly.react(box, data, { ...layout, ...(small ? narrow : {}) }, CONFIG);
  }

  document.addEventListener("DOMContentLoaded", async () => {
    const place = document.querySelector("[data-plotly]");
    const boxes = [...place.querySelectorAll("[data-spread]")];
    const all = () => boxes.forEach(draw);
    await ready(place.dataset.plotly);
    all();
    new MutationObserver(all).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    matchMedia("(max-width: 575.98px)").addEventListener("change", all);
  });
})();
