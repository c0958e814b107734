"""Monitor's charts: stored points -> Plotly figures. Functions of plain data: no ORM, no request, no clock.

A trace's `legendgroup` is what the page's own legend shows and hides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from metrics.charts import theme
from metrics.charts.axes import Ruler, build_loss_axis, loss_range
from metrics.charts.controls import Controls, Scale
from metrics.charts.downsample import downsample_points, smooth
from metrics.charts.marks import LineEnd, YAxis, build_best_label, build_end_labels, build_star, format_best
from metrics.metric_names import (
    EVAL_ACCURACY,
    EVAL_LOSS,
    EVAL_TOKENS,
    TRAIN_ACCURACY,
    TRAIN_LOSS,
    TRAIN_TOKENS,
)
from metrics.point_store import NO_POINTS, Numbers, Points
from metrics.run import Run, step_of
from metrics.summary import find_best_index
from studio import plotly_figures
from studio.plotly_figures import Json, encode_numbers, encode_typed_array

HEIGHT = 316
"""Pixels between top and bottom of the loss chart's plot at its usual size, from static/metrics/monitor."""
LABEL_GAP = 17
"""Pixels between two end labels: their 11 pixel font with its line spacing."""
LABEL_SHARE = 0.16
"""Share of the x axis, at its right end, from which on a line's label needs room in the margin."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One panel: its two series, and how its numbers are written."""

    train: str
    evaluation: str
    draw: Callable[[SeriesPair, Controls], Json]
    number: str


@dataclass(frozen=True, slots=True)
class SeriesPair:
    """The two series of one chart with the ruler that both share."""

    train: Points
    evaluation: Points
    ruler: Ruler
    number: str

    @property
    def run(self) -> Run:
        return self.ruler.run


def build_figures(
    series: Mapping[str, Points], run: Run, controls: Controls, offset: float = 0.0
) -> dict[str, Json]:
    """By chart name, what Plotly draws: {data, layout}, number arrays as base64 typed arrays."""
    ruler = Ruler(controls.axis, run, _find_longest_series(series), offset)
    return {name: chart.draw(_pair(chart, series, ruler), controls) for name, chart in CHARTS.items()}


def _find_longest_series(series: Mapping[str, Points]) -> Points:
    """The series with the most points says when each step happened."""
    return max(series.values(), key=len, default=NO_POINTS)


def _pair(chart: Chart, series: Mapping[str, Points], ruler: Ruler) -> SeriesPair:
    return SeriesPair(
        series.get(chart.train, NO_POINTS), series.get(chart.evaluation, NO_POINTS), ruler, chart.number
    )


def draw_loss(pair: SeriesPair, controls: Controls) -> Json:
    log = controls.scale == Scale.LOG
    reach = loss_range(pair.train.values, pair.evaluation.values, clip=controls.clip, log=log)
    layout = _build_layout(pair)
    layout["margin"]["t"] = 22
    layout["annotations"] = [
        theme.checkpoint_label(
            pair.ruler.x_of_step(step_of(checkpoint)), checkpoint.id, pair.run.is_default(checkpoint)
        )
        for checkpoint in pair.run.checkpoints
    ]
    traces = _build_curves(pair, controls)
    if reach:
        layout["yaxis"] |= build_loss_axis(reach, log)
        axis = YAxis(*reach, log, HEIGHT)
        _label_ends(layout, pair, controls, axis)
        traces += _mark_best(layout, pair, axis)
    return plotly_figures.build_figure(traces, layout)


def draw_accuracy(pair: SeriesPair, controls: Controls) -> Json:
    layout = _build_layout(pair)
    layout["yaxis"] |= {"range": [0, 1.03], "tickformat": ".0%"}
    return plotly_figures.build_figure(_build_curves(pair, controls), layout)


def draw_predictions(pair: SeriesPair, controls: Controls) -> Json:
    """Training only: one evaluation predicts many times the tokens of one step, and is in the table."""
    layout = _build_layout(pair)
    finite = pair.train.values[np.isfinite(pair.train.values)]
    layout["yaxis"] |= {"range": [0, float(finite.max()) * 1.1 if len(finite) else 1], "tickformat": "~s"}
    bars = _build_trace(pair, pair.train, pair.train.values, theme.bar_style(), _("Train"), "train")
    return plotly_figures.build_figure([bars] if len(pair.train) else [], layout)


CHARTS = {
    "loss": Chart(TRAIN_LOSS, EVAL_LOSS, draw_loss, ".3f"),
    "accuracy": Chart(TRAIN_ACCURACY, EVAL_ACCURACY, draw_accuracy, ".1%"),
    "predictions": Chart(TRAIN_TOKENS, EVAL_TOKENS, draw_predictions, ",d"),
}


def _build_layout(pair: SeriesPair) -> dict[str, Any]:
    layout = theme.build_layout(pair.ruler)
    layout["shapes"] = [
        theme.checkpoint_line(pair.ruler.x_of_step(step_of(checkpoint)))
        for checkpoint in pair.run.checkpoints
    ]
    layout["yaxis"]["hoverformat"] = pair.number
    return layout


def _build_curves(pair: SeriesPair, controls: Controls) -> list[Json]:
    """Training smoothed over its raw points; validation as it was measured."""
    train, evaluation = pair.train, pair.evaluation
    traces = []
    if len(train) and controls.smoothing:
        traces.append(_build_trace(pair, train, train.values, theme.raw_style(), _("Train (raw)"), "train"))
    if len(train):
        values = smooth(train.values, controls.smoothing)
        traces.append(_build_trace(pair, train, values, theme.train_style(), _("Train"), "train"))
    if len(evaluation):
        style = theme.evaluation_style()
        traces.append(_build_trace(pair, evaluation, evaluation.values, style, _("Validation"), "eval"))
    return traces


def _build_trace(
    pair: SeriesPair, points: Points, values: Numbers, style: Json, name: str, group: str
) -> Json:
    """Thinned by the raw points, so that a smoothed line and its raw points share their x."""
    indices = downsample_points(points.steps, points.values)
    return {
        "type": "scatter",
        "x": encode_typed_array(pair.ruler.x_of_points(points)[indices]),
        "y": encode_numbers(values[indices]),
        "name": name,
        "legendgroup": group,
        "hovertemplate": f"%{{y:{pair.number}}}<extra>{name}</extra>",
        **style,
    }


def _label_ends(layout: dict[str, Any], pair: SeriesPair, controls: Controls, axis: YAxis) -> None:
    """Write the last values beside the longer line's end; the margin makes room once it is near the edge."""
    ends = []
    for points, token, name, weight in (
        (pair.train, "train", _("Train"), controls.smoothing),
        (pair.evaluation, "eval", _("Validation"), 0.0),
    ):
        finite = np.flatnonzero(np.isfinite(points.values))
        if len(finite):
            value = float(smooth(points.values, weight)[finite[-1]])
            x = float(pair.ruler.x_of_points(points)[finite[-1]])
            ends.append(LineEnd(token, x, value, f"{name} {value:.3f}", token))
    if not ends:
        return
    right = max(end.x for end in ends)
    aligned = [replace(end, x=right) for end in ends]
    layout["annotations"] += build_end_labels(aligned, axis, LABEL_GAP)
    first, last = pair.ruler.x_range()
    if right > last - LABEL_SHARE * (last - first):
        layout["margin"]["r"] = theme.END_LABEL_ROOM


def _mark_best(layout: dict[str, Any], pair: SeriesPair, axis: YAxis) -> list[Json]:
    """Label the lowest evaluation, and return its star."""
    index = find_best_index(pair.evaluation)
    if index is None:
        return []
    x, value = float(pair.ruler.x_of_points(pair.evaluation)[index]), float(pair.evaluation.values[index])
    words = format_best(pair.evaluation, index)
    epoch = pair.run.epoch_of(int(pair.evaluation.steps[index]))
    if epoch is not None:
        words += _(" · epoch %(epoch)s") % {"epoch": f"{epoch:.2f}"}
    layout["annotations"].append(build_best_label("eval", x, value, words, pair.ruler.x_range(), axis))
    return [build_star(x, value, "eval")]
