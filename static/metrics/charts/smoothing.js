// Figures whose training is smoothed otherwise, and nothing else: made of the drawn ones and of the smoothed lines. Those
// of short runs are smoothed here, as metrics/downsample.py does on the server, whose answer follows: a hand on the slider
// sees its curves within the next frame.
"use strict";

window.studioSmooth = (() => {
  /** Exponential moving average, debiased; values that are not finite stay as they are and count for nothing. */
  function smooth(values, weight) {
    const smoothed = Float64Array.from(values);
    let average = 0, share = 1;
    values.forEach((value, at) => {
      if (!Number.isFinite(value)) return;
      average = weight * average + (1 - weight) * value;
      share *= weight;
      smoothed[at] = average / (1 - share);
    });
    return smoothed;
  }

  /** The smoothed y of a drawn line; values: all of its run. */
  function line(trace, values, weight) {
    const smoothed = smooth(values, weight);
    return Float64Array.from(studioPlot.numbers(trace.customdata), index => smoothed[index]);
  }

  /** The figure as the server would draw it; y: that of each drawn line, smoothed. The raw lines stay as they are. */
  function figure(drawn, y) {
    const isRaw = trace => trace.meta === "raw";
    const raw = new Map(drawn.data.filter(isRaw).map(trace => [trace.legendgroup, trace.y]));
    const data = drawn.data.filter(trace => !isRaw(trace)).flatMap(trace => [
      { ...trace, y: raw.get(trace.legendgroup) || trace.y, customdata: undefined, opacity: 0.25, meta: "raw", line: { ...trace.line, width: 1, dash: "solid" } },
      { ...trace, y: y(trace), line: { ...trace.line, dash: drawn.dashes[trace.legendgroup] } },
    ]);
    return { ...drawn, data };
  }

  return { line, figure };
})();
