"""What the charts over steps look like: the design's section 4 as Plotly attributes."""

from __future__ import annotations

from typing import Protocol

from django.utils.translation import gettext as _

from metrics.charts.controls import Axis
from studio.plotly_figures import Json, css_var, font

END_LABEL_ROOM = 124
"""Pixels that end labels need beside a line that reaches the edge: "トレーニング 0.431" at 11 pixels."""
CLOCK_ONLY_SECONDS = 24 * 3600
"""A clock axis shorter than a day shows hours and minutes; on a longer one the same hour comes again."""


class XScale(Protocol):
    """What the layout needs to know of a ruler, or of several that share one axis."""

    @property
    def axis(self) -> Axis: ...

    @property
    def unit(self) -> tuple[int, str]: ...

    @property
    def start(self) -> float: ...

    def last_wall(self) -> float: ...

    def x_range(self) -> tuple[float, float]: ...


def build_layout(ruler: XScale) -> Json:
    """Return the layout of a chart over steps, beside what the studio's template says of all figures."""
    return {
        "margin": {"l": 44, "r": 14, "t": 8, "b": 26},
        "hovermode": "x unified",
        "dragmode": "zoom",
        "xaxis": _spike_style() | format_x(ruler) | {"range": [*ruler.x_range()]},
        "yaxis": {"showspikes": False},
    }


def _spike_style() -> Json:
    """Return the vertical line that follows the pointer."""
    return {
        "spikecolor": css_var("line-strong"),
        "spikethickness": 1,
        "spikedash": "solid",
        "spikemode": "across",
        "spikesnap": "cursor",
    }


def format_x(ruler: XScale) -> Json:
    """Return how places on the x axis are written; the control bar names the unit."""
    match ruler.axis:
        case Axis.STEP:
            return {"tickformat": ",d", "hoverformat": ",d"} | hover_title(_("Step %(x)s"))
        case Axis.EPOCH:
            return {"tickformat": "~g", "hoverformat": ".2f"} | hover_title(_("Epoch %(x)s"))
        case Axis.ELAPSED:
            return {"tickformat": "~g", "hoverformat": ".2f", "ticksuffix": f" {unit_label(ruler.unit[1])}"}
    ticks = "%H:%M" if ruler.last_wall() - ruler.start < CLOCK_ONLY_SECONDS else "%m-%d %H:%M"
    return {"type": "date", "tickformat": ticks, "hoverformat": "%Y-%m-%d %H:%M:%S"}


def unit_label(sign: str) -> str:
    return {"h": _("h"), "min": _("min"), "s": _("s")}[sign]


def hover_title(words: str) -> Json:
    """Return the heading of the hover label; %{x} is Plotly's own placeholder for the value."""
    return {"unifiedhovertitle": {"text": words % {"x": "%{x}"}}}


def raw_style() -> Json:
    return {"mode": "lines", "opacity": 0.28, "line": {"color": css_var("train"), "width": 1}}


def train_style() -> Json:
    return {"mode": "lines", "line": {"color": css_var("train"), "width": 2}}


def bar_style() -> Json:
    return {
        "mode": "lines",
        "opacity": 0.9,
        "line": {"color": css_var("train"), "width": 1, "shape": "hvh"},
    }


def evaluation_style() -> Json:
    line = {"color": css_var("eval"), "width": 1.75}
    return {
        "mode": "lines+markers",
        "cliponaxis": False,
        "line": {"color": css_var("eval"), "width": 2, "dash": "dash"},
        "marker": {"symbol": "circle", "size": 6, "color": css_var("bg-raised"), "line": line},
    }


def checkpoint_line(x: float) -> Json:
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": x,
        "x1": x,
        "y0": 0,
        "y1": 1,
        "line": {"color": css_var("line-strong"), "width": 1, "dash": "dot"},
    }


def checkpoint_label(x: float, text: str, default: bool) -> Json:
    return {
        "name": "checkpoint",
        "x": x,
        "y": 1,
        "yref": "paper",
        "yanchor": "bottom",
        "showarrow": False,
        "text": text,
        "borderpad": 2,
        "bgcolor": css_var("primary" if default else "bg-raised"),
        "bordercolor": css_var("primary" if default else "line-strong"),
        "font": font(10, "on-primary" if default else "text-2"),
    }
