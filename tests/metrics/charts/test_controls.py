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
def test_a_link_reproduces_the_view(smoothing: float, axis: Axis, scale: Scale, clip: bool) -> None:
    controls = Controls(smoothing, axis, scale, clip)
    assert Controls.read(QueryDict(controls.query())) == controls


def test_the_form_sends_off_before_on() -> None:
    assert Controls.read(QueryDict("clip=off&clip=on")).clip
    assert not Controls.read(QueryDict("clip=off")).clip


@pytest.mark.parametrize("query", ["smoothing=nan", "smoothing=x", "axis=sideways", "scale=", "clip=perhaps"])
def test_what_is_not_understood_is_as_by_default(query: str) -> None:
    assert Controls.read(QueryDict(query)) == Controls()


@pytest.mark.parametrize(("text", "value"), [("-1", 0.0), ("7", 0.99), ("1e999", 0.99), ("0", 0.0)])
def test_smoothing_stays_in_its_range(text: str, value: float) -> None:
    assert Controls.read({"smoothing": text}).smoothing == value
