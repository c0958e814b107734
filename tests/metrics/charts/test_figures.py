"""Figures say what is stored: the same numbers, the same best, the whole planned run."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.tuning_job_resource import Checkpoint
from metrics.charts.controls import Axis, Controls, Scale
from metrics.charts.downsample import smooth
from metrics.charts.figures import build_figures
from metrics.point_store import Points
from metrics.run import Run
from metrics.summary import summarize_curves
from tests.metrics.charts.curves import ENDPOINT, EPOCHS, START, STEPS, make_series

LOSS, EVAL = "/train_total_loss", "/eval_total_loss"
RUN = Run(
    steps=STEPS,
    epochs=EPOCHS,
    started_at=START,
    checkpoints=tuple(Checkpoint(str(n), n, 141 * n, ENDPOINT.format(n=n)) for n in (1, 2, 3)),
    endpoint=ENDPOINT.format(n=3),
)
RAW = Controls(smoothing=0)


def decode_numbers(field: Any) -> np.ndarray:
    """What Plotly reads: a typed array in base64, or a list."""
    if isinstance(field, list):
        return np.array(field, float)
    return np.frombuffer(base64.b64decode(field["bdata"]), np.dtype(field["dtype"])).astype(float)


def traces_by_name(figure: dict[str, Any]) -> dict[str, tuple[list[float], list[float]]]:
    return {
        one.get("name", one["mode"]): (decode_numbers(one["x"]).tolist(), decode_numbers(one["y"]).tolist())
        for one in figure["data"]
    }


def labels_by_name(figure: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one for one in figure["layout"]["annotations"] if one["name"].startswith(kind)]


def test_every_chart_shows_the_stored_numbers() -> None:
    series = make_series()
    drawn = build_figures(series, RUN, RAW)
    for chart, metric in (
        ("loss", "total_loss"),
        ("accuracy", "fraction_of_correct_next_step_preds"),
        ("predictions", "num_predictions"),
    ):
        points = series[f"/train_{metric}"]
        assert traces_by_name(drawn[chart])["Train"] == (points.steps.tolist(), points.values.tolist())
    points = series[EVAL]
    assert traces_by_name(drawn["loss"])["Validation"] == (points.steps.tolist(), points.values.tolist())
    assert "Validation" not in traces_by_name(drawn["predictions"])


def test_smoothing_uses_all_points_and_keeps_the_raw_line() -> None:
    values = np.random.default_rng(3).normal(1, 0.2, 5000)
    at = np.arange(5000)
    drawn = traces_by_name(
        build_figures({LOSS: Points.from_arrays(at, at, values)}, Run(), Controls(smoothing=0.9))["loss"]
    )
    (raw_x, raw_y), (x, y) = drawn["Train (raw)"], drawn["Train"]
    assert raw_x == x
    assert len(x) < 1010
    assert y == smooth(values, 0.9)[np.array(x, int)].tolist()
    assert (min(raw_y), max(raw_y)) == (values.min(), values.max())


def test_best_is_unsmoothed_and_matches_the_summary() -> None:
    series = make_series()
    loss = build_figures(series, RUN, Controls())["loss"]
    best = summarize_curves(series, RUN)["best"]
    assert traces_by_name(loss)["markers"] == ([best["step"]], [best["value"]])
    assert [one["text"] for one in labels_by_name(loss, "best")] == [
        f"best {best['value']:.3f} · step {best['step']} · epoch {best['epoch']:.2f}"
    ]


def test_end_labels_show_last_values_without_overlap() -> None:
    series = make_series()
    loss = build_figures(series, RUN, Controls(smoothing=0.5))["loss"]
    ends = labels_by_name(loss, "end")
    last = smooth(series[LOSS].values, 0.5)[-1], series[EVAL].values[-1]
    assert [one["text"] for one in ends] == [f"Train {last[0]:.3f}", f"Validation {last[1]:.3f}"]
    bottom, top = loss["layout"]["yaxis"]["range"]
    heights = [one["y"] / (top - bottom) * 316 + one["yshift"] for one in ends]
    assert abs(heights[0] - heights[1]) >= 16.9


def test_checkpoints_are_at_their_steps_and_default_is_filled() -> None:
    drawn = build_figures(make_series(), RUN, Controls())
    for figure in drawn.values():
        assert [shape["x0"] for shape in figure["layout"]["shapes"]] == [141, 282, 423]
    marks = labels_by_name(drawn["loss"], "checkpoint")
    assert [mark["text"] for mark in marks] == ["1", "2", "3"]
    assert [mark["bgcolor"] for mark in marks] == ["var(--bg-raised)"] * 2 + ["var(--primary)"]


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (Axis.STEP, (0, 564)),
        (Axis.EPOCH, (0, 4)),
        (Axis.ELAPSED, (0, 564 / 60)),
        (Axis.CLOCK, (START * 1000, (START + 564) * 1000)),
    ],
)
def test_the_x_axis_is_the_whole_planned_run(axis: Axis, expected: tuple[float, float]) -> None:
    loss = build_figures(make_series(), RUN, Controls(axis=axis))["loss"]
    assert loss["layout"]["xaxis"]["range"] == pytest.approx(expected)
    shapes = [shape["x0"] for shape in loss["layout"]["shapes"]]
    share = [(x - expected[0]) / (expected[1] - expected[0]) for x in shapes]
    assert share == pytest.approx([0.25, 0.5, 0.75], abs=0.001)


def test_a_run_that_goes_on_past_its_plan_is_shown_whole() -> None:
    loss = build_figures(make_series(700), RUN, Controls())["loss"]
    assert loss["layout"]["xaxis"]["range"] == [0, 700]


def test_a_run_that_ended_early_is_shown_up_to_its_end() -> None:
    stopped = replace(RUN, over=True, checkpoints=RUN.checkpoints[:1])
    assert build_figures(make_series(200), stopped, Controls())["loss"]["layout"]["xaxis"]["range"] == [
        0,
        200,
    ]


def test_clock_axis_uses_the_local_time_zone() -> None:
    loss = build_figures(make_series(), RUN, Controls(smoothing=0, axis=Axis.CLOCK), offset=9 * 3600)["loss"]
    assert traces_by_name(loss)["Train"][0][0] == (START + 1 + 9 * 3600) * 1000


def test_clipping_cuts_off_steep_start_and_spikes() -> None:
    series = make_series()
    spiked = series[LOSS].values.copy()
    spiked[300] = 50.0
    series[LOSS] = Points(series[LOSS].steps, series[LOSS].wall, spiked)
    clipped = build_figures(series, RUN, Controls())["loss"]["layout"]["yaxis"]["range"]
    whole = build_figures(series, RUN, Controls(clip=False))["loss"]["layout"]["yaxis"]["range"]
    assert 1 < clipped[1] < 3
    assert whole[1] > 50
    assert clipped[0] < spiked.min()


def test_a_logarithmic_axis_is_in_powers_of_ten() -> None:
    layout = build_figures(make_series(), RUN, Controls(scale=Scale.LOG, clip=False))["loss"]["layout"]
    values = make_series()[LOSS].values
    bottom, top = layout["yaxis"]["range"]
    assert layout["yaxis"]["type"] == "log"
    assert 10**bottom <= values.min()
    assert values.max() <= 10**top
    assert all(
        bottom <= one["y"] <= top for one in layout["annotations"] if one["name"][:3] in ("end", "bes")
    )


def test_nonfinite_values_break_the_line() -> None:
    values = np.array([3.0, np.nan, 2.0, np.inf, 1.0])
    points = Points.from_arrays(range(1, 6), range(5), values)
    y = traces_by_name(build_figures({LOSS: points}, Run(), RAW)["loss"])["Train"][1]
    assert np.array_equal(y, [3, np.nan, 2, np.nan, 1], equal_nan=True)


def test_colors_are_css_variables_and_labels_have_no_markup() -> None:
    said = json.dumps(build_figures(make_series(), RUN, Controls()))
    assert "var(--train)" in said
    assert "#" not in said
    assert "<b>" not in said


odd = st.floats(width=32)


@given(
    train=st.lists(odd, max_size=30),
    evaluation=st.lists(odd, max_size=8),
    axis=st.sampled_from(Axis),
    scale=st.sampled_from(Scale),
    clip=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.8]),
    steps=st.none() | st.integers(1, 50),
)
def test_any_values_give_json_serializable_figures(
    train: list[float],
    evaluation: list[float],
    axis: Axis,
    scale: Scale,
    clip: bool,
    smoothing: float,
    steps: int | None,
) -> None:
    series = {
        metric: Points.from_arrays(range(len(values)), np.arange(len(values)) + START, values)
        for metric, values in ((LOSS, train), (EVAL, evaluation))
        if values
    }
    run = Run(steps=steps, epochs=2, checkpoints=RUN.checkpoints[:1])
    drawn = build_figures(series, run, Controls(smoothing, axis, scale, clip))
    json.dumps(drawn, allow_nan=False)


def test_sparkline_keeps_the_lowest_value() -> None:
    at = np.arange(200)
    values = np.abs(at - 137.0) + 1
    said = summarize_curves({EVAL: Points.from_arrays(at, at, values)}, Run())
    assert len(said["spark"]) <= 30
    assert min(said["spark"]) == 1
    assert (said["spark"][0], said["spark"][-1]) == (138, 63)
    assert said["best"] == {"value": 1.0, "step": 137, "epoch": None}
