"""A job's curves in a few numbers, for lists that show curves without loading points."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from metrics.charts.downsample import thin
from metrics.point_store import NONE, Points
from metrics.run import Run

TRAIN_LOSS, EVAL_LOSS = "/train_total_loss", "/eval_total_loss"
EVAL_ACCURACY = "/eval_fraction_of_correct_next_step_preds"
JUDGED = (TRAIN_LOSS, EVAL_LOSS, EVAL_ACCURACY)
SPARK = 30
RECENT = 100
"""Points over which the rate is measured: long enough to be calm, short enough to notice a change."""


def summarise(series: Mapping[str, Points], run: Run) -> dict[str, Any]:
    """What `TuningJob.summary` holds; values are raw, never smoothed, and what is unknown is None.

    It takes every point of the series in JUDGED, and of the others the last RECENT.
    """
    train, evaluation = series.get(TRAIN_LOSS, NONE), series.get(EVAL_LOSS, NONE)
    lowest, last = best(evaluation), len(evaluation) - 1
    walls = [points.wall[-1] for points in series.values() if len(points)]
    return {
        "best": found(evaluation, lowest, run) if lowest is not None else None,
        "last": found(evaluation, last, run) if len(evaluation) else None,
        "accuracy": measured(series.get(EVAL_ACCURACY, NONE), evaluation, lowest),
        "train_last": number(train.values[-1]) if len(train) else None,
        "step": max((int(points.steps[-1]) for points in series.values() if len(points)), default=0),
        "steps": run.steps,
        "spark": spark(evaluation),
        "rate": rate(train),
        "at": datetime.fromtimestamp(max(walls), UTC).isoformat() if walls else None,
    }


def best(points: Points) -> int | None:
    """Index of the first lowest finite value."""
    finite = np.flatnonzero(np.isfinite(points.values))
    return int(finite[points.values[finite].argmin()]) if len(finite) else None


def found(points: Points, index: int, run: Run) -> dict[str, Any]:
    step = int(points.steps[index])
    epoch = run.epoch_of(step)
    return {
        "value": number(points.values[index]),
        "step": step,
        "epoch": None if epoch is None else round(epoch, 2),
    }


def measured(points: Points, evaluation: Points, index: int | None) -> dict[str, Any] | None:
    """The value of another series at the step of one evaluation."""
    if index is None:
        return None
    step = int(evaluation.steps[index])
    at = int(points.steps.searchsorted(step))
    if at >= len(points) or points.steps[at] != step:
        return None
    return {"value": number(points.values[at]), "step": step}


def spark(points: Points) -> list[float]:
    """At most SPARK values, first, last, lowest and highest among them."""
    finite = points.values[np.isfinite(points.values)]
    if len(finite) <= SPARK:
        return [float(value) for value in finite]
    return [float(value) for value in finite[thin(np.arange(len(finite)), finite, SPARK - 4)]]


def rate(points: Points) -> float | None:
    """Steps per second of late."""
    recent = points[-RECENT:]
    seconds = float(recent.wall[-1] - recent.wall[0]) if len(recent) > 1 else 0.0
    return float(recent.steps[-1] - recent.steps[0]) / seconds if seconds > 0 else None


def number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
