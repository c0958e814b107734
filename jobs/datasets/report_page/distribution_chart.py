"""The Plotly figure of a distribution, with its six statistics marked (pure).

Colours are the design's tokens, `var(--chart-1)`; the page resolves them when it draws.
`narrow` replaces parts of the layout at the width of a phone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import ngettext

from jobs.datasets.statistics import format_range, format_statistic, list_statistics
from studio import plotly_figures
from studio.plotly_figures import css_var, font

if TYPE_CHECKING:
    from jobs.datasets.check.report import Distribution

WIDE, NARROW = 480, 280
"""The least width of the plot in pixels, on a desktop and on a phone: labels that fit there fit
everywhere."""
CHARACTER, GAP, ROW = 6.0, 10, 15
"""Of a label, in pixels: width of a character, space between two labels, height of a row."""
FEW = 8
"""With fewer values on the axis each has its tick; otherwise Plotly would put ticks between whole numbers."""
LINES = {"min": "dot", "p5": "dash", "median": "solid", "mean": "dashdot", "p95": "dash", "max": "dot"}


@dataclass(frozen=True, slots=True)
class Mark:
    """Statistics with the same value, which share a line and a label."""

    value: float
    names: tuple[str, ...]
    words: str

    @property
    def label(self) -> str:
        return f"{self.words} {format_statistic(self.value)}"


@dataclass(frozen=True, slots=True)
class PlacedLabel:
    """The position of a mark's label: `row` counts from the plot upwards."""

    mark: Mark
    row: int
    anchor: str


def figure(spread: Distribution, name: str) -> dict[str, Any]:
    """`name` is the title of the axis."""
    buckets = [(left, max(right, left + 1), count) for left, right, count in spread.buckets if count]
    bars = {
        "type": "bar",
        "x": [(left + right - 1) / 2 for left, right, _count in buckets],
        "width": [right - left for left, right, _count in buckets],
        "y": [count for _left, _right, count in buckets],
        "text": [format_hover(*bucket) for bucket in buckets],
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "color": css_var("chart-1"),
            "line": {"color": css_var("bg-raised"), "width": 1},
        },
        "opacity": 0.85,
    }
    axis = compute_x_range(spread, buckets)
    wide, narrow = (place_labels(marks(spread), axis, width) for width in (WIDE, NARROW))
    layout = build_layout(axis, name) | {"shapes": build_line_shapes(marks(spread))}
    figure = plotly_figures.build_figure([bars], layout | layout_annotations(wide))
    return figure | {"narrow": layout_annotations(narrow)}


def format_hover(left: int, right: int, count: int) -> str:
    """Describe a bucket from `left` to below `right`."""
    many = ngettext("%(n)s example", "%(n)s examples", count) % {"n": format_statistic(count)}
    return f"{format_range(left, right)}: {many}"


def compute_x_range(spread: Distribution, buckets: list[tuple[int, int, int]]) -> tuple[float, float]:
    """Return the range of the x axis: bars and marks with some space, at least three values wide."""
    low = min([spread.minimum, *(left for left, _right, _count in buckets)]) - 0.5
    high = max([spread.maximum, *(right - 1 for _left, right, _count in buckets)]) + 0.5
    air = max((high - low) * 0.02, (3 - (high - low)) / 2)
    return low - air, high + air


def marks(spread: Distribution) -> list[Mark]:
    """Return the marks by value; statistics that are shown as the same number become one mark."""
    found: dict[str, list[tuple[str, str, float]]] = {}
    for entry in sorted(list_statistics(spread), key=lambda entry: entry[2]):
        found.setdefault(format_statistic(entry[2]), []).append(entry)
    return [
        Mark(
            entries[0][2],
            tuple(key for key, _word, _value in entries),
            " · ".join(word for _key, word, _value in entries),
        )
        for entries in found.values()
    ]


def place_labels(marked: list[Mark], reach: tuple[float, float], width: float) -> list[PlacedLabel]:
    """Put each label in the lowest row where it doesn't overlap another."""
    ends: list[float] = []
    placed = []
    for mark in marked:
        length = len(mark.label) * CHARACTER
        at = (mark.value - reach[0]) / (reach[1] - reach[0]) * width
        anchor = "left" if at < length / 2 else "right" if at > width - length / 2 else "center"
        left = at - {"left": 0.0, "center": length / 2, "right": length}[anchor]
        row = next((row for row, end in enumerate(ends) if end + GAP <= left), len(ends))
        ends[row : row + 1] = [left + length]
        placed.append(PlacedLabel(mark, row, anchor))
    return placed


def build_line_shapes(marked: list[Mark]) -> list[dict[str, Any]]:
    return [
        {
            "type": "line",
            "x0": mark.value,
            "x1": mark.value,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "line": {"color": css_var("text-2"), "width": 1, "dash": choose_dash(mark)},
        }
        for mark in marked
    ]


def choose_dash(mark: Mark) -> str:
    """Only the median's line is solid."""
    return LINES["median"] if "median" in mark.names else LINES[mark.names[0]]


def layout_annotations(placed: list[PlacedLabel]) -> dict[str, Any]:
    rows = max((label.row for label in placed), default=0) + 1
    return {
        "annotations": list(build_annotations(placed)),
        "margin": {"l": 44, "r": 14, "t": rows * ROW + 6, "b": 40},
    }


def build_annotations(placed: list[PlacedLabel]) -> Iterator[dict[str, Any]]:
    for label in placed:
        yield {
            "x": label.mark.value,
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "xanchor": label.anchor,
            "yshift": label.row * ROW,
            "showarrow": False,
            "text": label.mark.label,
            "font": font(11, "text-2"),
        }


def build_layout(reach: tuple[float, float], name: str) -> dict[str, Any]:
    return {
        "bargap": 0,
        "dragmode": False,
        "hovermode": "closest",
        "xaxis": {"fixedrange": True, "range": list(reach), "tickformat": ",~r"}
        | ({"dtick": 1} if reach[1] - reach[0] < FEW else {"nticks": 8})
        | {"title": {"text": name, "font": font(11, "text-2"), "standoff": 6}},
        "yaxis": {"fixedrange": True, "rangemode": "tozero", "tickformat": ",~r", "nticks": 5},
    }
