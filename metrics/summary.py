"""The summary of a job's curves, for lists that do not load points."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from metrics.charts.downsample import downsample_points
from metrics.metric_names import EVAL_ACCURACY, EVAL_LOSS, TRAIN_LOSS
from metrics.point_store import NO_POINTS, Points
from metrics.run import Run

SUMMARY_METRICS = (TRAIN_LOSS, EVAL_LOSS, EVAL_ACCURACY)
SPARKLINE_POINTS = 30
"""A sparkline in the list is about 60 pixels wide."""
RATE_WINDOW = 100
"""Points over which the rate is measured: many enough to be stable, few enough to follow a change."""


def summarize_curves(series: Mapping[str, Points], run: Run) -> dict[str, Any]:
    """Return what `TuningJob.summary` stores: raw values, never smoothed, and None for what is unknown.

    `series` holds every point of those in SUMMARY_METRICS, and the last RATE_WINDOW points of the others.
    """
    train, evaluation = series.get(TRAIN_LOSS, NO_POINTS), series.get(EVAL_LOSS, NO_POINTS)
    lowest, last = find_best_index(evaluation), len(evaluation) - 1
    walls = [points.wall[-1] for points in series.values() if len(points)]
    return {
        "best": describe_evaluation(evaluation, lowest, run) if lowest is not None else None,
        "last": describe_evaluation(evaluation, last, run) if len(evaluation) else None,
        "accuracy": get_value_at_evaluation(series.get(EVAL_ACCURACY, NO_POINTS), evaluation, lowest),
        "train_last": finite_or_none(train.values[-1]) if len(train) else None,
        "step": max((int(points.steps[-1]) for points in series.values() if len(points)), default=0),
        "steps": run.steps,
        "spark": build_sparkline(evaluation),
        "rate": measure_rate(train),
        "at": datetime.fromtimestamp(max(walls), UTC).isoformat() if walls else None,
    }


def find_best_index(points: Points) -> int | None:
    """Return the index of the first lowest finite value, or None."""
    finite = np.flatnonzero(np.isfinite(points.values))
    return int(finite[points.values[finite].argmin()]) if len(finite) else None


def describe_evaluation(points: Points, index: int, run: Run) -> dict[str, Any]:
    step = int(points.steps[index])
    epoch = run.epoch_of(step)
    return {
        "value": finite_or_none(points.values[index]),
        "step": step,
        "epoch": None if epoch is None else round(epoch, 2),
    }


def get_value_at_evaluation(points: Points, evaluation: Points, index: int | None) -> dict[str, Any] | None:
    """Return the value of another series at the step of one evaluation, or None."""
    if index is None:
        return None
    step = int(evaluation.steps[index])
    at = int(points.steps.searchsorted(step))
    if at >= len(points) or points.steps[at] != step:
        return None
    return {"value": finite_or_none(points.values[at]), "step": step}


def build_sparkline(points: Points) -> list[float]:
    """Return at most SPARKLINE_POINTS values, including the first, last, lowest and highest."""
    finite = points.values[np.isfinite(points.values)]
    if len(finite) <= SPARKLINE_POINTS:
        return [float(value) for value in finite]
    return [
        float(value)
        for value in finite[downsample_points(np.arange(len(finite)), finite, SPARKLINE_POINTS - 4)]
    ]


def measure_rate(points: Points) -> float | None:
    """Return the present steps per second, or None."""
    recent = points[-RATE_WINDOW:]
    seconds = float(recent.wall[-1] - recent.wall[0]) if len(recent) > 1 else 0.0
    return float(recent.steps[-1] - recent.steps[0]) / seconds if seconds > 0 else None


def finite_or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
