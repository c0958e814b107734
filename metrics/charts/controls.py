"""The state of the control bar above the charts, as the page's address holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

MAX_SMOOTHING = 0.99
"""At 1 a moving average would never leave its first value."""


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
    def from_query(cls, query: Mapping[str, str], default: Controls | None = None) -> Controls:
        """Read an address, which people may have edited: values that are not valid become defaults."""
        default = default or cls()
        return cls(
            smoothing=_parse_smoothing(query.get("smoothing", ""), default.smoothing),
            axis=parse_choice(default.axis, query.get("axis", "")),
            scale=parse_choice(default.scale, query.get("scale", "")),
            clip=query.get("clip", "on") != "off",
        )

    def to_parameters(self, default: Controls | None = None) -> dict[str, str]:
        """Return the parameters of the address, without default values."""
        default = default or Controls()
        found = {
            "smoothing": f"{self.smoothing:g}" if self.smoothing != default.smoothing else "",
            "axis": self.axis if self.axis != default.axis else "",
            "scale": self.scale if self.scale != default.scale else "",
            "clip": "" if self.clip else "off",
        }
        return {name: text for name, text in found.items() if text}

    def query(self) -> str:
        return urlencode(self.to_parameters())


def _parse_smoothing(text: str, default: float) -> float:
    try:
        value = float(text)
    except ValueError:
        return default
    return min(max(value, 0.0), MAX_SMOOTHING) if value == value else default


def parse_choice(default: Choice, text: str) -> Choice:
    try:
        return type(default)(text)
    except ValueError:
        return default
