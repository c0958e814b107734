"""Thinning keeps what a person looks for; smoothing is the formula, on all points."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metrics.charts.downsample import MAX_POINTS, downsample_points, smooth
from tests.bench.compare.workload import SPIKE, TRAIN_LOSS, W2

odd = st.floats(width=32)
short = arrays(np.float64, st.integers(0, 400), elements=odd)


@given(values=short, limit=st.integers(4, 60))
def test_ends_and_extremes_survive(values: np.ndarray, limit: int) -> None:
    kept = downsample_points(np.arange(len(values)), values, limit)
    assert np.array_equal(kept, np.unique(kept))
    if not len(values):
        return
    assert kept[0] == 0
    assert kept[-1] == len(values) - 1
    finite = values[np.isfinite(values)]
    if len(finite):
        shown = values[kept][np.isfinite(values[kept])]
        assert shown.min() == finite.min()
        assert shown.max() == finite.max()


@given(values=short, limit=st.integers(4, 60))
def test_the_result_is_short(values: np.ndarray, limit: int) -> None:
    assert len(downsample_points(np.arange(len(values)), values, limit)) <= 2 * limit + 4


huge = st.floats(allow_nan=False, allow_infinity=False)
kinds = st.sampled_from(
    [
        st.floats(),  # anything at all
        huge,
        st.just(2.5),
        st.sampled_from([0.0, 1.0, 9.75]),  # extremes that come again and again
        st.sampled_from([1.7976931348623157e308, -1.7976931348623157e308, 5e-324, 0.0]),
        st.sampled_from([0.5, math.nan, math.inf, -math.inf]),
    ]
)
LONGEST = 3000


@st.composite
def series(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Ascending steps with gaps of any width, and values of one kind, a few of them anything else."""
    count, dice = draw(st.integers(1, LONGEST)), np.random.default_rng(draw(st.integers(0, 2**32)))
    pool = np.array(draw(st.lists(draw(kinds), min_size=1, max_size=30)))
    values = dice.choice(pool, count) * draw(st.sampled_from([1.0, -1.0, 0.5]))
    for place, value in draw(st.dictionaries(st.integers(0, count - 1), st.floats(), max_size=5)).items():
        values[place] = value
    return dice.integers(1, draw(st.sampled_from([2, 50, 2**40])), count).cumsum(), values


@given(drawn=series(), limit=st.sampled_from([4, 5, 10, 100, 333, MAX_POINTS]))
def test_first_last_lowest_and_highest_survive(drawn: tuple[np.ndarray, np.ndarray], limit: int) -> None:
    steps, values = drawn
    kept = downsample_points(steps, values, limit)
    assert (np.diff(steps[kept]) > 0).all()
    assert (kept[0], kept[-1]) == (0, len(values) - 1)
    assert len(kept) <= 2 * limit + 4
    finite = values[np.isfinite(values)]
    if len(finite):
        assert {finite.min(), finite.max()} <= set(values[kept].tolist())


def test_recorded_runs_keep_spike_and_extremes() -> None:
    for number, (name, curves) in enumerate(islice(W2.curves(), 3)):
        steps, values = curves[TRAIN_LOSS]
        kept = downsample_points(steps, values)
        assert len(kept) <= MAX_POINTS + 4
        assert (values[kept].min(), values[kept].max()) == (values.min(), values.max()), name
        assert (W2.spike_step in steps[kept][values[kept] == SPIKE]) == (number == 0)


def test_short_series_are_unchanged() -> None:
    assert downsample_points(np.arange(MAX_POINTS), np.ones(MAX_POINTS)).tolist() == list(range(MAX_POINTS))


def test_a_spike_of_one_step_is_kept() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.05, 10_000)
    values[6543] = 9.0
    kept = downsample_points(np.arange(10_000), values)
    assert 6543 in kept
    assert len(kept) <= MAX_POINTS + 4


def test_run_of_nan_values_breaks_the_line() -> None:
    values = np.ones(5000)
    values[2000:2100] = np.nan
    kept = downsample_points(np.arange(5000), values)
    assert 2000 in kept
    assert np.isnan(values[kept]).sum() == 1


def test_equal_values_and_empty_series_are_accepted() -> None:
    assert len(downsample_points(np.arange(5000), np.full(5000, 2.0))) <= MAX_POINTS + 4
    assert downsample_points(np.arange(5000), np.full(5000, np.nan)).tolist() == [0, 4999]


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.8, 0.99])
def test_smoothing_is_the_debiased_average(weight: float) -> None:
    values = np.random.default_rng(2).normal(2, 1, 300)
    for n in (1, 2, 50, 300):
        weights = weight ** np.arange(n - 1, -1, -1.0)
        assert smooth(values, weight)[n - 1] == pytest.approx(np.average(values[:n], weights=weights))


def smooth_by_recursion(values: np.ndarray, weight: float) -> np.ndarray:
    """The debiased average as its definition reads, one value after another."""
    smoothed, mean = values.copy(), 0.0
    for count, index in enumerate(np.flatnonzero(np.isfinite(values)), start=1):
        mean = weight * mean + (1 - weight) * values[index]
        smoothed[index] = mean / (1 - weight**count)
    return smoothed


moderate = st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6)
gappy = moderate | st.sampled_from([math.nan, math.inf, -math.inf])
BORDERS = st.sampled_from([0, 1, 2, 3, 4, 5, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1024])


@given(values=BORDERS.flatmap(lambda n: arrays(np.float64, n, elements=gappy)), weight=st.floats(0.01, 0.99))
def test_smoothing_equals_the_recursion(values: np.ndarray, weight: float) -> None:
    smoothed, plain = smooth(values, weight), smooth_by_recursion(values, weight)
    finite = np.isfinite(values)
    assert np.array_equal(smoothed[~finite], values[~finite], equal_nan=True)
    size = smooth_by_recursion(np.abs(values), weight)[
        finite
    ]  # where terms cancel, what is left is compared with them
    assert (np.abs(smoothed[finite] - plain[finite]) <= 1e-9 * size + 1e-250).all()


@pytest.mark.parametrize("weight", [0.01, 0.6, 0.99])
def test_smoothing_a_long_run_equals_the_recursion(weight: float) -> None:
    values = np.random.default_rng(3).normal(0.5, 0.06, 10_000)
    assert np.allclose(smooth(values, weight), smooth_by_recursion(values, weight), rtol=1e-9, atol=0)


def test_smoothing_does_not_change_its_input() -> None:
    values = np.arange(300.0)
    smooth(values, 0.9)
    assert values.tolist() == list(range(300))


def test_smoothing_skips_nonfinite_values() -> None:
    smoothed = smooth(np.array([1.0, math.nan, 3.0, math.inf]), 0.5)
    assert np.isnan(smoothed[1])
    assert smoothed[3] == math.inf
    assert smoothed[2] == pytest.approx(np.average([1, 3], weights=[0.5, 1]))


@given(value=st.floats(-1e6, 1e6), weight=st.floats(0.01, 0.99))
def test_a_flat_line_stays_flat(value: float, weight: float) -> None:
    assert smooth(np.full(50, value), weight) == pytest.approx(np.full(50, value))
