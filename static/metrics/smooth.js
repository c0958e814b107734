// Smooths the curves of short runs in the page, as metrics/downsample.py does on the server, whose answer follows: a hand
// on the slider sees its curves within the next frame.
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

  /** The figure as the server will draw it at this weight; values: every one of each run, by its key. */
  function figure(drawn, values, weight) {
    const lines = drawn.data.filter(trace => trace.meta !== "raw" && values[trace.legendgroup]);
    const data = lines.flatMap(trace => {
      const whole = values[trace.legendgroup], smoothed = smooth(whole, weight);
      const kept = studioPlot.numbers(trace.customdata), at = array => Float64Array.from(kept, index => array[index]);
      return [
        { ...trace, y: at(whole), opacity: 0.25, line: { ...trace.line, width: 1, dash: "solid" } },
        { ...trace, y: at(smoothed), line: { ...trace.line, dash: drawn.dashes[trace.legendgroup] } },
      ];
    });
    return { ...drawn, data };
  }

  return { figure };
})();
