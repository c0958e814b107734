"""The result of a dataset check, as plain data that fits in a database row. Its texts are in messages.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """`line` counts from 1; 0 means the whole file. `field` is the path inside the line, `params` fill the
    message, and `excerpt` is (before, the fault, after), cut to what fits on a screen."""

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
    """One conversation, cut to what fits on a screen."""

    line: int
    system: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """Statistics of `count` values; `buckets` are (left, right, count), each from `left` to below `right`."""

    count: int = 0
    total: int = 0
    minimum: float = 0
    p5: float = 0
    median: float = 0
    mean: float = 0.0
    p95: float = 0
    maximum: float = 0
    buckets: list[tuple[int, int, int]] = dataclasses.field(default_factory=list)

    def scale(self, ratio: float) -> Distribution:
        """Return the distribution of all values times `ratio`."""
        names = ("total", "minimum", "p5", "median", "p95", "maximum")
        return Distribution(
            count=self.count,
            mean=self.mean * ratio,
            buckets=[
                (round(left * ratio), round(right * ratio), count) for left, right, count in self.buckets
            ],
            **{name: round(getattr(self, name) * ratio) for name in names},
        )

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Distribution:
        return cls(**{**data, "buckets": [(left, right, count) for left, right, count in data["buckets"]]})


@dataclass(slots=True)
class Report:
    """`examples` counts the usable lines. `counts` has the number of all problems by code, `problems` only
    the first ones of each code. `tokens` and `turns` describe the examples, with tokens as estimated in
    tokens.py; `longest` are the longest examples as (line, tokens). `where` is the first (line, field) of
    each modality, since not every model supports it. `convertible` counts the lines that conversion would
    fix, by the code of their problem."""

    bytes: int = 0
    lines: int = 0
    examples: int = 0
    duplicates: int = 0
    modalities: list[str] = dataclasses.field(default_factory=list)
    problems: list[Problem] = dataclasses.field(default_factory=list)
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    errors: int = 0
    warnings: int = 0
    samples: list[Sample] = dataclasses.field(default_factory=list)
    tokens: Distribution = dataclasses.field(default_factory=Distribution)
    turns: Distribution = dataclasses.field(default_factory=Distribution)
    longest: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    where: dict[str, tuple[int, str]] = dataclasses.field(default_factory=dict)
    convertible: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Report:
        """Also read reports of older versions: missing fields get their defaults."""
        data = data if "tokens" in data else {**data, **_convert_character_counts(data)}
        known = {key: value for key, value in data.items() if key in cls.__dataclass_fields__}
        known["problems"] = [
            Problem(**{**item, "excerpt": tuple(item["excerpt"])}) for item in data.get("problems", [])
        ]
        known["samples"] = list(_parse_samples(data.get("samples", [])))
        for name in ("tokens", "turns"):
            known[name] = Distribution.from_json(data[name]) if data.get(name) else Distribution()
        known["longest"] = [(line, tokens) for line, tokens in data.get("longest") or []]
        known["where"] = {key: (line, field) for key, (line, field) in data.get("where", {}).items()}
        return cls(**known)


def _parse_samples(items: list[dict[str, Any]]) -> Iterator[Sample]:
    for item in items:
        messages = tuple(Message(**message) for message in item["messages"])
        yield Sample(item["line"], item["system"], messages)


def _convert_character_counts(data: dict[str, Any]) -> dict[str, Any]:
    """Convert an older report, which counted characters, at four characters a token. It had lengths of two
    significant digits, and no turns."""
    lengths = sorted((int(size), count) for size, count in data.get("lengths", {}).items())
    sizes = [size for size, count in lengths for _ in range(count)]
    count, total = data.get("examples", 0), data.get("characters", 0) // 4

    def find_quantile(share: float) -> int:
        return sizes[min(len(sizes) - 1, int(share * len(sizes)))] // 4 if sizes else 0

    tokens = Distribution(
        count=count,
        total=total,
        minimum=find_quantile(0),
        p5=find_quantile(0.05),
        median=find_quantile(0.5),
        mean=total / count if count else 0.0,
        p95=find_quantile(0.95),
        maximum=data.get("longest", 0) // 4,
        buckets=[(size // 4, size // 4 + 1, many) for size, many in lengths],
    )
    line = data.get("longest_line", 0)
    longest = [(line, tokens.maximum)] if line else []
    return {"tokens": asdict(tokens) if count else {}, "longest": longest}


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    severity: Severity
    field: str
    code: str
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
