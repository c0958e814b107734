"""What Monitor and Compare write on the lines of a chart: labels at their ends, and the star of the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from metrics.charts.axes import compute_label_shifts
from metrics.point_store import Points
from studio.plotly_figures import Json, css_var, font


@dataclass(frozen=True, slots=True)
class YAxis:
    """What a chart shows: from `low` to `high`, logarithms on a logarithmic axis, in `height` pixels."""

    low: float
    high: float
    log: bool
    height: int

    def coordinate(self, value: float) -> float:
        """The y of an annotation, which Plotly takes as a logarithm on a logarithmic axis."""
        return math.log10(value) if self.log and value > 0 else value

    def clamp(self, value: float) -> float:
        """The nearest y that is visible."""
        return min(max(self.coordinate(value), self.low), self.high)

    def share(self, y: float) -> float:
        """0 at the bottom of the plot, 1 at its top."""
        return (y - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class LineEnd:
    """A line's last value, where the line ends; `name` and `token`, its color, are the label's."""

    name: str
    x: float
    value: float
    text: str
    token: str


def build_end_labels(ends: Sequence[LineEnd], axis: YAxis, gap: float) -> list[Json]:
    """Return a label beside each end, at least `gap` pixels apart."""
    places = [axis.clamp(end.value) for end in ends]
    shifts = compute_label_shifts([axis.share(y) * axis.height for y in places], gap)
    return [
        {
            "name": f"end-{end.name}",
            "x": end.x,
            "y": y,
            "xanchor": "left",
            "xshift": 10,
            "yshift": shift,
            "showarrow": False,
            "text": end.text,
            "font": font(11, end.token),
        }
        for end, y, shift in zip(ends, places, shifts, strict=True)
    ]


def format_best(points: Points, index: int) -> str:
    return _("best %(value)s · step %(step)s") % {
        "value": f"{float(points.values[index]):.3f}",
        "step": f"{int(points.steps[index]):,}",
    }


def build_star(x: float, value: float, group: str) -> Json:
    """Return the trace of one point that marks the best evaluation of a line."""
    line = {"color": css_var("bg-raised"), "width": 1.5}
    return {
        "type": "scatter",
        "x": [x],
        "y": [value],
        "mode": "markers",
        "cliponaxis": False,
        "legendgroup": group,
        "meta": "star",
        "hoverinfo": "skip",
        "marker": {"symbol": "star", "size": 15, "color": css_var("star"), "line": line},
    }


def build_best_label(
    name: str, x: float, value: float, text: str, x_range: tuple[float, float], axis: YAxis
) -> Json:
    """Return the star's label, on the side where there is room."""
    y = axis.coordinate(value)
    across, up = (x - x_range[0]) / (x_range[1] - x_range[0]), axis.share(y)
    return {
        "name": f"best-{name}",
        "x": x,
        "y": y,
        "ax": 70 if across < 0.3 else -30 if across < 0.7 else -12,
        "xanchor": "center" if across < 0.7 else "right",
        "ay": -92 if up < 0.55 else 40,
        "text": text,
        "arrowcolor": css_var("line-strong"),
        "arrowwidth": 1,
        "arrowhead": 0,
        "standoff": 9,
        "font": font(11, "text"),
        "bgcolor": css_var("bg-raised"),
        "borderpad": 2,
    }
