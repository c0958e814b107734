"""The whole view is in the address: read, changed and written again."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from metrics.charts.controls import Axis, Controls, Scale
from metrics.compare.query import MAX_RUNS, CompareQuery, Outcome, Setting, Tab, parse_places
from metrics.metric_names import Metric

spans = st.tuples(st.integers(-1000, 1000), st.integers(1, 1000)).map(
    lambda found: (float(found[0]), float(found[0] + found[1]))
)


@st.composite
def draw_queries(draw: st.DrawFn) -> CompareQuery:
    runs = draw(st.lists(st.integers(1, 10**6), min_size=1, max_size=12, unique=True))
    places: list[int | None] = list(runs)
    for hole in draw(st.lists(st.integers(0, len(runs)), max_size=3)):
        places.insert(min(hole, len(places) - 1), None)
    zooms: Mapping[Metric, tuple[float, float]] = draw(st.dictionaries(st.sampled_from(Metric), spans))
    return CompareQuery(
        places=tuple(places),
        metrics=tuple(draw(st.lists(st.sampled_from(Metric), min_size=1, unique=True))),
        controls=Controls(
            round(draw(st.floats(0, 0.99)), 2),
            draw(st.sampled_from(Axis)),
            draw(st.sampled_from(Scale)),
            draw(st.booleans()),
        ),
        hidden=frozenset(draw(st.lists(st.sampled_from(runs)))),
        baseline=draw(st.none() | st.sampled_from(runs)),
        tab=draw(st.sampled_from(Tab)),
        every_setting=draw(st.booleans()),
        zoom=draw(st.none() | spans),
        zooms=zooms,
        setting=draw(st.sampled_from(Setting)),
        outcome=draw(st.sampled_from(Outcome)),
        other=draw(st.none() | st.sampled_from(runs)),
        sort=draw(st.sampled_from(["", "best", "-best", "name", "-duration"])),
    )


@given(draw_queries())
def test_query_string_round_trips(view: CompareQuery) -> None:
    assert CompareQuery.from_query(QueryDict(view.query())) == view


def test_defaults_are_left_out_of_the_query_string() -> None:
    assert CompareQuery(places=(3, 5)).query() == "runs=3,5"


@pytest.mark.parametrize(
    "query",
    [
        "runs=,,,&metrics=nonsense&axis=x&scale=&smoothing=many&tab=9&x=5:1&by=&hidden=a,-1",
        "runs=" + "9" * 40 + "&baseline=1e3&x=nan:inf&y.eval_total_loss=1&outcome=worst&sort=secret",
        "runs=%00&other=٣",
    ],
)
def test_edited_query_string_never_raises(query: str) -> None:
    assert CompareQuery.from_query(QueryDict(query)) == CompareQuery()


def test_run_keeps_its_place_when_another_is_removed() -> None:
    view = CompareQuery(places=(3, 5, 8), baseline=5, hidden=frozenset({5, 8}))
    left = view.without_run(5)
    assert left.places == (3, None, 8)
    assert left.query() == "runs=3,,8&hidden=8"
    assert CompareQuery.from_query(QueryDict(left.query())).with_run(9).places == (3, 9, 8)
    assert view.without_run(8).without_run(5).places == (3,)


def test_checked_runs_fill_free_places_once() -> None:
    assert parse_places("3,,8", ["5", "3", "x", "9"]) == (3, 5, 8, 9)


def test_no_more_than_fifty_runs() -> None:
    many = [str(run) for run in range(1, 80)]
    assert len(parse_places("", many)) == MAX_RUNS
    assert len([*filter(None, parse_places(",".join(many), ["99"]))]) == MAX_RUNS


def test_hide_isolate_and_baseline_change_the_query() -> None:
    view = CompareQuery(places=(3, 5, 8))
    assert view.toggle_run(5).hidden == {5}
    assert view.toggle_run(5).toggle_run(5).hidden == frozenset()
    assert view.isolate_run(5).hidden == {3, 8}
    assert view.hide_runs([3, 5]).hidden == {3, 5}
    assert view.with_baseline(8).query() == "runs=3,5,8&baseline=8"
    assert view.with_tab(Tab.DATA).query() == "runs=3,5,8&tab=data"
