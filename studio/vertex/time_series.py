"""TensorBoard time series as plain data: points in order, one per step."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from operator import itemgetter
from typing import Any, TypedDict

Point = tuple[int, float, float]
"""Step, wall time in seconds since 1970, value."""
NOTHING: dict[str, Any] = {}


class TimeSeries(TypedDict):
    """One curve: its resource name, its metric, and its last step."""

    name: str
    displayName: str
    maxStep: int
    maxWallTime: str


def parse_time_series(answer: dict[str, Any]) -> TimeSeries:
    metadata = answer.get("metadata") or {}
    return TimeSeries(
        name=answer["name"],
        displayName=answer.get("displayName", ""),
        maxStep=int(metadata.get("maxStep", 0)),
        maxWallTime=metadata.get("maxWallTime", ""),
    )


def parse_points(values: Iterable[dict[str, Any]]) -> list[Point]:
    """Return points ascending by step, the latest for a repeated step. Omitted fields are zero."""
    found = [
        (
            int(value.get("step", 0)),
            datetime.fromisoformat(wall).timestamp() if (wall := value.get("wallTime")) else 0.0,
            float((value.get("scalar") or NOTHING).get("value", 0.0)),
        )
        for value in values
    ]
    found.sort(key=itemgetter(0, 1))  # stable: of one step and wall time, the one that was written last
    return list({point[0]: point for point in found}.values())
