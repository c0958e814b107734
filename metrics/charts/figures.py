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
from metrics.charts.axes import Ruler, apart, log_ticks, loss_range
from metrics.charts.controls import Controls, Scale
from metrics.charts.downsample import smooth, thin
from metrics.point_store import NONE, Numbers, Points
from metrics.run import Run, step_of
from metrics.summary import EVAL_LOSS, TRAIN_LOSS, best

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
    draw: Callable[[Pair, Controls], go.Figure]
    number: str


@dataclass(frozen=True, slots=True)
class Pair:
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
    ruler = Ruler(controls.axis, run, _clock(series), offset)
    return {name: plain(chart.draw(_pair(chart, series, ruler), controls)) for name, chart in CHARTS.items()}


def plain(figure: go.Figure) -> dict[str, Any]:
    """Without Plotly's own template, whose look is not ours."""
    said: dict[str, Any] = figure.to_dict()
    said["layout"].pop("template", None)
    return said


def _clock(series: Mapping[str, Points]) -> Points:
    """The longest series: it tells when each step happened."""
    return max(series.values(), key=len, default=NONE)


def _pair(chart: Chart, series: Mapping[str, Points], ruler: Ruler) -> Pair:
    return Pair(series.get(chart.train, NONE), series.get(chart.evaluation, NONE), ruler, chart.number)


def loss(pair: Pair, controls: Controls) -> go.Figure:
    log = controls.scale == Scale.LOG
    reach = loss_range(pair.train.values, pair.evaluation.values, clip=controls.clip, log=log)
    figure = _curves(pair, controls)
    figure.update_yaxes(range=reach, **_loss_axis(reach, log))
    figure.update_layout(margin={"t": 22})
    for checkpoint in pair.run.checkpoints:
        place, default = pair.ruler.place(step_of(checkpoint)), pair.run.is_default(checkpoint)
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


def accuracy(pair: Pair, controls: Controls) -> go.Figure:
    figure = _curves(pair, controls)
    figure.update_yaxes(range=[0, 1.03], tickformat=".0%")
    return figure


def predictions(pair: Pair, controls: Controls) -> go.Figure:
    """Training only: one evaluation predicts many times the tokens of one step, and is in the table."""
    figure = _frame(pair)
    if len(pair.train):
        figure.add_trace(_trace(pair, pair.train, pair.train.values, theme.bars(), _("Train"), "train"))
    finite = pair.train.values[np.isfinite(pair.train.values)]
    figure.update_yaxes(range=[0, float(finite.max()) * 1.1 if len(finite) else 1], tickformat="~s")
    return figure


CHARTS = {
    "loss": Chart(TRAIN_LOSS, EVAL_LOSS, loss, ".3f"),
    "accuracy": Chart(
        "/train_fraction_of_correct_next_step_preds",
        "/eval_fraction_of_correct_next_step_preds",
        accuracy,
        ".1%",
    ),
    "predictions": Chart("/train_num_predictions", "/eval_num_predictions", predictions, ",d"),
}


def _frame(pair: Pair) -> go.Figure:
    import plotly.graph_objects as go

    layout = theme.layout(pair.ruler)
    layout["shapes"] = [
        theme.checkpoint_line(pair.ruler.place(step_of(checkpoint))) for checkpoint in pair.run.checkpoints
    ]
    figure = go.Figure(layout=layout)
    figure.update_yaxes(hoverformat=pair.number)
    return figure


def _curves(pair: Pair, controls: Controls) -> go.Figure:
    """Training smoothed over its raw points; validation as it is."""
    figure = _frame(pair)
    train, evaluation = pair.train, pair.evaluation
    values = smooth(train.values, controls.smoothing)
    if len(train) and controls.smoothing:
        figure.add_trace(_trace(pair, train, train.values, theme.raw(), _("Train, raw"), "train"))
    if len(train):
        figure.add_trace(_trace(pair, train, values, theme.train(), _("Train"), "train"))
    if len(evaluation):
        look = theme.evaluation()
        figure.add_trace(_trace(pair, evaluation, evaluation.values, look, _("Validation"), "eval"))
    return figure


def _trace(
    pair: Pair, points: Points, values: Numbers, look: dict[str, Any], name: str, group: str
) -> go.Scatter:
    """Thinned by the raw points, so that a smoothed line and its raw points share their x; a value that is
    not finite becomes NaN, where Plotly breaks the line."""
    import plotly.graph_objects as go

    kept = thin(points.steps, points.values)
    shown = values[kept]
    return go.Scatter(
        x=pair.ruler.places(points)[kept],
        y=np.where(np.isfinite(shown), shown, np.nan),
        name=name,
        legendgroup=group,
        hovertemplate=f"%{{y:{pair.number}}}<extra>{name}</extra>",
        **look,
    )


def _label_ends(
    figure: go.Figure, pair: Pair, controls: Controls, reach: tuple[float, float], log: bool
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
            ends.append((float(pair.ruler.places(points)[finite[-1]]), value, token, name))
    if not ends:
        return
    right = max(x for x, *_rest in ends)
    heights = [_pixels(value, reach, log) for _x, value, *_rest in ends]
    for (_x, value, token, name), shift in zip(ends, apart(heights, LABEL_GAP), strict=True):
        height = min(max(_height(value, log), reach[0]), reach[1])
        figure.add_annotation(theme.end_label(right, height, f"{name} {value:.3f}", token, shift))
    first, last = pair.ruler.range()
    if right > first + 0.84 * (last - first):
        figure.update_layout(margin={"r": theme.ROOM})


def _height(value: float, log: bool) -> float:
    """The y of an annotation, which Plotly takes as a logarithm on a logarithmic axis."""
    return float(np.log10(value)) if log and value > 0 else value


def _pixels(value: float, reach: tuple[float, float], log: bool) -> float:
    return (_height(value, log) - reach[0]) / (reach[1] - reach[0]) * HEIGHT


def _mark_best(figure: go.Figure, pair: Pair, reach: tuple[float, float], log: bool) -> None:
    import plotly.graph_objects as go

    index = best(pair.evaluation)
    if index is None:
        return
    x, value = float(pair.ruler.places(pair.evaluation)[index]), float(pair.evaluation.values[index])
    figure.add_trace(go.Scatter(x=[x], y=[value], **theme.star()))
    first, last = pair.ruler.range()
    text = best_words(pair, index)
    at = (x - first) / (last - first), _pixels(value, reach, log) / HEIGHT
    figure.add_annotation(theme.best_label(x, _height(value, log), text, at))


def best_words(pair: Pair, index: int) -> str:
    step, value = int(pair.evaluation.steps[index]), float(pair.evaluation.values[index])
    words = _("best %(value)s · step %(step)s") % {"value": f"{value:.3f}", "step": f"{step:,}"}
    epoch = pair.run.epoch_of(step)
    return words if epoch is None else words + _(" · epoch %(epoch)s") % {"epoch": f"{epoch:.2f}"}
