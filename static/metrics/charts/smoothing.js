// Changes only the smoothing of drawn figures. Short runs are smoothed here, as metrics/charts/downsample.py does on the
// server, so that a moving slider updates the curves within a frame. The server's figures follow.
"use strict";

window.studioSmooth = (() => {
  /** Exponential moving average, debiased. Values that are not finite stay as they are and do not count. */
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

  /** The smoothed y of a drawn line; values: every value of its run. */
  function smoothLine(trace, values, weight) {
    const smoothed = smooth(values, weight);
    return Float64Array.from(studioPlot.decodeNumbers(trace.customdata), index => smoothed[index]);
  }

  /** The figure as the server would build it. y(trace) returns the smoothed values of a line; raw lines do not change. */
  function smoothFigure(drawn, y) {
    const isRaw = trace => trace.meta === "raw";
    const raw = new Map(drawn.data.filter(isRaw).map(trace => [trace.legendgroup, trace.y]));
    const data = drawn.data.filter(trace => !isRaw(trace)).flatMap(trace => [
      { ...trace, y: raw.get(trace.legendgroup) || trace.y, customdata: undefined, opacity: 0.25, meta: "raw", line: { ...trace.line, width: 1, dash: "solid" } },
      { ...trace, y: y(trace), line: { ...trace.line, dash: drawn.dashes[trace.legendgroup] } },
    ]);
    return { ...drawn, data };
  }

  return { smoothLine, smoothFigure };
})();
