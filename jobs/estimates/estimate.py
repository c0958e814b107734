"""What a run will take: epochs, tokens, steps, time and cost, each with what it rests on (pure).

What neither the request, the catalogue, the operator nor earlier jobs tell is None: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, NamedTuple

from studio.vertex.catalog import BaseModel

MILLION = 1_000_000
SIMILAR_SIZE_FACTOR = 1.1
"""Datasets whose numbers of examples differ by less get the same recommended epochs."""
NEAR_SIZE_FACTOR = 4.0
"""Starting and ending a run takes time of its own: the pace of a much smaller run tells little."""


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
    """The training data of a draft: `tokens` by our own estimate, `ratio` the service's tokens for each of
    them, `version` what makes two files the same."""

    examples: int
    tokens: int
    ratio: float | None = None
    version: tuple[str, int] = ("", 0)


@dataclass(frozen=True, slots=True)
class PastJob:
    """A finished job on the same base. `tokens` is our estimate and `counted` the service's number, both of
    the training data once through; `asked` says that a person chose the epochs. None is what nobody told."""

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
        """Estimated tokens gone through; 0 where that is not known."""
        return float((self.tokens or 0) * (self.epochs or 0))


@dataclass(frozen=True, slots=True)
class Epochs:
    """`jobs` is how many earlier jobs it rests on; with the basis "unknown" the numbers are for one epoch."""

    range: Range
    basis: Literal["asked", "catalogue", "jobs", "unknown"]
    jobs: int = 0


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of the dataset, once through; `job` is the one in which the service counted the same data."""

    once: int
    basis: Literal["counted", "calibrated", "estimated"]
    job: str = ""


@dataclass(frozen=True, slots=True)
class Amount:
    """`jobs` is how many earlier jobs it rests on; 0 where it comes from the catalogue or the operator. `far`
    says that these were of quite another size."""

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
    """`past` comes newest first."""
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
        return Epochs(Range(count, count), "catalogue")
    told = [run for run in past if run.epochs and not run.asked]
    told = [run for run in told if is_similar_size(run.examples, data.examples)] or told
    counts = [run.epochs for run in told if run.epochs]
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
    """By the batch size that the catalogue names, or that earlier jobs show."""
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
    """At the median pace of the jobs nearest in size. Both sides count tokens by our own estimate, so that
    its error cancels."""
    work = epochs.range.times(data.tokens)
    paced = [run for run in past if run.seconds and run.seconds > 0 and run.tokens_processed > 0]
    near = [run for run in paced if is_within_factor(run.tokens_processed, sum(work) / 2, NEAR_SIZE_FACTOR)]
    told = near or paced
    if not told or not data.tokens:
        return None
    pace = median((run.seconds or 0) / run.tokens_processed for run in told)
    return Amount(work.times(pace), len(told), far=not near)


def estimate_cost(model: BaseModel, epochs: Epochs, tokens: Tokens | None) -> Amount | None:
    if model.price is None or tokens is None:
        return None
    return Amount(epochs.range.times(tokens.once * model.price / MILLION))
