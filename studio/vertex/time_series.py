"""TensorBoard time series as plain data: points in order, one per step.

A point or a series that can't be read is left out and counted; it never costs the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, TypedDict

from studio.vertex import resource_names
from studio.vertex.storable import iter_items

Point = tuple[int, float, float]
"""Step, wall time in seconds since 1970, value."""
LeftOut = dict[str, int]
"""How many points could not be read, by displayName; under "" how many series."""
NOTHING: dict[str, Any] = {}
MAX_NAME = 120
"""Characters of a metric in a row; those of Vertex AI have up to 42."""
MAX_SERIES = 200
"""Curves of a run that are read; Vertex AI records six."""
MAX_STEP = 2**53
"""The last whole number that every double, and so every chart, tells apart from its neighbors."""
LAST_WALL_TIME = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
"""A time beyond is a mistake, and near the end of the calendar it breaks conversions between time zones."""
LARGEST_VALUE = 3.4028235e38
"""The largest float32, in which losses are computed. What is larger counts as infinite, since differences of
such doubles overflow."""
MAX_WALL_TIME_LENGTH = 40
"""Characters of a timestamp; RFC 3339 needs up to 35."""


class TimeSeries(TypedDict):
    """One curve: its resource name, its metric, and its last step."""

    name: str
    displayName: str
    maxStep: int
    maxWallTime: str


def parse_series_list(pages: Iterable[Mapping[str, Any]], left_out: LeftOut) -> list[TimeSeries]:
    """Return the series of all pages, and count those that can't be read."""
    found: list[TimeSeries] = []
    count = 0
    for page in pages:
        listed = page.get("tensorboardTimeSeries")
        count += len(listed) if isinstance(listed, list) else 0
        read = map(parse_time_series, iter_items(page, "tensorboardTimeSeries"))
        found += [one for one in read if one is not None]
    left_out[""] = count - len(found[:MAX_SERIES])
    return found[:MAX_SERIES]


def parse_time_series(answer: Mapping[str, Any]) -> TimeSeries | None:
    """Return the series, or None if it has no usable name."""
    name, title, metadata = answer.get("name"), answer.get("displayName", ""), answer.get("metadata")
    extent: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else NOTHING
    if not resource_names.is_name(name) or not isinstance(title, str) or len(title) > MAX_NAME:
        return None
    return TimeSeries(
        name=name,
        displayName=title,
        maxStep=_parse_step(extent.get("maxStep", 0)) or 0,
        maxWallTime=str(extent.get("maxWallTime", ""))[:MAX_WALL_TIME_LENGTH],
    )


def series_values(data: Any) -> list[Any]:
    """Return the `values` of a TimeSeriesData, whatever stands in its place."""
    values = data.get("values") if isinstance(data, Mapping) else None
    return values if isinstance(values, list) else []


def parse_points(values: Iterable[Any], left_out: LeftOut | None = None, name: str = "") -> list[Point]:
    """Return points ascending by step, the latest for a repeated step. Omitted fields are zero.

    `left_out` gets the number of points that can't be read, under `name`.
    """
    given = list(values)
    try:
        found = [_parse_point(value) for value in given]
        count = 0
    except UNREADABLE:
        found = [point for value in given if (point := _parse_or_skip(value)) is not None]
        count = len(given) - len(found)
    if left_out is not None:
        left_out[name] = count
    found.sort(key=itemgetter(0, 1))  # stable: of one step and wall time, the one that was written last
    return list({point[0]: point for point in found}.values())


UNREADABLE = (ValueError, TypeError, AttributeError, OverflowError)
"""What a value of another type, or beyond all bounds, raises in `_parse_point`."""


def _parse_point(value: Any) -> Point:
    step = int(value.get("step", 0))
    wall = datetime.fromisoformat(text).timestamp() if (text := value.get("wallTime")) else 0.0
    number = float((value.get("scalar") or NOTHING).get("value", 0.0))
    if not (0 <= step <= MAX_STEP and 0 <= wall <= LAST_WALL_TIME):
        raise ValueError("out of bounds")
    if abs(number) > LARGEST_VALUE:
        number = math.copysign(math.inf, number)
    return step, wall, number


def _parse_or_skip(value: Any) -> Point | None:
    try:
        return _parse_point(value)
    except UNREADABLE:
        return None


def _parse_step(value: Any) -> int | None:
    try:
        step = int(value)
    except UNREADABLE:
        return None
    return step if 0 <= step <= MAX_STEP else None
