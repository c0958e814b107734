"""Estimates of a run's epochs, tokens, steps, time and cost, each with its basis (pure).

A figure that follows neither from the request, the catalog, the operator nor from earlier jobs is None.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, NamedTuple

from studio.vertex.catalog import BaseModel

MILLION = 1_000_000
SIMILAR_SIZE_FACTOR = 1.1
"""The service recommends epochs by the number of examples; 10% more or less is treated as the same size."""
NEAR_SIZE_FACTOR = 4.0
"""Startup and export take a fixed time, so the pace of a run over 4 times smaller or larger is unreliable."""


class Range(NamedTuple):
    low: float
    high: float

    def times(self, factor: float) -> Range:
        return Range(self.low * factor, self.high * factor)

    @property
    def is_single(self) -> bool:
        return self.low == self.high


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Training data of a draft: `tokens` is our own estimate, `ratio` the service's tokens per estimated
    token and `version` identifies the content of the file."""

    examples: int
    tokens: int
    ratio: float | None = None
    version: tuple[str, int] = ("", 0)


@dataclass(frozen=True, slots=True)
class PastJob:
    """A finished job on the same base.

    `tokens` (our estimate) and `counted` (by the service) cover one epoch of the training data; `asked` is
    True if the user chose the epochs. Unknown values are None.
    """

    name: str
    seconds: float | None = None
    epochs: int | None = None
    asked: bool = False
    examples: int | None = None
    tokens: int | None = None
    counted: int | None = None
    steps: int | None = None
    version: tuple[str, int] = ("", 0)

    @property
    def tokens_processed(self) -> float:
        """Estimated tokens of all epochs, or 0 if unknown."""
        return float((self.tokens or 0) * (self.epochs or 0))


@dataclass(frozen=True, slots=True)
class Epochs:
    """Epochs of a run.

    `jobs` is the number of earlier jobs used; the basis "unknown" means figures per epoch.
    """

    range: Range
    basis: Literal["asked", "catalog", "jobs", "unknown"]
    jobs: int = 0


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one epoch; `job` is the job in which the service counted the same data."""

    once: int
    basis: Literal["counted", "calibrated", "estimated"]
    job: str = ""


@dataclass(frozen=True, slots=True)
class Amount:
    """A figure and its basis. `jobs` is the number of earlier jobs used, 0 for figures of the catalog or the
    operator. `far` is True if those jobs differ in size by more than NEAR_SIZE_FACTOR."""

    range: Range
    jobs: int = 0
    far: bool = False


@dataclass(frozen=True, slots=True)
class Estimate:
    epochs: Epochs
    tokens: Tokens | None
    steps: Amount | None
    seconds: Amount | None
    dollars: Amount | None

    @property
    def per_epoch(self) -> bool:
        return self.epochs.basis == "unknown"


def estimate_run(
    data: TrainingData, model: BaseModel, epoch_count: int | None, past: Sequence[PastJob]
) -> Estimate:
    """Return the estimate of a run. `past` is ordered from newest to oldest."""
    epochs = estimate_epochs(data, model, epoch_count, past)
    tokens = estimate_tokens(data, past)
    return Estimate(
        epochs,
        tokens,
        estimate_steps(data, model, epochs, past),
        estimate_seconds(data, epochs, past),
        estimate_cost(model, epochs, tokens),
    )


def estimate_epochs(
    data: TrainingData, model: BaseModel, epoch_count: int | None, past: Iterable[PastJob]
) -> Epochs:
    if epoch_count:
        return Epochs(Range(epoch_count, epoch_count), "asked")
    if model.recommended:
        count = model.recommended.recommend_epochs(data.examples)
        return Epochs(Range(count, count), "catalog")
    runs = [run for run in past if run.epochs and not run.asked]
    runs = [run for run in runs if is_similar_size(run.examples, data.examples)] or runs
    counts = [run.epochs for run in runs if run.epochs]
    if not counts:
        return Epochs(Range(1, 1), "unknown")
    return Epochs(Range(min(counts), max(counts)), "jobs", len(counts))


def is_similar_size(one: int | None, other: int) -> bool:
    return bool(one) and is_within_factor(one or 0, other, SIMILAR_SIZE_FACTOR)


def is_within_factor(one: float, other: float, factor: float) -> bool:
    return one <= other * factor and other <= one * factor


def estimate_tokens(data: TrainingData, past: Iterable[PastJob]) -> Tokens | None:
    for run in past:
        if run.counted and data.version[0] and run.version == data.version:
            return Tokens(run.counted, "counted", run.name)
    if not data.tokens:
        return None
    if data.ratio:
        return Tokens(round(data.tokens * data.ratio), "calibrated")
    return Tokens(data.tokens, "estimated")


def estimate_steps(
    data: TrainingData, model: BaseModel, epochs: Epochs, past: Iterable[PastJob]
) -> Amount | None:
    """Return the number of steps from the batch size in the catalog or in earlier jobs."""
    if not data.examples:
        return None
    if model.recommended:
        return Amount(epochs.range.times(model.recommended.steps_per_epoch(data.examples)))
    batches = [
        run.examples * run.epochs / run.steps for run in past if run.examples and run.epochs and run.steps
    ]
    if not batches:
        return None
    once = max(1, round(data.examples / median(batches)))
    return Amount(epochs.range.times(once), len(batches))


def estimate_seconds(data: TrainingData, epochs: Epochs, past: Iterable[PastJob]) -> Amount | None:
    """Return the duration in seconds at the median pace of the jobs closest in size.

    Both sides use our own token estimate, so that its error cancels.
    """
    work = epochs.range.times(data.tokens)
    paced = [run for run in past if run.seconds and run.seconds > 0 and run.tokens_processed > 0]
    near = [run for run in paced if is_within_factor(run.tokens_processed, sum(work) / 2, NEAR_SIZE_FACTOR)]
    comparable = near or paced
    if not comparable or not data.tokens:
        return None
    pace = median((run.seconds or 0) / run.tokens_processed for run in comparable)
    return Amount(work.times(pace), len(comparable), far=not near)


def estimate_cost(model: BaseModel, epochs: Epochs, tokens: Tokens | None) -> Amount | None:
    if model.price is None or tokens is None:
        return None
    return Amount(epochs.range.times(tokens.once * model.price / MILLION))
