"""One run of a comparison: its numbers out of the job's row, and how they stand to the baseline's (pure).

No points are read here: best, final and accuracy are what `metrics.summary` wrote when the points came in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.datasets.models import Dataset
from jobs.models import TuningJob
from jobs.tuning_job_resource import number, part, whole
from metrics.compare.charts.run_style import Look
from metrics.compare.query import Outcome, Setting, View

MILLION = 1_000_000
LONGEST = 18


@dataclass(frozen=True, slots=True)
class Line:
    """`short` is the name without what all names begin with; `price` in dollars for a million tokens."""

    job: TuningJob
    look: Look
    short: str
    hidden: bool = False
    price: float | None = None

    @property
    def key(self) -> str:
        """Its name among the traces of a chart."""
        return f"r{self.job.pk}"

    def outcome(self, outcome: Outcome) -> float | None:
        name = "last" if outcome == Outcome.FINAL else outcome.value
        return number(self.found(name).get("value"))

    def found(self, name: str) -> dict[str, Any]:
        return part(self.job.summary, name)

    @property
    def best_step(self) -> int | None:
        return whole(self.found("best").get("step"))

    @property
    def best(self) -> float | None:
        return self.outcome(Outcome.BEST)

    @property
    def final(self) -> float | None:
        return self.outcome(Outcome.FINAL)

    @property
    def accuracy(self) -> float | None:
        return self.outcome(Outcome.ACCURACY)

    @property
    def tokens(self) -> int | None:
        """Of the training dataset, read once; the service counted them."""
        return whole(self.job.statistics.get("totalBillableTokenCount"))

    @property
    def steps(self) -> int | None:
        return self.job.progress.steps

    @property
    def examples(self) -> int | None:
        return whole(self.job.statistics.get("tuningDatasetExampleCount"))

    @property
    def cost(self) -> float | None:
        """Dollars: tokens, read in every epoch, at the operator's price."""
        epochs = self.job.epochs.effective
        if self.price is None or self.tokens is None or not epochs:
            return None
        return self.tokens * epochs * self.price / MILLION

    def setting(self, setting: Setting) -> float | None:
        job = self.job
        return {
            Setting.RATE: job.learning_rate.effective,
            Setting.ADAPTER: job.adapter.effective,
            Setting.EPOCHS: job.epochs.effective,
            Setting.STEPS: self.steps,
            Setting.EXAMPLES: self.examples,
            Setting.TOKENS: self.tokens,
            Setting.DURATION: job.elapsed,
        }[setting]

    # ---- does its evaluation compare? ----

    @property
    def validated_on(self) -> tuple[str, int] | None:
        """What the pinned validation object holds: crc32c and size."""
        return content(self.job.validation)

    def compares(self, other: Line) -> bool:
        """Evaluation losses compare on the same validation data, counted by the same tokenizer."""
        if self.validated_on is None or other.validated_on is None:
            return False
        return self.validated_on == other.validated_on and self.job.base_model == other.job.base_model


def content(dataset: Dataset | None) -> tuple[str, int] | None:
    return dataset.content if dataset else None


def lines_of(jobs: Iterable[TuningJob], view: View, prices: Mapping[str, float]) -> list[Line]:
    """In the order of the places; runs that are not there leave theirs free."""
    by_id = {job.pk: job for job in jobs}
    placed = [(at, by_id[run]) for at, run in enumerate(view.places) if run in by_id]
    short = short_names([str(job) for _at, job in placed])
    return [
        Line(job, Look(at), name, job.pk in view.hidden, prices.get(job.base_model))
        for (at, job), name in zip(placed, short, strict=True)
    ]


def baseline_of(lines: Sequence[Line], asked: int | None) -> Line | None:
    return next((line for line in lines if line.job.pk == asked), lines[0] if lines else None)


def shared_start(first: str, last: str) -> str:
    """Of two texts, what both begin with; of sorted ones, the first and the last decide."""
    length = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:length]


def short_names(names: Sequence[str]) -> list[str]:
    """What tells the names apart: without the words that all begin with, at most LONGEST long."""
    common = shared_start(min(names), max(names)) if len(set(names)) > 1 else ""
    cut = max(common.rfind(mark) for mark in " -_./:") + 1
    found = [name[cut:] or name for name in names]
    return [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in found]
