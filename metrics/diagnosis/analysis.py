"""Analyze the curves of a run: findings with their numbers; messages.py puts them into words.

Plain data in, plain data out. Losses are analyzed raw, never smoothed. Too few points yield no finding.
DECISIONS.md explains the tolerances in detail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np

from jobs.tuning_job_resource import Checkpoint
from metrics.diagnosis.findings import (
    CheckpointChoice,
    Divergence,
    Finding,
    Level,
    MeasuredCheckpoint,
    NoEvaluation,
    NotANumber,
    Overfitting,
    Plateau,
    Reading,
    StillFalling,
)
from metrics.metric_names import EVAL_LOSS, TRAIN_LOSS
from metrics.point_store import NO_POINTS, Numbers, Points
from metrics.run import Run, step_of

TIE_TOLERANCE = 0.005
"""Losses within this share of the lowest are equal, even on a smooth curve: half a percent changes no
answers."""
NOISE_MULTIPLE = 2.0
"""Losses within this many standard deviations of the noise are equal, too: chance explains such a difference
..."""
PLAIN_RISE = 0.1
"""... but a loss that is higher by this share is worse in any case: otherwise no spiky curve would have a
best."""
MIN_EVALUATIONS = 5
"""With fewer evaluations a curve has no course to speak of."""
MIN_FOR_NOISE = 8
"""Third differences of fewer evaluations are too few for their median; without an estimate of the noise,
every evaluation of a rise must lie above the one before."""
PATIENCE = 3
"""Evaluations without a new best before a curve counts as level: one or two are often chance."""
MIN_BLOCK, MAX_BLOCKS = 5, 20
"""Points in a block at least, whose median one or two spikes do not change, and blocks of a curve at most."""
DIVERGENCE_FACTOR = 2.0
"""A loss this many times its lowest level has diverged, if it also lost a tenth of what it had gained: a
curve near zero doubles by chance."""
RISING_TAU = 0.4
"""Kendall's tau above which values rise: scattered values rarely reach it, a rise with noise does."""


ALERTS = (NotANumber, Divergence, Overfitting, Plateau)


def analyze_curves(series: Mapping[str, Points], run: Run, *, validated: bool = True) -> list[Finding]:
    """Return the findings, the most important first; `validated` says whether the run has a validation
    dataset."""
    train, evaluation = series.get(TRAIN_LOSS, NO_POINTS), series.get(EVAL_LOSS, NO_POINTS)
    curve = EvaluationCurve(evaluation.drop_nonfinite())
    broken: list[NotANumber | Divergence] = [
        *find_odd_values(TRAIN_LOSS, train),
        *find_odd_values(EVAL_LOSS, evaluation),
        *find_divergence(train.drop_nonfinite(), curve),
    ]
    course = (
        []
        if any(isinstance(one, Divergence) for one in broken)
        else judge_course(train.drop_nonfinite(), curve, run)
    )
    absent = [NoEvaluation(validated)] if len(train) and not len(evaluation) else []
    said = [one for one in absent if run.over or not validated]
    found: list[Finding] = [*broken, *course, *choose_checkpoint(curve, evaluation, run), *said]
    return found


def find_alerts(series: Mapping[str, Points], run: Run) -> list[str]:
    """Return the kinds of findings that need attention, for lists that do not load points."""
    kinds = [found.kind for found in analyze_curves(series, run) if isinstance(found, ALERTS)]
    return list(dict.fromkeys(kinds))


class EvaluationCurve:
    """The finite evaluations in order, and which differences between them count."""

    def __init__(self, points: Points) -> None:
        self.points = points
        self.values = points.values

    def __len__(self) -> int:
        return len(self.points)

    def reading_at(self, index: int) -> Reading:
        index %= len(self)
        return Reading(EVAL_LOSS, int(self.points.steps[index]), float(self.values[index]))

    @cached_property
    def lowest(self) -> float:
        return float(self.values.min())

    @cached_property
    def noise(self) -> float:
        return estimate_noise(self.values)

    @cached_property
    def tolerance(self) -> float:
        return max(TIE_TOLERANCE * abs(self.lowest), NOISE_MULTIPLE * self.noise)

    @property
    def tie_margin(self) -> float:
        return min(self.tolerance, PLAIN_RISE * abs(self.lowest))

    @cached_property
    def best_index(self) -> int:
        """The earliest evaluation that equals the lowest."""
        return int(np.flatnonzero(self.values <= self.lowest + self.tie_margin)[0])

    @cached_property
    def turn_index(self) -> int:
        """The last evaluation that equals the lowest within noise: a rise would begin there."""
        return int(np.flatnonzero(self.values <= self.lowest + self.tolerance)[-1])

    @property
    def checks_since_best(self) -> int:
        """Evaluations since the best."""
        return len(self) - 1 - self.best_index

    @property
    def patience(self) -> int:
        return max(PATIENCE, len(self) // 10)

    @property
    def is_rising(self) -> bool:
        """Whether the end lies above the lowest value by more than chance explains.

        By chance alone the lowest of n values lies up to sqrt(2 ln n) times the noise below their mean.
        """
        after = self.values[self.turn_index :]
        end = after[1:][-PATIENCE:]
        if len(end) < 2 or _kendall_tau(after) <= RISING_TAU:
            return False
        rise = float(end.mean()) - self.lowest
        plain = rise > PLAIN_RISE * abs(self.lowest) and bool((np.diff(after) > 0).all())
        if len(self) < MIN_FOR_NOISE or (plain and len(after) > PATIENCE):
            return plain
        chance = np.sqrt(2 * np.log(len(self))) + NOISE_MULTIPLE / np.sqrt(len(end))
        return rise > max(2 * self.tolerance, float(chance) * self.noise)

    @property
    def is_falling(self) -> bool:
        """Whether the end is the lowest, and clearly below the values a few evaluations earlier."""
        end = self.values[-1 - self.patience :]
        fell = float(end[0] - end[-1])
        if len(self) < MIN_FOR_NOISE:
            return fell > PLAIN_RISE * abs(self.lowest) and bool((np.diff(end) < 0).all())
        return self.turn_index == len(self) - 1 and fell > 2 * self.tolerance


def estimate_noise(values: Numbers) -> float:
    """Return the standard deviation around the smooth curve of the second half; 0 for fewer than
    MIN_FOR_NOISE.

    Third differences remove any parabola, and their median ignores the few points where a curve bends. An
    estimate from few values is increased.
    """
    if len(values) < MIN_FOR_NOISE:
        return 0.0
    late = values[-max(MIN_FOR_NOISE, len(values) // 2) :]
    return float(1.4826 * np.median(np.abs(np.diff(late, 3))) / np.sqrt(20) * (1 + 4 / len(late)))


def _kendall_tau(values: Numbers) -> float:
    """Return Kendall's tau with time: 1 if each value is above all before it, about 0 if they only
    scatter."""
    signs = np.sign(values[None, :] - values[:, None])[np.triu_indices(len(values), 1)]
    return float(signs.mean()) if len(signs) else 0.0


def find_odd_values(metric: str, points: Points) -> Iterator[NotANumber]:
    steps = points.nonfinite_steps()
    if len(steps):
        finite = points.drop_nonfinite().steps
        is_lasting = not len(finite) or bool(finite[-1] < steps[0])
        yield NotANumber(metric, int(steps[0]), len(steps), is_lasting)


def find_divergence(train: Points, curve: EvaluationCurve) -> list[Divergence]:
    found = [*_iter_divergence(TRAIN_LOSS, train)]
    # A validation loss that doubles while training loss falls is overfitting, not divergence.
    if not found and len(curve) >= MIN_EVALUATIONS and not _falls_after(train, curve.turn_index, curve):
        found = [*_iter_divergence(EVAL_LOSS, curve.points, 2)]
    return found


def _iter_divergence(metric: str, points: Points, least: int = MIN_BLOCK) -> Iterator[Divergence]:
    found = levels(metric, points, least)
    if len(found) < 2:
        return
    first, now = found[0].value, found[-1]
    lowest = min(found, key=lambda level: level.value)
    if (
        now.value >= DIVERGENCE_FACTOR * lowest.value
        and now.value - lowest.value > (first - lowest.value) / 10
    ):
        yield Divergence(lowest, now)


def levels(metric: str, points: Points, least: int = MIN_BLOCK) -> list[Level]:
    """Return the levels of blocks of equal length; a remainder at the beginning is left out."""
    size = max(least, len(points) // MAX_BLOCKS)
    if len(points) < size:
        return []
    rest = points[len(points) % size :]
    steps, values = rest.steps.reshape(-1, size), np.median(rest.values.reshape(-1, size), axis=1)
    return [
        Level(metric, int(first), int(last), float(value))
        for first, last, value in zip(steps[:, 0], steps[:, -1], values, strict=True)
    ]


def judge_course(
    train: Points, curve: EvaluationCurve, run: Run
) -> list[Overfitting | Plateau | StillFalling]:
    """Return at most one finding about the course of the validation loss."""
    if len(curve) < MIN_EVALUATIONS:
        return []
    if curve.is_rising and _falls_after(train, curve.turn_index, curve):
        found = curve.reading_at(curve.turn_index)
        return [Overfitting(found, run.epoch_of(found.step), curve.reading_at(-1))]
    if curve.checks_since_best >= curve.patience:
        return [Plateau(curve.reading_at(curve.best_index), curve.checks_since_best)]
    before, now = curve.reading_at(-1 - curve.patience), curve.reading_at(-1)
    return [StillFalling(before, now)] if curve.is_falling and _is_near_planned_end(run, now.step) else []


def _falls_after(train: Points, start: int, curve: EvaluationCurve) -> bool:
    """Whether training loss is lower at the end than around that evaluation, by more than TIE_TOLERANCE."""
    if len(train) < 2 * MIN_BLOCK:
        return False
    at = int(train.steps.searchsorted(curve.points.steps[start], side="right"))
    size = max(MIN_BLOCK, min(at, len(train) - at) // 2)
    then, now = np.median(train.values[max(0, at - size) : at]), np.median(train.values[-size:])
    return at >= MIN_BLOCK and bool(now < then - TIE_TOLERANCE * abs(then))


def _is_near_planned_end(run: Run, step: int) -> bool:
    return run.over and bool(run.steps) and step >= 0.9 * (run.steps or 0)


def choose_checkpoint(curve: EvaluationCurve, evaluation: Points, run: Run) -> list[CheckpointChoice]:
    """Choose, among checkpoints that equal the lowest, the default or else the earliest."""
    measured = [one for one in (_measure_checkpoint(each, evaluation) for each in run.checkpoints) if one]
    if len(curve) < PATIENCE or not measured:
        return []
    limit = min(one.loss.value for one in measured) + curve.tie_margin
    ties = [one for one in measured if one.loss.value <= limit]
    default = next((one for one in measured if run.is_default(one.checkpoint)), None)
    best = next((one for one in ties if one is default), ties[0])
    last, worse = measured[-1], [one for one in measured if one not in ties]
    return [
        CheckpointChoice(
            best, best is default, last if last in worse else None, default if default in worse else None
        )
    ]


def _measure_checkpoint(checkpoint: Checkpoint, evaluation: Points) -> MeasuredCheckpoint | None:
    """Return None also if the last evaluation before it was not a number: an older one could be too good."""
    index = int(evaluation.steps.searchsorted(step_of(checkpoint), side="right")) - 1
    if index < 0 or not np.isfinite(evaluation.values[index]):
        return None
    return MeasuredCheckpoint(
        checkpoint, Reading(EVAL_LOSS, int(evaluation.steps[index]), float(evaluation.values[index]))
    )
