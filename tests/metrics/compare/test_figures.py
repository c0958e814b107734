"""Many runs on one chart: what is drawn of each, how they are told apart, what is written on it."""

from __future__ import annotations

import base64
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.charts.axes import spread_heights
from metrics.charts.controls import Axis, Controls, Scale
from metrics.charts.downsample import smooth
from metrics.compare.charts import figures
from metrics.compare.charts.figures import RunCurve, build_metric_figure, build_rulers
from metrics.compare.charts.run_style import DASHES, MARKERS, RunStyle
from metrics.compare.query import CompareQuery
from metrics.compare.runs import shorten_names
from metrics.metric_names import Metric
from metrics.point_store import NO_POINTS, Points
from metrics.run import Run
from tests.metrics.charts.curves import START
from tests.metrics.compare.runs import SETTINGS, make_series


def decode_numbers(packed: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed["bdata"]), f"<{packed['dtype']}")


def make_curves(metric: Metric = Metric.EVAL_LOSS, axis: Axis = Axis.STEP, count: int = 5) -> list[RunCurve]:
    """The five runs of the team, again under other names where more are asked for."""
    names = [*SETTINGS] * (count // len(SETTINGS) + 1)
    runs = []
    for at, name in enumerate(names[:count]):
        told = SETTINGS[name]
        found = make_series(told["best"], told["at"], told["steps"], seed=at)
        run = Run(steps=141 * told["epochs"], epochs=told["epochs"], started_at=START, over=True)
        runs.append((run, found["/train_total_loss"], found[metric.series_name]))
    measured = build_rulers(axis, [(run, clock) for run, clock, _points in runs], 0.0)
    return [
        RunCurve(f"r{at + 1}", f"intents-{name}", name, RunStyle(at), ruler, points, baseline=at == 0)
        for at, (name, ruler, (_run, _clock, points)) in enumerate(zip(names, measured, runs, strict=False))
    ]


def draw_figure(metric: Metric, runs: list[RunCurve], **view: Any) -> dict[str, Any]:
    return build_metric_figure(metric, runs, CompareQuery(**view))


def labels_by_name(found: dict[str, Any], kind: str) -> dict[str, str]:
    names = [(one["name"], one["text"]) for one in found["layout"]["annotations"]]
    return {name.removeprefix(f"{kind}-"): text for name, text in names if name.startswith(kind)}


@pytest.mark.parametrize("metric", [*Metric])
@pytest.mark.parametrize("axis", [*Axis])
@pytest.mark.parametrize("scale", [*Scale])
def test_plotly_accepts_every_figure(metric: Metric, axis: Axis, scale: Scale) -> None:
    for smoothing in (0, 0.8):
        controls = Controls(smoothing, axis, scale)
        found = draw_figure(metric, make_curves(metric, axis), controls=controls)
        lines = [trace for trace in found["data"] if trace.get("meta") != "star"]
        assert len(lines) == (10 if smoothing and metric.is_training else 5)


def test_every_point_of_a_short_run_is_drawn_exactly() -> None:
    runs = make_curves()
    found = draw_figure(Metric.EVAL_LOSS, runs)
    for run, trace in zip(runs, found["data"], strict=False):
        assert decode_numbers(trace["x"]).tolist() == run.points.steps.tolist()
        assert decode_numbers(trace["y"]).tolist() == run.points.values.tolist()


def test_smoothing_uses_all_points_and_keeps_the_raw_line() -> None:
    runs = make_curves(Metric.TRAIN_LOSS)
    steps = np.arange(1, 10_001)
    values = np.random.default_rng(3).normal(1, 0.2, len(steps))
    runs[0] = replace(runs[0], points=Points.from_arrays(steps, START + steps, values))
    raw, line = draw_figure(Metric.TRAIN_LOSS, runs, controls=Controls(0.9))["data"][:2]
    assert raw["meta"] == "raw"
    assert (raw["opacity"], raw["legendgroup"]) == (0.25, line["legendgroup"])
    kept = decode_numbers(line["x"]).astype(int) - 1
    assert len(kept) < 1100
    np.testing.assert_allclose(decode_numbers(line["y"]), smooth(values, 0.9)[kept], rtol=1e-12)
    assert {values.min(), values.max()} <= {*decode_numbers(raw["y"]).tolist()}


def test_validation_is_drawn_as_measured_whatever_the_smoothing() -> None:
    plain, smoothed = (
        draw_figure(Metric.EVAL_LOSS, make_curves()),
        draw_figure(Metric.EVAL_LOSS, make_curves(), controls=Controls(0.9)),
    )
    assert plain["data"] == smoothed["data"]


def test_fifty_runs_share_the_point_budget_and_keep_extremes() -> None:
    steps = np.arange(1, 10_001)
    runs = []
    for at, curve in enumerate(make_curves(Metric.TRAIN_LOSS, count=50)):
        values = np.random.default_rng(at).normal(1 + at / 50, 0.1, len(steps))
        values[6543 if at == 0 else at] = 9.75
        runs.append(replace(curve, points=Points.from_arrays(steps, START + steps, values)))
    found = draw_figure(Metric.TRAIN_LOSS, runs)["data"]
    assert sum(len(decode_numbers(trace["x"])) for trace in found) < 50 * (figures.MIN_POINTS_PER_RUN + 4)
    for run, trace in zip(runs, found, strict=True):
        y = decode_numbers(trace["y"])
        assert (y.min(), y.max()) == (run.points.values.min(), 9.75)


def test_zooming_in_loads_the_points_of_that_range() -> None:
    steps = np.arange(1, 10_001)
    values = np.random.default_rng(1).normal(1, 0.1, len(steps))
    run = replace(make_curves(Metric.TRAIN_LOSS)[0], points=Points.from_arrays(steps, START + steps, values))
    x = decode_numbers(draw_figure(Metric.TRAIN_LOSS, [run], zoom=(4000.0, 4500.0))["data"][0]["x"])
    assert x.tolist() == [*range(3999, 4502)]


def test_runs_differ_in_color_dash_and_marker() -> None:
    looks = [RunStyle(place) for place in range(24)]
    assert len({(look.color_number, look.style_index) for look in looks}) == 24
    for cycle in range(3):
        found = looks[cycle * 8 : cycle * 8 + 8]
        assert [look.color_number for look in found] == [*range(1, 9)]
        assert {look.svg_dashes for look in found} == {*DASHES}
        assert {look.plotly_marker for look in found} == {f"{marker}-open" for marker in MARKERS}


def test_the_baseline_is_solid_and_heavier() -> None:
    runs = make_curves()
    runs[0] = replace(runs[0], baseline=False)
    runs[2] = replace(runs[2], baseline=True)
    lines = [trace["line"] for trace in draw_figure(Metric.EVAL_LOSS, runs)["data"][:5]]
    assert [line["dash"] for line in lines] == ["solid", "6px,4px", "solid", "6px,3px,2px,3px", "10px,4px"]
    assert [line["width"] for line in lines] == [2.0, 2.0, 3.0, 2.0, 2.0]


def test_star_marks_the_best_comparable_run() -> None:
    runs = make_curves()
    found = draw_figure(Metric.EVAL_LOSS, runs)
    assert labels_by_name(found, "best") == {"r2": "r16 · best 0.409 · step 360"}
    runs[1] = replace(runs[1], ranked=False)
    assert labels_by_name(draw_figure(Metric.EVAL_LOSS, runs), "best") == {"r1": "r8 · best 0.431 · step 420"}
    alone = [runs[0], replace(runs[2], hidden=True)]
    assert labels_by_name(draw_figure(Metric.EVAL_LOSS, alone), "best") == {}


def test_few_lines_have_name_and_last_value_labels() -> None:
    runs = make_curves()
    found = labels_by_name(draw_figure(Metric.EVAL_LOSS, runs), "end")
    assert found == {run.key: f"{run.short} {run.points.values[-1]:.3f}" for run in runs}
    assert labels_by_name(draw_figure(Metric.EVAL_LOSS, make_curves(count=9)), "end") == {}


def test_margin_grows_where_lines_end_near_the_edge() -> None:
    runs = make_curves()
    assert draw_figure(Metric.EVAL_LOSS, runs)["layout"]["margin"]["r"] > 100
    ending = [replace(run, points=run.points[: len(run.points) // 3]) for run in runs]
    assert draw_figure(Metric.EVAL_LOSS, ending)["layout"]["margin"]["r"] < 20


def test_points_above_the_axis_are_reported() -> None:
    runs = make_curves(Metric.TRAIN_LOSS)
    clipped = draw_figure(Metric.TRAIN_LOSS, runs)
    top = clipped["layout"]["yaxis"]["range"][1]
    above = np.concatenate([run.points.values for run in runs])
    assert clipped["outside"] == {"count": int((above > top).sum()), "most": above.max()}
    assert draw_figure(Metric.TRAIN_LOSS, runs, controls=Controls(0, clip=False))["outside"] is None


def test_nonfinite_values_only_break_the_line() -> None:
    run = make_curves()[0]
    values = run.points.values.copy()
    values[3], values[9] = np.nan, np.inf
    odd = replace(run, points=Points.from_arrays(run.points.steps, run.points.wall, values))
    found = draw_figure(Metric.EVAL_LOSS, [odd, replace(make_curves()[1], points=NO_POINTS)])
    y = decode_numbers(found["data"][0]["y"])
    assert np.flatnonzero(np.isnan(y)).tolist() == [3, 9]
    assert len(found["data"]) == 1


def test_runs_without_any_point_give_an_empty_chart() -> None:
    assert (
        draw_figure(Metric.EVAL_LOSS, [replace(run, points=NO_POINTS) for run in make_curves()])["data"] == []
    )


def test_elapsed_time_has_one_unit_for_all_runs() -> None:
    runs = make_curves(axis=Axis.ELAPSED)
    found = draw_figure(Metric.EVAL_LOSS, runs, controls=Controls(0, Axis.ELAPSED))
    for run, trace in zip(runs, found["data"], strict=False):
        np.testing.assert_allclose(decode_numbers(trace["x"]), (run.points.wall - START) / 60)
    assert found["layout"]["xaxis"]["ticksuffix"] == " min"


@given(st.lists(st.floats(0, 400), max_size=8), st.floats(1, 40))
def test_labels_keep_gap_and_order(heights: list[float], gap: float) -> None:
    found = spread_heights(heights, gap)
    order = sorted(range(len(heights)), key=lambda at: heights[at])
    places = [found[at] for at in order]
    assert all(b - a >= gap - 1e-6 for a, b in pairwise(places))
    if all(b - a >= gap for a, b in pairwise(sorted(heights))):
        assert found == pytest.approx(heights)


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["banking77-intents-r8", "banking77-intents-lr2"], ["r8", "lr2"]),
        (["intents", "intents"], ["intents", "intents"]),
        (["run 1", "run 12"], ["1", "12"]),
        (["alone"], ["alone"]),
        (["a", "a-b"], ["a", "a-b"]),
        (["x-" + "long" * 9, "x-b"], ["longlonglonglongl…", "b"]),
    ],
)
def test_short_names_are_distinct(names: list[str], short: list[str]) -> None:
    assert shorten_names(names) == short
