"""TensorBoard time series as plain data: points in order, and one for each step."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypedDict

Point = tuple[int, float, float]
"""Step, wall time in seconds since 1970, value."""


class TimeSeries(TypedDict):
    """One curve: its resource name, its metric, and how far it has come."""

    name: str
    displayName: str
    maxStep: int
    maxWallTime: str


def time_series(answer: dict[str, Any]) -> TimeSeries:
    metadata = answer.get("metadata") or {}
    return TimeSeries(
        name=answer["name"],
        displayName=answer.get("displayName", ""),
        maxStep=int(metadata.get("maxStep", 0)),
        maxWallTime=metadata.get("maxWallTime", ""),
    )


def points(values: Iterable[dict[str, Any]]) -> list[Point]:
    """Ascending by step, the latest where a step was written twice. What an answer leaves out is zero."""
    latest: dict[int, Point] = {}
    for value in values:
        point = _point(value)
        if point[0] not in latest or latest[point[0]][1] <= point[1]:
            latest[point[0]] = point
    return [latest[step] for step in sorted(latest)]


def _point(value: dict[str, Any]) -> Point:
    scalar = value.get("scalar") or {}
    return int(value.get("step", 0)), _seconds(value.get("wallTime")), float(scalar.get("value", 0.0))


def _seconds(wall_time: str | None) -> float:
    return datetime.fromisoformat(wall_time).timestamp() if wall_time else 0.0
