"""The curves of many runs on one chart -> a Plotly figure. Functions of plain data.

Figures are plain dicts in Plotly's own words: its Python objects check each trace for a millisecond, and a
chart here has up to a hundred. The tests put every figure through them.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from metrics.charts import theme
from metrics.charts.axes import Ruler, choose_unit, compute_label_shifts
from metrics.charts.controls import Axis, Controls, Scale
from metrics.charts.downsample import MAX_POINTS, downsample_points, smooth
from metrics.compare.charts.run_style import RunStyle
from metrics.compare.charts.y_range import Json, build_y_axis, describe_clipped_points
from metrics.compare.query import CompareQuery, Zoom
from metrics.metric_names import Metric
from metrics.point_store import Numbers, Points
from metrics.run import Run
from metrics.summary import find_best_index

POINT_BUDGET, MIN_POINTS_PER_RUN = 4_000, 160
"""Points of one chart, shared by its runs, and of one run: what noise covers is painted at every change."""
MAX_LABELED_RUNS = 8
"""Up to so many runs, each one's last value is written at the end of its line, and its points are marked."""
MAX_MARKED_POINTS = 60
MAX_DASHED_POINTS = 120
"""Points of a raw trace up to which dashes can be seen among more than FEW runs; denser noise is solid."""
HEIGHT = 370
LABEL_GAP = 15
LABEL_SHARE = 0.3
"""Of the axis: what the label at the end of a line takes of it."""


@dataclass(frozen=True, slots=True)
class RunCurve:
    """One run with its points: `key` names its traces, `ranked` says whether its losses compare."""

    key: str
    name: str
    short: str
    look: RunStyle
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


def rulers(axis: Axis, runs: Sequence[tuple[Run, Points]], offset: float) -> list[Ruler]:
    """One for each run; elapsed time is counted in the unit of the longest."""
    found = [Ruler(axis, run, clock, offset) for run, clock in runs]
    if not any(ruler.is_timed for ruler in found):
        return found
    span = max(ruler.last_wall() - ruler.start for ruler in found)
    return [replace(ruler, shared=choose_unit(span)) for ruler in found]


def figure(metric: Metric, curves: Sequence[RunCurve], view: CompareQuery) -> Json:
    """`curves` has at least one; runs without a point of this metric have no trace."""
    controls = view.controls
    drawn = [curve for curve in curves if len(curve.points)]
    shared = SharedRuler([curve.ruler for curve in drawn or curves])
    layout = theme.layout(shared) | {"hovermode": False}
    values = [curve.points.values for curve in drawn]
    layout["yaxis"] |= build_y_axis(metric, values, controls)
    each = points_per_trace(len(drawn))
    few = len(drawn) <= MAX_LABELED_RUNS
    data = [trace for curve in drawn for trace in traces(metric, curve, controls, view.zoom, each, few)]
    layout["annotations"] = []
    reach = layout["yaxis"].get("range")
    if metric == Metric.EVAL_LOSS and reach:
        data += mark_best(drawn, layout, controls.scale == Scale.LOG)
    if few and reach:
        label_ends(metric, drawn, layout, controls)
    return {
        "data": data,
        "layout": layout,
        "outside": describe_clipped_points(metric, values, layout["yaxis"]),
        "points": sum(len(curve.points) for curve in drawn),
        "dashes": {curve.key: "solid" if curve.baseline else curve.look.plotly_dash for curve in drawn},
    }


def points_per_trace(runs: int) -> int:
    """Points of one trace."""
    return max(MIN_POINTS_PER_RUN, min(MAX_POINTS, POINT_BUDGET // max(1, runs)))


def is_smoothed(metric: Metric, controls: Controls) -> bool:
    """Validation is drawn as it was measured: it is sparse, and an average of few values misleads."""
    return metric.is_training and controls.smoothing > 0


def traces(
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


def smoothed_lines(curves: Sequence[RunCurve], view: CompareQuery) -> dict[str, Json]:
    """By key, the y of the lines that `figure` draws of the same runs, and nothing else of it."""
    drawn, weight = [curve for curve in curves if len(curve.points)], view.controls.smoothing
    kept = [thin_curve(curve, view.zoom, points_per_trace(len(drawn)))[0] for curve in drawn]
    return {
        curve.key: encode_numbers(smooth(curve.points.values, weight)[places])
        for curve, places in zip(drawn, kept, strict=True)
    }


def thin_curve(curve: RunCurve, zoom: Zoom | None, each: int) -> tuple[Any, Any, Numbers]:
    """The indices of the points to draw, their x, and their values."""
    places, values = curve.ruler.x_of_points(curve.points), curve.points.values
    kept = select_indices(places, values, zoom, each)
    return kept, places[kept], values[kept]


def select_indices(places: Any, values: Numbers, zoom: Zoom | None, each: int) -> Any:
    """Indices of the points to draw: of what is zoomed into and one more on either side, or else of all."""
    first, last = 0, len(places)
    if zoom:
        first = max(0, int(np.searchsorted(places, zoom[0])) - 1)
        last = min(len(places), int(np.searchsorted(places, zoom[1], side="right")) + 1)
    return downsample_points(np.arange(first, last), values[first:last], each) + first


def build_raw_trace(curve: RunCurve, x: Any, y: Numbers) -> Json:
    return _trace(curve, x, y, 1) | {"mode": "lines", "opacity": 0.25, "meta": "raw"}


def build_line_trace(curve: RunCurve, x: Any, y: Numbers, *, marked: bool, dashed: bool) -> Json:
    found = _trace(curve, x, y, 3.0 if curve.baseline else 2.0)
    found["line"]["dash"] = "solid" if curve.baseline or not dashed else curve.look.plotly_dash
    if marked:
        outline = {"color": curve.look.colour, "width": 1.5}
        found |= {
            "marker": {"symbol": curve.look.plotly_marker, "size": 6, "line": outline},
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
        "line": {"color": curve.look.colour, "width": width, "simplify": False},
    }


def encode_numbers(values: Numbers) -> Json:
    """What is not finite breaks the line."""
    return encode_typed_array(np.where(np.isfinite(values), values, np.nan))


def encode_typed_array(array: Any) -> Json:
    """Plotly's typed array: its kind and its bytes, whole numbers in as few as they need."""
    if array.dtype.kind == "i":
        most = int(array.max(initial=0))
        array = array.astype("<u2" if most < 1 << 16 else "<u4" if most < 1 << 32 else "<f8")
    kind = array.dtype.str[1:] if array.dtype.str[1:] in ("u2", "u4", "f4") else "f8"
    return {"dtype": kind, "bdata": base64.b64encode(array.tobytes()).decode()}


# ---- what is written on the chart ----


def mark_best(curves: Sequence[RunCurve], layout: Json, log: bool) -> list[Json]:
    """The lowest value of the runs whose losses compare, where there are at least two of them."""
    ranked = [curve for curve in curves if curve.ranked and not curve.hidden]
    found = [(curve, index) for curve in ranked if (index := find_best_index(curve.points)) is not None]
    if len(found) < 2:
        return []
    curve, index = min(found, key=lambda one: float(one[0].points.values[one[1]]))
    x = float(curve.ruler.x_of_points(curve.points)[index])
    value = float(curve.points.values[index])
    words = _("best %(value)s · step %(step)s") % {
        "value": f"{value:.3f}",
        "step": f"{int(curve.points.steps[index]):,}",
    }
    (first, last), reach = layout["xaxis"]["range"], layout["yaxis"]["range"]
    y = math.log10(value) if log and value > 0 else value
    at = (x - first) / (last - first), (y - reach[0]) / (reach[1] - reach[0])
    layout["annotations"].append(
        theme.best_label(x, y, f"{theme.escape_text(curve.short)} · {words}", at)
        | {"name": f"best-{curve.key}"}
    )
    mark = theme.star_style() | {"legendgroup": curve.key, "type": "scatter", "meta": "star"}
    return [{"x": [x], "y": [value], **mark}]


def label_ends(metric: Metric, curves: Sequence[RunCurve], layout: Json, controls: Controls) -> None:
    """Name and last value at the end of each line, kept apart; a margin where lines end too near the edge."""
    (first, last), (low, high) = layout["xaxis"]["range"], layout["yaxis"]["range"]
    log = controls.scale == Scale.LOG
    ends = []
    for curve in curves:
        if curve.last_index is not None and not curve.hidden:
            values = curve.points.values
            value = float(
                (smooth(values, controls.smoothing) if is_smoothed(metric, controls) else values)[
                    curve.last_index
                ]
            )
            y = math.log10(value) if log and value > 0 else value
            ends.append((curve, value, min(max(y, low), high)))
    shifts = compute_label_shifts(
        [(y - low) / (high - low) * HEIGHT for _curve, _value, y in ends], LABEL_GAP
    )
    form = ".1%" if metric.endswith("preds") else ",.0f" if metric.endswith("predictions") else ".3f"
    for (curve, value, y), shift in zip(ends, shifts, strict=True):
        x = float(curve.ruler.x_of_points(curve.points)[curve.last_index or 0])
        words = f"{theme.escape_text(curve.short)} {value:{form}}"
        label = theme.end_label(x, y, words, f"chart-{curve.look.color_number}", shift)
        layout["annotations"].append(label | {"name": f"end-{curve.key}"})
        if last - LABEL_SHARE * (last - first) < x <= last:
            layout["margin"] |= {"r": theme.END_LABEL_ROOM + 24}
