"""Every Plotly figure of the site is built here: a layout in the studio's look, and traces as plain dicts.

plotly.py makes the layout and holds the look as its template `studio`. Traces stay plain dicts in Plotly's
words: its trace classes take about a millisecond each, and a chart has up to a hundred. In tests every figure
goes through Plotly's validation. Colors are tokens of the design, `var(--train)`; the page resolves them when
it draws, so that both themes work. Plotly is imported at the first figure, for processes that draw none.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Json: TypeAlias = dict[str, Any]
TEMPLATE = "studio"


def build_figure(traces: Iterable[Json], layout: Mapping[str, Any]) -> Json:
    """Return {data, layout}. Raises ValueError for a layout that Plotly does not know."""
    import plotly.graph_objects as go

    register_template()
    return {"data": list(traces), "layout": go.Layout({"template": TEMPLATE, **layout}).to_plotly_json()}


@cache
def register_template() -> None:
    """Add the studio's look to plotly.io, once in each process."""
    import plotly.io

    plotly.io.templates[TEMPLATE] = {"layout": build_template_layout()}


def build_template_layout() -> Json:
    """What all figures have in common; a figure's own layout comes before it."""
    axis = {
        "zeroline": False,
        "automargin": False,
        "tickfont": font(11, "text-2"),
        "ticks": "",
        "showline": True,
        "linecolor": css_var("line"),
    }
    return {
        "font": font(11, "text-2"),
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": False,
        "autosize": True,
        "hoverlabel": {
            "bgcolor": css_var("bg-raised"),
            "bordercolor": css_var("line"),
            "font": font(12, "text"),
        },
        "xaxis": axis | {"showgrid": False},
        "yaxis": axis | {"gridcolor": css_var("grid")},
    }


def css_var(token: str) -> str:
    return f"var(--{token})"


def font(size: int, token: str) -> Json:
    return {"family": css_var("font"), "size": size, "color": css_var(token)}


def escape_text(name: str) -> str:
    """Return a person's words for use in Plotly's texts, which know a few tags."""
    return escape(name, quote=False)


def encode_numbers(values: NDArray[np.float64]) -> Json:
    """Return values as a typed array; what is not finite becomes NaN, at which Plotly breaks the line."""
    return encode_typed_array(np.where(np.isfinite(values), values, np.nan))


def encode_typed_array(array: NDArray[Any]) -> Json:
    """Return Plotly's typed array: its kind and its bytes in base64, whole numbers in as few as they need."""
    if array.dtype.kind == "i":
        most = int(array.max(initial=0))
        array = array.astype("<u2" if most < 1 << 16 else "<u4" if most < 1 << 32 else "<f8")
    kind = array.dtype.str[1:] if array.dtype.str[1:] in ("u2", "u4", "f4") else "f8"
    return {"dtype": kind, "bdata": base64.b64encode(array.tobytes()).decode()}
