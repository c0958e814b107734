"""What the charts look like: the design's section 4 as Plotly attributes. Colours by token only."""

from __future__ import annotations

from html import escape
from typing import Any, Protocol

from django.utils.translation import gettext as _

from metrics.charts.controls import Axis


class XScale(Protocol):
    """What the layout asks of a ruler, or of several that share one axis."""

    @property
    def axis(self) -> Axis: ...

    @property
    def unit(self) -> tuple[int, str]: ...

    @property
    def start(self) -> float: ...

    def last_wall(self) -> float: ...

    def x_range(self) -> tuple[float, float]: ...


END_LABEL_ROOM = 112
"""Pixels that end labels need beside a line that reaches the edge."""
DAY = 24 * 3600


def css_var(token: str) -> str:
    return f"var(--{token})"


def escape_text(name: str) -> str:
    """A person's words inside Plotly's text, which knows a few tags."""
    return escape(name, quote=False)


def font(size: int, token: str) -> dict[str, Any]:
    return {"family": "var(--font)", "size": size, "color": css_var(token)}


def layout(ruler: XScale) -> dict[str, Any]:
    first, last = ruler.x_range()
    return {
        "font": font(11, "text-2"),
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 44, "r": 14, "t": 8, "b": 26},
        "showlegend": False,
        "autosize": True,
        "hovermode": "x unified",
        "hoverlabel": hover_label(),
        "dragmode": "zoom",
        "xaxis": x_axis(ruler) | {"range": [first, last]},
        "yaxis": axis() | {"gridcolor": css_var("grid"), "showspikes": False},
    }


def hover_label() -> dict[str, Any]:
    return {"bgcolor": css_var("bg-raised"), "bordercolor": css_var("line"), "font": font(12, "text")}


def axis() -> dict[str, Any]:
    return {
        "zeroline": False,
        "automargin": False,
        "tickfont": font(11, "text-2"),
        "ticks": "",
        "linecolor": css_var("line"),
    }


def x_axis(ruler: XScale) -> dict[str, Any]:
    spikes = {
        "spikecolor": css_var("line-strong"),
        "spikethickness": 1,
        "spikedash": "solid",
        "spikemode": "across",
        "spikesnap": "cursor",
    }
    return axis() | spikes | {"showgrid": False, "showline": True} | x_format(ruler)


def x_format(ruler: XScale) -> dict[str, Any]:
    """How places on the x axis are written; the control bar names the measure."""
    match ruler.axis:
        case Axis.STEP:
            return {"tickformat": ",d", "hoverformat": ",d"} | hover_title(_("Step %(x)s"))
        case Axis.EPOCH:
            return {"tickformat": "~g", "hoverformat": ".2f"} | hover_title(_("Epoch %(x)s"))
        case Axis.ELAPSED:
            return {"tickformat": "~g", "hoverformat": ".2f", "ticksuffix": f" {unit_label(ruler.unit[1])}"}
    ticks = "%H:%M" if ruler.last_wall() - ruler.start < DAY else "%m-%d %H:%M"
    return {"type": "date", "tickformat": ticks, "hoverformat": "%Y-%m-%d %H:%M:%S"}


def unit_label(sign: str) -> str:
    return {"h": _("h"), "min": _("min"), "s": _("s")}[sign]


def hover_title(words: str) -> dict[str, Any]:
    """The head of the hover label; %{x} is Plotly's own place for the value."""
    return {"unifiedhovertitle": {"text": words % {"x": "%{x}"}}}


def raw_style() -> dict[str, Any]:
    return {"mode": "lines", "opacity": 0.28, "line": {"color": css_var("train"), "width": 1}}


def train_style() -> dict[str, Any]:
    return {"mode": "lines", "line": {"color": css_var("train"), "width": 2}}


def bar_style() -> dict[str, Any]:
    return {
        "mode": "lines",
        "opacity": 0.9,
        "line": {"color": css_var("train"), "width": 1, "shape": "hvh"},
    }


def evaluation_style() -> dict[str, Any]:
    line = {"color": css_var("eval"), "width": 1.75}
    return {
        "mode": "lines+markers",
        "cliponaxis": False,
        "line": {"color": css_var("eval"), "width": 2, "dash": "dash"},
        "marker": {"symbol": "circle", "size": 6, "color": css_var("bg-raised"), "line": line},
    }


def star_style() -> dict[str, Any]:
    line = {"color": css_var("bg-raised"), "width": 1.5}
    return {
        "mode": "markers",
        "cliponaxis": False,
        "legendgroup": "eval",
        "hoverinfo": "skip",
        "marker": {"symbol": "star", "size": 15, "color": css_var("star"), "line": line},
    }


def checkpoint_line(x: float) -> dict[str, Any]:
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


def checkpoint_label(x: float, text: str, default: bool) -> dict[str, Any]:
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


def end_label(x: float, y: float, text: str, token: str, shift: float) -> dict[str, Any]:
    return {
        "name": f"end-{token}",
        "x": x,
        "y": y,
        "xanchor": "left",
        "xshift": 10,
        "yshift": shift,
        "showarrow": False,
        "text": text,
        "font": font(11, token),
    }


def best_label(x: float, y: float, text: str, at: tuple[float, float]) -> dict[str, Any]:
    """`at` is the star's place in the plot, 0 to 1 from left and bottom; the label goes where room is."""
    across, up = at
    return {
        "name": "best-eval",
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
