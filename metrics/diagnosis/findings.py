"""Findings about the curves of a run, with the numbers that show them. Plain data, no words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from jobs.tuning_job_resource import Checkpoint


@dataclass(frozen=True, slots=True)
class Reading:
    """One stored value."""

    metric: str
    step: int
    value: float


@dataclass(frozen=True, slots=True)
class Level:
    """The median of the stored values from one step to another."""

    metric: str
    first: int
    last: int
    value: float


@dataclass(frozen=True, slots=True)
class NotANumber:
    """Values that are NaN or infinite; `is_lasting` if no finite value followed."""

    metric: str
    first: int
    count: int
    is_lasting: bool
    kind: ClassVar[str] = "not_a_number"


@dataclass(frozen=True, slots=True)
class Divergence:
    lowest: Level
    now: Level
    kind: ClassVar[str] = "diverged"


@dataclass(frozen=True, slots=True)
class Overfitting:
    """`start` is the last evaluation that equals the lowest within noise; `now` is the last one."""

    start: Reading
    epoch: float | None
    now: Reading
    kind: ClassVar[str] = "overfitting"


@dataclass(frozen=True, slots=True)
class Plateau:
    """`best` is the first evaluation that equals the lowest; `checks` is the number of evaluations after
    it."""

    best: Reading
    checks: int
    kind: ClassVar[str] = "plateau"


@dataclass(frozen=True, slots=True)
class StillFalling:
    """A run that reached its planned end while validation loss was falling."""

    before: Reading
    now: Reading
    kind: ClassVar[str] = "falling"


@dataclass(frozen=True, slots=True)
class MeasuredCheckpoint:
    checkpoint: Checkpoint
    loss: Reading


@dataclass(frozen=True, slots=True)
class CheckpointChoice:
    """The exported checkpoint nearest to the lowest loss; `last` and `default` are None unless they are
    worse."""

    best: MeasuredCheckpoint
    is_default: bool
    last: MeasuredCheckpoint | None
    default: MeasuredCheckpoint | None
    kind: ClassVar[str] = "kept"


@dataclass(frozen=True, slots=True)
class NoEvaluation:
    """There is no validation loss; `has_dataset` says whether there is a validation dataset."""

    has_dataset: bool
    kind: ClassVar[str] = "no_evaluation"


Finding: TypeAlias = (
    NotANumber | Divergence | Overfitting | Plateau | StillFalling | CheckpointChoice | NoEvaluation
)
