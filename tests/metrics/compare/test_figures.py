"""Many runs on one chart: what is drawn of each, how they are told apart, what is written on it."""

from __future__ import annotations

import base64
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.charts.axes import spread
from metrics.charts.controls import Axis, Controls, Scale
from metrics.charts.downsample import smooth
from metrics.compare.charts import figures
from metrics.compare.charts.figures import Curve, figure, rulers
from metrics.compare.charts.run_style import DASHES, MARKERS, Look
from metrics.compare.query import Metric, View
from metrics.compare.runs import short_names
from metrics.point_store import NONE, Points
from metrics.run import Run
from tests.metrics.charts.curves import START
from tests.metrics.compare.runs import SETTINGS, series


def numbers(packed: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed["bdata"]), f"<{packed['dtype']}")


def made(metric: Metric = Metric.EVAL_LOSS, axis: Axis = Axis.STEP, count: int = 5) -> list[Curve]:
    """The five runs of the team, again under other names where more are asked for."""
    names = [*SETTINGS] * (count // len(SETTINGS) + 1)
    runs = []
    for at, name in enumerate(names[:count]):
        told = SETTINGS[name]
        found = series(told["best"], told["at"], told["steps"], seed=at)
        run = Run(steps=141 * told["epochs"], epochs=told["epochs"], started_at=START, over=True)
        runs.append((run, found["/train_total_loss"], found[metric.series]))
    measured = rulers(axis, [(run, clock) for run, clock, _points in runs], 0.0)
    return [
        Curve(f"r{at + 1}", f"intents-{name}", name, Look(at), ruler, points, baseline=at == 0)
        for at, (name, ruler, (_run, _clock, points)) in enumerate(zip(names, measured, runs, strict=False))
    ]


def drawn(metric: Metric, runs: list[Curve], **view: Any) -> dict[str, Any]:
    """The figure, accepted by Plotly's own check of every attribute."""
    found = figure(metric, runs, View(**view))
    go.Figure({"data": found["data"], "layout": found["layout"]})
    return found


def labels(found: dict[str, Any], kind: str) -> dict[str, str]:
    names = [(one["name"], one["text"]) for one in found["layout"]["annotations"]]
    return {name.removeprefix(f"{kind}-"): text for name, text in names if name.startswith(kind)}


@pytest.mark.parametrize("metric", [*Metric])
@pytest.mark.parametrize("axis", [*Axis])
@pytest.mark.parametrize("scale", [*Scale])
def test_plotly_accepts_every_figure(metric: Metric, axis: Axis, scale: Scale) -> None:
    for smoothing in (0, 0.8):
        controls = Controls(smoothing, axis, scale)
        found = drawn(metric, made(metric, axis), controls=controls)
        lines = [trace for trace in found["data"] if trace.get("meta") != "star"]
        assert len(lines) == (10 if smoothing and metric.trains else 5)


def test_every_point_of_a_short_run_is_drawn_exactly() -> None:
    runs = made()
    found = drawn(Metric.EVAL_LOSS, runs)
    for run, trace in zip(runs, found["data"], strict=False):
        assert numbers(trace["x"]).tolist() == run.points.steps.tolist()
        assert numbers(trace["y"]).tolist() == run.points.values.tolist()


def test_smoothing_is_of_all_points_and_the_raw_line_stays() -> None:
    runs = made(Metric.TRAIN_LOSS)
    steps = np.arange(1, 10_001)
    values = np.random.default_rng(3).normal(1, 0.2, len(steps))
    runs[0] = replace(runs[0], points=Points.of(steps, START + steps, values))
    raw, line = drawn(Metric.TRAIN_LOSS, runs, controls=Controls(0.9))["data"][:2]
    assert raw["meta"] == "raw"
    assert (raw["opacity"], raw["legendgroup"]) == (0.25, line["legendgroup"])
    kept = numbers(line["x"]).astype(int) - 1
    assert len(kept) < 1100
    np.testing.assert_allclose(numbers(line["y"]), smooth(values, 0.9)[kept], rtol=1e-12)
    assert {values.min(), values.max()} <= {*numbers(raw["y"]).tolist()}


def test_validation_is_drawn_as_measured_whatever_the_smoothing() -> None:
    plain, smoothed = drawn(Metric.EVAL_LOSS, made()), drawn(Metric.EVAL_LOSS, made(), controls=Controls(0.9))
    assert plain["data"] == smoothed["data"]


def test_fifty_runs_share_the_points_and_keep_their_extremes() -> None:
    steps = np.arange(1, 10_001)
    runs = []
    for at, curve in enumerate(made(Metric.TRAIN_LOSS, count=50)):
        values = np.random.default_rng(at).normal(1 + at / 50, 0.1, len(steps))
        values[6543 if at == 0 else at] = 9.75
        runs.append(replace(curve, points=Points.of(steps, START + steps, values)))
    found = drawn(Metric.TRAIN_LOSS, runs)["data"]
    assert sum(len(numbers(trace["x"])) for trace in found) < 50 * (figures.LEAST + 4)
    for run, trace in zip(runs, found, strict=True):
        y = numbers(trace["y"])
        assert (y.min(), y.max()) == (run.points.values.min(), 9.75)


def test_zooming_in_brings_the_points_of_that_stretch() -> None:
    steps = np.arange(1, 10_001)
    values = np.random.default_rng(1).normal(1, 0.1, len(steps))
    run = replace(made(Metric.TRAIN_LOSS)[0], points=Points.of(steps, START + steps, values))
    x = numbers(drawn(Metric.TRAIN_LOSS, [run], zoom=(4000.0, 4500.0))["data"][0]["x"])
    assert x.tolist() == [*range(3999, 4502)]


def test_runs_are_told_apart_by_colour_dash_and_marker() -> None:
    looks = [Look(place) for place in range(24)]
    assert len({(look.number, look.style) for look in looks}) == 24
    for cycle in range(3):
        found = looks[cycle * 8 : cycle * 8 + 8]
        assert [look.number for look in found] == [*range(1, 9)]
        assert {look.dashes for look in found} == {*DASHES}
        assert {look.marker for look in found} == {f"{marker}-open" for marker in MARKERS}


def test_the_baseline_is_solid_and_heavier() -> None:
    runs = made()
    runs[0] = replace(runs[0], baseline=False)
    runs[2] = replace(runs[2], baseline=True)
    lines = [trace["line"] for trace in drawn(Metric.EVAL_LOSS, runs)["data"][:5]]
    assert [line["dash"] for line in lines] == ["solid", "6px,4px", "solid", "6px,3px,2px,3px", "10px,4px"]
    assert [line["width"] for line in lines] == [2.0, 2.0, 3.0, 2.0, 2.0]


def test_the_star_is_the_best_of_what_compares() -> None:
    runs = made()
    found = drawn(Metric.EVAL_LOSS, runs)
    assert labels(found, "best") == {"r2": "r16 · best 0.409 · step 360"}
    runs[1] = replace(runs[1], ranked=False)
    assert labels(drawn(Metric.EVAL_LOSS, runs), "best") == {"r1": "r8 · best 0.431 · step 420"}
    alone = [runs[0], replace(runs[2], hidden=True)]
    assert labels(drawn(Metric.EVAL_LOSS, alone), "best") == {}


def test_few_lines_wear_name_and_last_value() -> None:
    runs = made()
    found = labels(drawn(Metric.EVAL_LOSS, runs), "end")
    assert found == {run.key: f"{run.short} {run.points.values[-1]:.3f}" for run in runs}
    assert labels(drawn(Metric.EVAL_LOSS, made(count=9)), "end") == {}


def test_a_margin_makes_room_for_labels_where_lines_end_near_the_edge() -> None:
    runs = made()
    assert drawn(Metric.EVAL_LOSS, runs)["layout"]["margin"]["r"] > 100
    ending = [replace(run, points=run.points[: len(run.points) // 3]) for run in runs]
    assert drawn(Metric.EVAL_LOSS, ending)["layout"]["margin"]["r"] < 20


def test_what_the_axis_leaves_out_is_told() -> None:
    runs = made(Metric.TRAIN_LOSS)
    clipped = drawn(Metric.TRAIN_LOSS, runs)
    top = clipped["layout"]["yaxis"]["range"][1]
    above = np.concatenate([run.points.values for run in runs])
    assert clipped["outside"] == {"count": int((above > top).sum()), "most": above.max()}
    assert drawn(Metric.TRAIN_LOSS, runs, controls=Controls(0, clip=False))["outside"] is None


def test_values_that_are_not_finite_break_the_line_only() -> None:
    run = made()[0]
    values = run.points.values.copy()
    values[3], values[9] = np.nan, np.inf
    odd = replace(run, points=Points.of(run.points.steps, run.points.wall, values))
    found = drawn(Metric.EVAL_LOSS, [odd, replace(made()[1], points=NONE)])
    y = numbers(found["data"][0]["y"])
    assert np.flatnonzero(np.isnan(y)).tolist() == [3, 9]
    assert len(found["data"]) == 1


def test_runs_without_any_point_give_an_empty_chart() -> None:
    assert drawn(Metric.EVAL_LOSS, [replace(run, points=NONE) for run in made()])["data"] == []


def test_elapsed_time_has_one_unit_for_all() -> None:
    runs = made(axis=Axis.ELAPSED)
    found = drawn(Metric.EVAL_LOSS, runs, controls=Controls(0, Axis.ELAPSED))
    for run, trace in zip(runs, found["data"], strict=False):
        np.testing.assert_allclose(numbers(trace["x"]), (run.points.wall - START) / 60)
    assert found["layout"]["xaxis"]["ticksuffix"] == " min"


@given(st.lists(st.floats(0, 400), max_size=8), st.floats(1, 40))
def test_labels_keep_their_distance_and_order(heights: list[float], gap: float) -> None:
    found = spread(heights, gap)
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
def test_short_names_tell_apart(names: list[str], short: list[str]) -> None:
    assert short_names(names) == short
