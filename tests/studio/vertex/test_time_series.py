"""Points of answers: sorted, one per step, zero for missing fields."""

from __future__ import annotations

import math
from typing import Any

from studio.vertex.time_series import parse_points, parse_time_series


def make_point(step: str | None, second: int, scalar: Any = 1.0) -> dict[str, Any]:
    written = {"wallTime": f"2026-11-22T20:53:{second:02}.5Z", "scalar": {"value": scalar}}
    return written | ({"step": step} if step else {})


def test_latest_point_of_a_step_wins_in_any_order() -> None:
    early, late = make_point("3", 1, 0.1), make_point("3", 2, 0.2)
    assert parse_points([early, late]) == parse_points([late, early])
    assert [(step, number) for step, _, number in parse_points([late, early])] == [(3, 0.2)]


def test_points_are_sorted_numerically() -> None:
    found = parse_points([make_point("10", 3), make_point("9", 2), make_point(None, 1)])
    assert [step for step, _, _ in found] == [0, 9, 10]


def test_missing_fields_are_zero() -> None:
    assert parse_points([{}]) == [(0, 0.0, 0.0)]
    assert parse_points([{"step": "2", "scalar": {}}]) == [(2, 0.0, 0.0)]


def test_nan_and_infinity_are_read_from_text() -> None:
    found = [
        number for _, _, number in parse_points([make_point("1", 1, "NaN"), make_point("2", 1, "-Infinity")])
    ]
    assert math.isnan(found[0])
    assert found[1] == -math.inf


def test_wall_times_with_nanoseconds_become_seconds() -> None:
    [(_, seconds, _)] = parse_points([{"wallTime": "1970-01-01T00:01:00.123456789Z"}])
    assert abs(seconds - 60.123456) < 1e-6


def test_series_without_points_is_empty() -> None:
    assert parse_time_series({"name": "n", "displayName": "/d"}) == {
        "name": "n",
        "displayName": "/d",
        "maxStep": 0,
        "maxWallTime": "",
    }
