"""Points of answers: sorted, one per step, zero for missing fields."""

from __future__ import annotations

import math
from typing import Any

import pytest

from studio.vertex.time_series import (
    LARGEST_VALUE,
    MAX_NAME,
    MAX_SERIES,
    LeftOut,
    parse_points,
    parse_series_list,
    parse_time_series,
)


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


NAME = "projects/p/locations/l/tensorboards/1/experiments/e/runs/r/timeSeries/2"


def test_series_without_points_is_empty() -> None:
    assert parse_time_series({"name": NAME, "displayName": "/d"}) == {
        "name": NAME,
        "displayName": "/d",
        "maxStep": 0,
        "maxWallTime": "",
    }


BAD_POINTS: list[Any] = [
    None,
    "text",
    [],
    {"step": "many"},
    {"step": "-1"},
    {"step": "9" * 5000},
    {"step": str(2**63)},
    {"step": "nan"},
    {"step": "7", "wallTime": "yesterday"},
    {"step": "7", "wallTime": 5},
    {"step": "7", "wallTime": "9999-12-31T23:59:59Z"},
    {"step": "7", "wallTime": "0001-01-01T00:00:00+14:00"},
    {"step": "7", "scalar": {"value": "much"}},
    {"step": "7", "scalar": {"value": {}}},
    {"step": "7", "scalar": "much"},
]


@pytest.mark.parametrize("bad", BAD_POINTS, ids=lambda bad: str(bad)[:40])
def test_a_bad_point_is_left_out_and_counted(bad: Any) -> None:
    left_out: LeftOut = {}
    found = parse_points([make_point("1", 1), bad, make_point("2", 2)], left_out, "/loss")
    assert [step for step, _, _ in found] == [1, 2]
    assert left_out == {"/loss": 1}


def test_a_value_beyond_float32_counts_as_infinite() -> None:
    """Differences of two doubles of that size overflow, in charts and in the analysis."""
    found = parse_points([make_point("1", 1, 1e308), make_point("2", 2, -1e308), make_point("3", 3, 3e38)])
    assert [number for _, _, number in found] == [math.inf, -math.inf, 3e38]
    assert LARGEST_VALUE < 1e39


BAD_SERIES: list[Any] = [
    None,
    "text",
    {"displayName": "/d"},
    {"name": 5, "displayName": "/d"},
    {"name": "no resource name", "displayName": "/d"},
    {"name": f"{NAME}?x=1", "displayName": "/d"},
    {"name": NAME, "displayName": 5},
    {"name": NAME, "displayName": "d" * (MAX_NAME + 1)},
]


@pytest.mark.parametrize("bad", BAD_SERIES, ids=lambda bad: str(bad)[:40])
def test_a_bad_series_is_left_out_and_counted(bad: Any) -> None:
    left_out: LeftOut = {}
    good = {"name": NAME, "displayName": "/loss", "metadata": {"maxStep": "3"}}
    pages = [{"tensorboardTimeSeries": [bad, good]}, {"tensorboardTimeSeries": {}}, {}]
    assert [one["displayName"] for one in parse_series_list(pages, left_out)] == ["/loss"]
    assert left_out == {"": 1}


@pytest.mark.parametrize(
    "metadata", [None, [], "x", {"maxStep": "x"}, {"maxStep": "9" * 5000}, {"maxStep": []}]
)
def test_an_odd_extent_is_none(metadata: Any) -> None:
    found = parse_time_series({"name": NAME, "displayName": "/d", "metadata": metadata})
    assert found and found["maxStep"] == 0


def test_a_run_has_a_limited_number_of_series() -> None:
    left_out: LeftOut = {}
    listed = [{"name": NAME, "displayName": f"/{n}"} for n in range(MAX_SERIES + 5)]
    assert len(parse_series_list([{"tensorboardTimeSeries": listed}], left_out)) == MAX_SERIES
    assert left_out == {"": 5}
