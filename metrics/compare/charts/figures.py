"""The curves of many runs on one chart -> a Plotly figure. Functions of plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from metrics.charts import theme
from metrics.charts.axes import Ruler, choose_unit
from metrics.charts.controls import Axis, Controls
from metrics.charts.downsample import MAX_POINTS, downsample_points, smooth
from metrics.charts.marks import LineEnd, YAxis, build_best_label, build_end_labels, build_star, format_best
from metrics.compare.charts.run_style import RunStyle
from metrics.compare.charts.y_range import build_y_axis, describe_clipped_points
from metrics.compare.query import CompareQuery, Zoom
from metrics.metric_names import Metric
from metrics.point_store import Numbers, Points
from metrics.run import Run
from metrics.summary import find_best_index
from studio import plotly_figures
from studio.plotly_figures import Json, encode_numbers, encode_typed_array, escape_text

POINT_BUDGET, MIN_POINTS_PER_RUN = 4_000, 160
"""Points of one chart, shared by its runs, and of one run: all of them are painted again at every change, and
4,000 are what a browser paints while a hand moves the slider; 160 still show a run's shape."""
MAX_LABELED_RUNS = 8
"""Up to this many runs have end labels and marked points: there are as many colors."""
MAX_MARKED_POINTS = 60
"""Markers of a line with more points would touch each other."""
MAX_DASHED_POINTS = 120
"""Among more than MAX_LABELED_RUNS, dashes of a raw trace with more points cannot be seen: it is solid."""
HEIGHT = 370
"""Pixels between top and bottom of a chart's plot at its usual size, from static/metrics/compare."""
LABEL_GAP = 15
"""Pixels between two end labels: closer than on Monitor, since there are up to eight."""
LABEL_SHARE = 0.3
"""Share of the x axis, at its right end, that a run's label covers: from there on it needs the margin."""
MARKER_ROOM = 24
"""Pixels of margin beside those of Monitor's labels: names of runs are longer than "Validation"."""


@dataclass(frozen=True, slots=True)
class RunCurve:
    """One run with its points; `key` names its traces, `ranked` says whether its loss can be compared."""

    key: str
    name: str
    short: str
    style: RunStyle
    ruler: Ruler
    points: Points
    hidden: bool = False
    baseline: bool = False
    ranked: bool = True

    @property
    def last_index(self) -> int | None:
        finite = np.flatnonzero(np.isfinite(self.points.values))
        return int(finite[-1]) if len(finite) else None


@dataclass(frozen=True, slots=True)
class SharedRuler:
    """The x axis of several runs: from the first start to the last planned end."""

    rulers: Sequence[Ruler]

    @property
    def axis(self) -> Axis:
        return self.rulers[0].axis

    @property
    def unit(self) -> tuple[int, str]:
        return self.rulers[0].unit

    @property
    def start(self) -> float:
        return min(ruler.start for ruler in self.rulers)

    def last_wall(self) -> float:
        return max(ruler.last_wall() for ruler in self.rulers)

    def x_range(self) -> tuple[float, float]:
        reaches = [ruler.x_range() for ruler in self.rulers]
        return min(low for low, _high in reaches), max(high for _low, high in reaches)


def build_rulers(axis: Axis, runs: Sequence[tuple[Run, Points]], offset: float) -> list[Ruler]:
    """Return a ruler for each run; all count elapsed time in the unit of the longest run."""
    found = [Ruler(axis, run, clock, offset) for run, clock in runs]
    if not any(ruler.is_timed for ruler in found):
        return found
    span = max(ruler.last_wall() - ruler.start for ruler in found)
    return [replace(ruler, shared=choose_unit(span)) for ruler in found]


def build_metric_figure(metric: Metric, curves: Sequence[RunCurve], view: CompareQuery) -> Json:
    """Return the chart of at least one run; runs without a point of this metric have no trace."""
    controls = view.controls
    drawn = [curve for curve in curves if len(curve.points)]
    shared = SharedRuler([curve.ruler for curve in drawn or curves])
    layout = theme.build_layout(shared) | {"hovermode": False, "annotations": []}
    values = [curve.points.values for curve in drawn]
    layout["yaxis"] |= build_y_axis(metric, values, controls)
    each = points_per_trace(len(drawn))
    few = len(drawn) <= MAX_LABELED_RUNS
    data = [trace for curve in drawn for trace in build_traces(metric, curve, controls, view.zoom, each, few)]
    if "range" in layout["yaxis"]:
        low, high = layout["yaxis"]["range"]
        axis = YAxis(low, high, layout["yaxis"].get("type") == "log", HEIGHT)
        if metric == Metric.EVAL_LOSS:
            data += mark_best(drawn, layout, shared.x_range(), axis)
        if few:
            smoothing = controls.smoothing if is_smoothed(metric, controls) else 0.0
            label_ends(metric, drawn, layout, smoothing, shared.x_range(), axis)
    return plotly_figures.build_figure(data, layout) | {
        "outside": describe_clipped_points(metric, values, layout["yaxis"]),
        "points": sum(len(curve.points) for curve in drawn),
        "dashes": {curve.key: "solid" if curve.baseline else curve.style.plotly_dash for curve in drawn},
    }


def points_per_trace(runs: int) -> int:
    """Return how many points each trace may have."""
    return max(MIN_POINTS_PER_RUN, min(MAX_POINTS, POINT_BUDGET // max(1, runs)))


def is_smoothed(metric: Metric, controls: Controls) -> bool:
    """Whether the metric is smoothed: validation never is, since an average of few values misleads."""
    return metric.is_training and controls.smoothing > 0


def build_traces(
    metric: Metric, curve: RunCurve, controls: Controls, zoom: Zoom | None, each: int, few: bool
) -> Iterator[Json]:
    kept, places, values = thin_curve(curve, zoom, each)
    marked = few and not metric.is_training and len(kept) <= MAX_MARKED_POINTS
    dashed = few or len(kept) <= MAX_DASHED_POINTS or is_smoothed(metric, controls)
    if is_smoothed(metric, controls):
        yield build_raw_trace(curve, places, values)
        values = smooth(curve.points.values, controls.smoothing)[kept]
    found = build_line_trace(curve, places, values, marked=marked, dashed=dashed)
    yield found | ({"customdata": encode_typed_array(kept)} if metric.is_training else {})


def build_smoothed_lines(curves: Sequence[RunCurve], view: CompareQuery) -> dict[str, Json]:
    """Return, by key, only the y of the lines that `build_metric_figure` draws of the same runs."""
    drawn, weight = [curve for curve in curves if len(curve.points)], view.controls.smoothing
    kept = [thin_curve(curve, view.zoom, points_per_trace(len(drawn)))[0] for curve in drawn]
    return {
        curve.key: encode_numbers(smooth(curve.points.values, weight)[places])
        for curve, places in zip(drawn, kept, strict=True)
    }


def thin_curve(curve: RunCurve, zoom: Zoom | None, each: int) -> tuple[Any, Any, Numbers]:
    """Return the indices of the points to draw, their x, and their values."""
    places, values = curve.ruler.x_of_points(curve.points), curve.points.values
    kept = select_indices(places, values, zoom, each)
    return kept, places[kept], values[kept]


def select_indices(places: Any, values: Numbers, zoom: Zoom | None, each: int) -> Any:
    """Return the indices of the points to draw, of all or of those in `zoom` and one more on either side."""
    first, last = 0, len(places)
    if zoom:
        first = max(0, int(np.searchsorted(places, zoom[0])) - 1)
        last = min(len(places), int(np.searchsorted(places, zoom[1], side="right")) + 1)
    return downsample_points(np.arange(first, last), values[first:last], each) + first


def build_raw_trace(curve: RunCurve, x: Any, y: Numbers) -> Json:
    return _trace(curve, x, y, 1) | {"mode": "lines", "opacity": 0.25, "meta": "raw"}


def build_line_trace(curve: RunCurve, x: Any, y: Numbers, *, marked: bool, dashed: bool) -> Json:
    found = _trace(curve, x, y, 3.0 if curve.baseline else 2.0)
    found["line"]["dash"] = "solid" if curve.baseline or not dashed else curve.style.plotly_dash
    if marked:
        outline = {"color": curve.style.color, "width": 1.5}
        found |= {
            "marker": {"symbol": curve.style.plotly_marker, "size": 6, "line": outline},
            "cliponaxis": False,
        }
    return found | {"mode": "lines+markers" if marked else "lines"}


def _trace(curve: RunCurve, x: Any, y: Numbers, width: float) -> Json:
    return {
        "type": "scatter",
        "x": encode_typed_array(x),
        "y": encode_numbers(y),
        "name": curve.name,
        "legendgroup": curve.key,
        "visible": not curve.hidden,
        "line": {"color": curve.style.color, "width": width, "simplify": False},
    }


# ---- what is written on the chart ----


def mark_best(
    curves: Sequence[RunCurve], layout: Json, x_range: tuple[float, float], axis: YAxis
) -> list[Json]:
    """Label the lowest loss of at least two runs whose losses compare, and return its star."""
    ranked = [curve for curve in curves if curve.ranked and not curve.hidden]
    found = [(curve, index) for curve in ranked if (index := find_best_index(curve.points)) is not None]
    if len(found) < 2:
        return []
    curve, index = min(found, key=lambda one: float(one[0].points.values[one[1]]))
    x, value = float(curve.ruler.x_of_points(curve.points)[index]), float(curve.points.values[index])
    words = f"{escape_text(curve.short)} · {format_best(curve.points, index)}"
    layout["annotations"].append(build_best_label(curve.key, x, value, words, x_range, axis))
    return [build_star(x, value, curve.key)]


def label_ends(
    metric: Metric,
    curves: Sequence[RunCurve],
    layout: Json,
    smoothing: float,
    x_range: tuple[float, float],
    axis: YAxis,
) -> None:
    """Write name and last value at the end of each line; a margin makes room if lines end near the edge."""
    form = ".1%" if metric.is_accuracy else ".3f" if metric.is_loss else ",.0f"
    ends = []
    for curve in curves:
        if curve.last_index is not None and not curve.hidden:
            value = float(smooth(curve.points.values, smoothing)[curve.last_index])
            x = float(curve.ruler.x_of_points(curve.points)[curve.last_index])
            words = f"{escape_text(curve.short)} {value:{form}}"
            ends.append(LineEnd(curve.key, x, value, words, f"chart-{curve.style.color_number}"))
    layout["annotations"] += build_end_labels(ends, axis, LABEL_GAP)
    first, last = x_range
    if any(last - LABEL_SHARE * (last - first) < end.x <= last for end in ends):
        layout["margin"]["r"] = theme.END_LABEL_ROOM + MARKER_ROOM
