"""The bars of a small histogram as SVG coordinates (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, GAP, MAX_BARS = 360.0, 74.0, 2.0, 40
"""In units of the SVG's viewBox; with more bars, each would be narrower than three gaps."""


@dataclass(frozen=True, slots=True)
class Bar:
    """SVG coordinates in a box of 360 by 74, and the range and count that the bar shows."""

    x: float
    y: float
    width: float
    height: float
    left: float
    right: float
    count: int


def bars(ranges: Sequence[tuple[float, float, float]], wanted: int = 0) -> list[Bar]:
    """Return a bar per range (left, right, count); with `wanted`, ranges are merged into so many equal
    ones."""
    nonempty = [entry for entry in ranges if entry[2] > 0]
    if not nonempty:
        return []
    merges = wanted and len(nonempty) > wanted
    nonempty = rebin_ranges(nonempty, wanted) if merges else sorted(nonempty)[:MAX_BARS]
    highest = max(count for _left, _right, count in nonempty)
    width = WIDTH / len(nonempty)
    return [
        Bar(
            x=round(index * width + GAP / 2, 1),
            y=round(HEIGHT - (HEIGHT - 4) * count / highest, 1),
            width=round(width - GAP, 1),
            height=round((HEIGHT - 4) * count / highest, 1),
            left=left,
            right=right,
            count=int(count),
        )
        for index, (left, right, count) in enumerate(nonempty)
    ]


def rebin_ranges(
    ranges: Sequence[tuple[float, float, float]], wanted: int
) -> list[tuple[float, float, float]]:
    low, high = min(left for left, _r, _c in ranges), max(right for _l, right, _c in ranges)
    width = (high - low) / wanted or 1.0
    counts = [0.0] * wanted
    for left, _right, count in ranges:
        counts[min(wanted - 1, int((left - low) / width))] += count
    return [(low + width * place, low + width * (place + 1), count) for place, count in enumerate(counts)]
