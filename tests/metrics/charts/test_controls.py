"""The controls are the address, and the address is the controls."""

from __future__ import annotations

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from metrics.charts.controls import Axis, Controls, Scale


@given(
    smoothing=st.integers(0, 99).map(lambda n: n / 100),
    axis=st.sampled_from(Axis),
    scale=st.sampled_from(Scale),
    clip=st.booleans(),
)
def test_query_string_round_trips(smoothing: float, axis: Axis, scale: Scale, clip: bool) -> None:
    controls = Controls(smoothing, axis, scale, clip)
    assert Controls.from_query(QueryDict(controls.query())) == controls


def test_the_form_sends_off_before_on() -> None:
    assert Controls.from_query(QueryDict("clip=off&clip=on")).clip
    assert not Controls.from_query(QueryDict("clip=off")).clip


@pytest.mark.parametrize("query", ["smoothing=nan", "smoothing=x", "axis=sideways", "scale=", "clip=perhaps"])
def test_invalid_parameters_fall_back_to_defaults(query: str) -> None:
    assert Controls.from_query(QueryDict(query)) == Controls()


@pytest.mark.parametrize(("text", "value"), [("-1", 0.0), ("7", 0.99), ("1e999", 0.99), ("0", 0.0)])
def test_smoothing_stays_in_its_range(text: str, value: float) -> None:
    assert Controls.from_query({"smoothing": text}).smoothing == value
