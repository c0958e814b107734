"""Stored points -> Plotly figures. Functions of plain data: no ORM, no request, no clock.

Colours are the design's tokens, `var(--train)`; the page resolves them when it draws, so both themes follow.
A trace's `legendgroup` is what the page's own legend shows and hides. Plotly is imported at the first figure:
a process that draws none does not pay for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from django.utils.translation import gettext as _

from metrics.charts import theme
from metrics.charts.axes import Ruler, compute_label_shifts, log_ticks, loss_range
from metrics.charts.controls import Controls, Scale
from metrics.charts.downsample import downsample_points, smooth
from metrics.metric_names import EVAL_LOSS, TRAIN_LOSS
from metrics.point_store import NO_POINTS, Numbers, Points
from metrics.run import Run, step_of
from metrics.summary import find_best_index

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT = 316
"""Pixels between top and bottom of the loss chart's plot, by which its end labels are kept apart."""
LABEL_GAP = 17


@dataclass(frozen=True, slots=True)
class Chart:
    """One panel: its two series, and how its numbers are written."""

    train: str
    evaluation: str
    draw: Callable[[SeriesPair, Controls], go.Figure]
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


def figures(
    series: Mapping[str, Points], run: Run, controls: Controls, offset: float = 0.0
) -> dict[str, dict[str, Any]]:
    """By chart name, what Plotly draws: {data, layout}, number arrays as base64 typed arrays."""
    ruler = Ruler(controls.axis, run, _find_longest_series(series), offset)
    return {
        name: to_plain_dict(chart.draw(_pair(chart, series, ruler), controls))
        for name, chart in CHARTS.items()
    }


def to_plain_dict(figure: go.Figure) -> dict[str, Any]:
    """Without Plotly's own template, whose look is not ours."""
    said: dict[str, Any] = figure.to_dict()
    said["layout"].pop("template", None)
    return said


def _find_longest_series(series: Mapping[str, Points]) -> Points:
    """The longest series: it tells when each step happened."""
    return max(series.values(), key=len, default=NO_POINTS)


def _pair(chart: Chart, series: Mapping[str, Points], ruler: Ruler) -> SeriesPair:
    return SeriesPair(
        series.get(chart.train, NO_POINTS), series.get(chart.evaluation, NO_POINTS), ruler, chart.number
    )


def draw_loss(pair: SeriesPair, controls: Controls) -> go.Figure:
    log = controls.scale == Scale.LOG
    reach = loss_range(pair.train.values, pair.evaluation.values, clip=controls.clip, log=log)
    figure = _draw_curves(pair, controls)
    figure.update_yaxes(range=reach, **_loss_axis(reach, log))
    figure.update_layout(margin={"t": 22})
    for checkpoint in pair.run.checkpoints:
        place, default = pair.ruler.x_of_step(step_of(checkpoint)), pair.run.is_default(checkpoint)
        figure.add_annotation(theme.checkpoint_label(place, checkpoint.id, default))
    if reach:
        _label_ends(figure, pair, controls, reach, log)
        _mark_best(figure, pair, reach, log)
    return figure


def _loss_axis(reach: tuple[float, float] | None, log: bool) -> dict[str, Any]:
    """Ticks with as many decimals as neighbours need to differ; Plotly's own on a logarithmic axis are bare
    digits in the midst of a decade."""
    if reach is None:
        return {}
    if log:
        ticks = log_ticks(*reach)
        words = [f"{tick:g}" for tick in ticks]
        return {"type": "log", "tickmode": "array", "tickvals": ticks, "ticktext": words}
    decimals = max(1, 1 - math.floor(math.log10((reach[1] - reach[0]) * 2)))
    return {"tickformat": f".{decimals}f"}


def draw_accuracy(pair: SeriesPair, controls: Controls) -> go.Figure:
    figure = _draw_curves(pair, controls)
    figure.update_yaxes(range=[0, 1.03], tickformat=".0%")
    return figure


def draw_predictions(pair: SeriesPair, controls: Controls) -> go.Figure:
    """Training only: one evaluation predicts many times the tokens of one step, and is in the table."""
    figure = _start_figure(pair)
    if len(pair.train):
        figure.add_trace(_trace(pair, pair.train, pair.train.values, theme.bar_style(), _("Train"), "train"))
    finite = pair.train.values[np.isfinite(pair.train.values)]
    figure.update_yaxes(range=[0, float(finite.max()) * 1.1 if len(finite) else 1], tickformat="~s")
    return figure


CHARTS = {
    "loss": Chart(TRAIN_LOSS, EVAL_LOSS, draw_loss, ".3f"),
    "accuracy": Chart(
        "/train_fraction_of_correct_next_step_preds",
        "/eval_fraction_of_correct_next_step_preds",
        draw_accuracy,
        ".1%",
    ),
    "predictions": Chart("/train_num_predictions", "/eval_num_predictions", draw_predictions, ",d"),
}


def _start_figure(pair: SeriesPair) -> go.Figure:
    import plotly.graph_objects as go

    layout = theme.layout(pair.ruler)
    layout["shapes"] = [
        theme.checkpoint_line(pair.ruler.x_of_step(step_of(checkpoint)))
        for checkpoint in pair.run.checkpoints
    ]
    figure = go.Figure(layout=layout)
    figure.update_yaxes(hoverformat=pair.number)
    return figure


def _draw_curves(pair: SeriesPair, controls: Controls) -> go.Figure:
    """Training smoothed over its raw points; validation as it is."""
    figure = _start_figure(pair)
    train, evaluation = pair.train, pair.evaluation
    values = smooth(train.values, controls.smoothing)
    if len(train) and controls.smoothing:
        figure.add_trace(_trace(pair, train, train.values, theme.raw_style(), _("Train (raw)"), "train"))
    if len(train):
        figure.add_trace(_trace(pair, train, values, theme.train_style(), _("Train"), "train"))
    if len(evaluation):
        look = theme.evaluation_style()
        figure.add_trace(_trace(pair, evaluation, evaluation.values, look, _("Validation"), "eval"))
    return figure


def _trace(
    pair: SeriesPair, points: Points, values: Numbers, look: dict[str, Any], name: str, group: str
) -> go.Scatter:
    """Thinned by the raw points, so that a smoothed line and its raw points share their x; a value that is
    not finite becomes NaN, where Plotly breaks the line."""
    import plotly.graph_objects as go

    kept = downsample_points(points.steps, points.values)
    shown = values[kept]
    return go.Scatter(
        x=pair.ruler.x_of_points(points)[kept],
        y=np.where(np.isfinite(shown), shown, np.nan),
        name=name,
        legendgroup=group,
        hovertemplate=f"%{{y:{pair.number}}}<extra>{name}</extra>",
        **look,
    )


def _label_ends(
    figure: go.Figure, pair: SeriesPair, controls: Controls, reach: tuple[float, float], log: bool
) -> None:
    """The last values, at the end of their lines; the margin makes room once the lines reach the edge."""
    ends = []
    for points, token, name, weight in (
        (pair.train, "train", _("Train"), controls.smoothing),
        (pair.evaluation, "eval", _("Validation"), 0.0),
    ):
        finite = np.flatnonzero(np.isfinite(points.values))
        if len(finite):
            value = float(smooth(points.values, weight)[finite[-1]])
            ends.append((float(pair.ruler.x_of_points(points)[finite[-1]]), value, token, name))
    if not ends:
        return
    right = max(x for x, *_rest in ends)
    heights = [_to_pixels(value, reach, log) for _x, value, *_rest in ends]
    for (_x, value, token, name), shift in zip(ends, compute_label_shifts(heights, LABEL_GAP), strict=True):
        height = min(max(_to_axis_value(value, log), reach[0]), reach[1])
        figure.add_annotation(theme.end_label(right, height, f"{name} {value:.3f}", token, shift))
    first, last = pair.ruler.x_range()
    if right > first + 0.84 * (last - first):
        figure.update_layout(margin={"r": theme.END_LABEL_ROOM})


def _to_axis_value(value: float, log: bool) -> float:
    """The y of an annotation, which Plotly takes as a logarithm on a logarithmic axis."""
    return float(np.log10(value)) if log and value > 0 else value


def _to_pixels(value: float, reach: tuple[float, float], log: bool) -> float:
    return (_to_axis_value(value, log) - reach[0]) / (reach[1] - reach[0]) * HEIGHT


def _mark_best(figure: go.Figure, pair: SeriesPair, reach: tuple[float, float], log: bool) -> None:
    import plotly.graph_objects as go

    index = find_best_index(pair.evaluation)
    if index is None:
        return
    x, value = float(pair.ruler.x_of_points(pair.evaluation)[index]), float(pair.evaluation.values[index])
    figure.add_trace(go.Scatter(x=[x], y=[value], **theme.star_style()))
    first, last = pair.ruler.x_range()
    text = format_best(pair, index)
    at = (x - first) / (last - first), _to_pixels(value, reach, log) / HEIGHT
    figure.add_annotation(theme.best_label(x, _to_axis_value(value, log), text, at))


def format_best(pair: SeriesPair, index: int) -> str:
    step, value = int(pair.evaluation.steps[index]), float(pair.evaluation.values[index])
    words = _("best %(value)s · step %(step)s") % {"value": f"{value:.3f}", "step": f"{step:,}"}
    epoch = pair.run.epoch_of(step)
    return words if epoch is None else words + _(" · epoch %(epoch)s") % {"epoch": f"{epoch:.2f}"}
