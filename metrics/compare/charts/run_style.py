"""How a run is told from others by its place alone: colour, dash, marker, on charts and in tables (pure)."""

from __future__ import annotations

from dataclasses import dataclass

COLOURS = 8
DASHES = ("", "6 4", "2 3", "6 3 2 3", "10 4", "10 3 2 3 2 3", "6 8", "1 3")
"""Lengths of dash and gap in pixels, as SVG writes them."""
MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "triangle-down", "star-diamond")
"""Plotly's words; drawn hollow."""
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
"""The same in a swatch of 30 x 10."""


@dataclass(frozen=True, slots=True)
class RunStyle:
    """After eight places the colours come again with the next dash and marker."""

    place: int

    @property
    def color_number(self) -> int:
        """Of the colour: 1 to 8."""
        return self.place % COLOURS + 1

    @property
    def style_index(self) -> int:
        return (self.place + self.place // COLOURS) % COLOURS

    @property
    def svg_dashes(self) -> str:
        return DASHES[self.style_index]

    @property
    def plotly_dash(self) -> str:
        """For Plotly."""
        return ",".join(f"{length}px" for length in self.svg_dashes.split()) or "solid"

    @property
    def plotly_marker(self) -> str:
        return MARKERS[self.style_index] + "-open"

    @property
    def svg_shape(self) -> str:
        return SHAPES[self.style_index]

    @property
    def colour(self) -> str:
        return f"var(--chart-{self.color_number})"
