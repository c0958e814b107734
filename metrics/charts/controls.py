"""How a person wants to see the curves: the control bar above the charts, kept in the page's address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

MAX_SMOOTHING = 0.99


class Axis(StrEnum):
    STEP = "step"
    EPOCH = "epoch"
    ELAPSED = "elapsed"
    CLOCK = "clock"


class Scale(StrEnum):
    LINEAR = "linear"
    LOG = "log"


Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Controls:
    smoothing: float = 0.8
    axis: Axis = Axis.STEP
    scale: Scale = Scale.LINEAR
    clip: bool = True

    @classmethod
    def from_query(cls, query: Mapping[str, str], usual: Controls | None = None) -> Controls:
        """From an address that people may have edited: what is not understood is as by default."""
        usual = usual or cls()
        return cls(
            smoothing=_parse_smoothing(query.get("smoothing", ""), usual.smoothing),
            axis=parse_choice(usual.axis, query.get("axis", "")),
            scale=parse_choice(usual.scale, query.get("scale", "")),
            clip=query.get("clip", "on") != "off",
        )

    def to_parameters(self, usual: Controls | None = None) -> dict[str, str]:
        """The address's parameters, without what is as by default."""
        usual = usual or Controls()
        found = {
            "smoothing": f"{self.smoothing:g}" if self.smoothing != usual.smoothing else "",
            "axis": self.axis if self.axis != usual.axis else "",
            "scale": self.scale if self.scale != usual.scale else "",
            "clip": "" if self.clip else "off",
        }
        return {name: text for name, text in found.items() if text}

    def query(self) -> str:
        return urlencode(self.to_parameters())


def _parse_smoothing(text: str, usual: float) -> float:
    try:
        value = float(text)
    except ValueError:
        return usual
    return min(max(value, 0.0), MAX_SMOOTHING) if value == value else usual


def parse_choice(usual: Choice, text: str) -> Choice:
    try:
        return type(usual)(text)
    except ValueError:
        return usual
