"""A run's color, dash and marker in charts and tables, which depend only on its place (pure)."""

from __future__ import annotations

from dataclasses import dataclass

COLORS = 8
"""--chart-1 to --chart-8 in static/studio/tokens.css."""
DASHES = ("", "6 4", "2 3", "6 3 2 3", "10 4", "10 3 2 3 2 3", "6 8", "1 3")
"""Lengths of dashes and gaps in pixels, as in SVG."""
MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "triangle-down", "star-diamond")
"""Plotly's names; drawn hollow."""
SHAPES = (
    "M18 5a3 3 0 1 1-6 0a3 3 0 1 1 6 0z",
    "M12 2h6v6h-6z",
    "M15 1l4 4-4 4-4-4z",
    "M15 1.5l4 6.5h-8z",
    "M12 2l6 6M18 2l-6 6",
    "M15 1v8M11 5h8",
    "M15 8.5l4-6.5h-8z",
    "M15 0l1.5 3.5 3.5 1.5-3.5 1.5-1.5 3.5-1.5-3.5-3.5-1.5 3.5-1.5z",
)
"""The same markers as SVG paths in a swatch of 30 x 10 pixels."""


@dataclass(frozen=True, slots=True)
class RunStyle:
    """After eight places the colors repeat, with the next dash and marker."""

    place: int

    @property
    def color_number(self) -> int:
        """The number of the color: 1 to 8."""
        return self.place % COLORS + 1

    @property
    def style_index(self) -> int:
        return (self.place + self.place // COLORS) % COLORS

    @property
    def svg_dashes(self) -> str:
        return DASHES[self.style_index]

    @property
    def plotly_dash(self) -> str:
        """The dashes as Plotly writes them."""
        return ",".join(f"{length}px" for length in self.svg_dashes.split()) or "solid"

    @property
    def plotly_marker(self) -> str:
        return MARKERS[self.style_index] + "-open"

    @property
    def svg_shape(self) -> str:
        return SHAPES[self.style_index]

    @property
    def color(self) -> str:
        return f"var(--chart-{self.color_number})"
