"""What a dataset check found, as plain data that fits in a row. Its words are in words.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """`line` counts from 1; 0 is the file as a whole. `field` is the path inside the line, `params` fill the
    words, and `excerpt` is (before, the fault, after), cut to what fits on a screen."""

    line: int
    severity: Severity
    field: str
    code: str
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    excerpt: tuple[str, str, str] = ("", "", "")


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One conversation as it would be read, cut to what fits on a screen."""

    line: int
    system: str
    messages: tuple[Message, ...]


@dataclass(slots=True)
class Report:
    """`examples` are the usable lines; `counts` has the true number of problems by code, where `problems`
    keeps the first ones only; `lengths` is characters per example (two significant digits) -> examples."""

    bytes: int = 0
    lines: int = 0
    examples: int = 0
    characters: int = 0
    longest: int = 0
    longest_line: int = 0
    duplicates: int = 0
    modalities: list[str] = dataclasses.field(default_factory=list)
    problems: list[Problem] = dataclasses.field(default_factory=list)
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    errors: int = 0
    warnings: int = 0
    samples: list[Sample] = dataclasses.field(default_factory=list)
    lengths: dict[int, int] = dataclasses.field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.errors

    def quantile(self, share: float) -> int:
        """The length that `share` of the examples do not exceed; 0 without examples."""
        seen = 0
        for length, count in sorted(self.lengths.items()):
            seen += count
            if seen >= share * self.examples:
                return length
        return 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Report:
        """Also reads what an older version kept: fields that are missing keep their defaults."""
        known = {key: value for key, value in data.items() if key in cls.__dataclass_fields__}
        known["problems"] = [
            Problem(**{**item, "excerpt": tuple(item["excerpt"])}) for item in data.get("problems", [])
        ]
        known["samples"] = list(_samples(data.get("samples", [])))
        known["lengths"] = {int(length): count for length, count in data.get("lengths", {}).items()}
        return cls(**known)


def _samples(kept: list[dict[str, Any]]) -> Iterator[Sample]:
    for item in kept:
        messages = tuple(Message(**message) for message in item["messages"])
        yield Sample(item["line"], item["system"], messages)
