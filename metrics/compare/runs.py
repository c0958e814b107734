"""One run of a comparison: its numbers from the job's row, and whether they can be compared (pure).

No points are read: best, final and accuracy are in the summary that `metrics.summary` made of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.datasets.models import Dataset
from jobs.models import TuningJob
from jobs.tuning_job_resource import get_object, parse_float, parse_int
from metrics.compare.charts.run_style import RunStyle
from metrics.compare.query import CompareQuery, Outcome, Setting

MILLION = 1_000_000
MAX_NAME_LENGTH = 18
"""Characters of an end label: more would need a third of the chart's width."""


@dataclass(frozen=True, slots=True)
class RunLine:
    """`short` is the name without the beginning that all names share; `price` is in dollars for a million
    tokens."""

    job: TuningJob
    style: RunStyle
    short: str
    hidden: bool = False
    price: float | None = None

    @property
    def key(self) -> str:
        """The name of its traces in charts."""
        return f"r{self.job.pk}"

    def outcome(self, outcome: Outcome) -> float | None:
        name = "last" if outcome == Outcome.FINAL else outcome.value
        return parse_float(self.get_summary_part(name).get("value"))

    def get_summary_part(self, name: str) -> dict[str, Any]:
        return get_object(self.job.summary, name)

    @property
    def best_step(self) -> int | None:
        return parse_int(self.get_summary_part("best").get("step"))

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
        """Billable tokens of the training dataset in one epoch, as counted by the service."""
        return parse_int(self.job.statistics.get("totalBillableTokenCount"))

    @property
    def steps(self) -> int | None:
        return self.job.progress.steps

    @property
    def examples(self) -> int | None:
        return parse_int(self.job.statistics.get("tuningDatasetExampleCount"))

    @property
    def cost(self) -> float | None:
        """Dollars: tokens times epochs at the configured price."""
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

    # ---- can its evaluation be compared? ----

    @property
    def validation_content(self) -> tuple[str, int] | None:
        """crc32c and size of the validation object, in the version that the job used."""
        return dataset_content(self.job.validation)

    def is_comparable_to(self, other: RunLine) -> bool:
        """Whether both losses are of the same validation data and by the same tokenizer."""
        if self.validation_content is None or other.validation_content is None:
            return False
        return (
            self.validation_content == other.validation_content
            and self.job.base_model == other.job.base_model
        )


def dataset_content(dataset: Dataset | None) -> tuple[str, int] | None:
    return dataset.content_key if dataset else None


def build_run_lines(
    jobs: Iterable[TuningJob], view: CompareQuery, prices: Mapping[str, float]
) -> list[RunLine]:
    """Return the runs in order of their places; the places of missing runs stay free."""
    by_id = {job.pk: job for job in jobs}
    placed = [(at, by_id[run]) for at, run in enumerate(view.places) if run in by_id]
    short = shorten_names([str(job) for _at, job in placed])
    return [
        RunLine(job, RunStyle(at), name, job.pk in view.hidden, prices.get(job.base_model))
        for (at, job), name in zip(placed, short, strict=True)
    ]


def find_baseline(lines: Sequence[RunLine], asked: int | None) -> RunLine | None:
    return next((line for line in lines if line.job.pk == asked), lines[0] if lines else None)


def find_common_prefix(first: str, last: str) -> str:
    """Return the common beginning of two texts, and so of all that are sorted between them."""
    length = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:length]


def shorten_names(names: Sequence[str]) -> list[str]:
    """Return the names without the words that all begin with, at most MAX_NAME_LENGTH long."""
    common = find_common_prefix(min(names), max(names)) if len(set(names)) > 1 else ""
    cut = max(common.rfind(mark) for mark in " -_./:") + 1
    found = [name[cut:] or name for name in names]
    return [name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1]}…" for name in found]
