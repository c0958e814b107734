"""How a person wants to see the curves: the control bar above the charts, kept in the page's address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

MOST_SMOOTHING = 0.99


class Axis(StrEnum):
    STEP = "step"
    EPOCH = "epoch"
    ELAPSED = "elapsed"
    CLOCK = "clock"


class Scale(StrEnum):
    LINEAR = "linear"
    LOG = "log"


Choice = TypeVar("Choice", Axis, Scale)


@dataclass(frozen=True, slots=True)
class Controls:
    smoothing: float = 0.8
    axis: Axis = Axis.STEP
    scale: Scale = Scale.LINEAR
    clip: bool = True

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Controls:
        """From an address that people may have edited: what is not understood is as by default."""
        return cls(
            smoothing=_smoothing(query.get("smoothing", "")),
            axis=_one_of(Axis.STEP, query.get("axis", "")),
            scale=_one_of(Scale.LINEAR, query.get("scale", "")),
            clip=query.get("clip", "on") != "off",
        )

    def query(self) -> str:
        """The address's part, without what is as by default."""
        plain = Controls()
        said = {
            "smoothing": f"{self.smoothing:g}" if self.smoothing != plain.smoothing else "",
            "axis": self.axis if self.axis != plain.axis else "",
            "scale": self.scale if self.scale != plain.scale else "",
            "clip": "" if self.clip else "off",
        }
        return urlencode({name: text for name, text in said.items() if text})


def _smoothing(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return Controls().smoothing
    return min(max(value, 0.0), MOST_SMOOTHING) if value == value else Controls().smoothing


def _one_of(default: Choice, text: str) -> Choice:
    try:
        return type(default)(text)
    except ValueError:
        return default
