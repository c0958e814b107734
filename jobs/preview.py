"""What the wizard shows of a draft beside its form: readiness, settings, the request, the dataset checks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from django.utils.functional import Promise

from jobs import readiness
from jobs.bars import Bar, bars
from jobs.datasets.limits import Purpose
from jobs.datasets.report import Problem, Report
from jobs.datasets.words import Words, words
from jobs.request_panel import RequestPanel
from studio.vertex.catalog import BaseModel

if TYPE_CHECKING:
    from jobs.models import Dataset, TuningJob

PROBLEMS_SHOWN = 20
BARS = 24


@dataclass(frozen=True)
class Preview:
    job: TuningJob

    @cached_property
    def model(self) -> BaseModel | None:
        return readiness.base_model(self.job)

    @cached_property
    def obstacles(self) -> dict[str, list[str | Promise]]:
        return {
            "model": list(readiness.model_obstacles(self.job)),
            "training": list(readiness.dataset_obstacles(self.job, "training")),
            "validation": list(readiness.dataset_obstacles(self.job, "validation")),
        }

    @property
    def reasons(self) -> list[str | Promise]:
        return [reason for part in self.obstacles.values() for reason in part]

    @property
    def changed(self) -> list[str]:
        """The fields of the advanced options that differ from the recommendation."""
        fields = ("epoch_count", "adapter_size", "learning_rate_multiplier")
        named = [field for field in fields if getattr(self.job, field) is not None]
        return named + ["export_last_checkpoint_only"] * self.job.export_last_checkpoint_only

    @cached_property
    def panel(self) -> RequestPanel:
        return RequestPanel(self.job)


@dataclass(frozen=True)
class Section:
    """One of the two datasets in step 2; `wanted` is the address that was typed or pasted, and not had."""

    job: TuningJob
    purpose: Purpose
    wanted: str = ""

    @property
    def dataset(self) -> Dataset | None:
        chosen: Dataset | None = getattr(self.job, self.purpose)
        return chosen

    @cached_property
    def report(self) -> Report:
        return self.dataset.checked if self.dataset else Report()

    @cached_property
    def errors(self) -> int:
        return readiness.error_count(self.job, self.dataset, self.purpose) if self.dataset else 0

    @property
    def warnings(self) -> int:
        return self.report.warnings + sum(problem.severity == "warning" for problem in self.judged)

    @cached_property
    def judged(self) -> list[Problem]:
        return readiness.judged(self.job, self.dataset, self.purpose) if self.dataset else []

    @cached_property
    def problems(self) -> list[tuple[Problem, Words]]:
        """The first ones, errors before warnings, each with its words."""
        found = sorted(
            [*self.judged, *self.report.problems], key=lambda problem: (problem.severity, problem.line)
        )
        return [(problem, words(problem)) for problem in found[:PROBLEMS_SHOWN]]

    @property
    def more(self) -> int:
        return self.errors + self.warnings - len(self.problems)

    @cached_property
    def bars(self) -> list[Bar]:
        return bars([(float(size), float(size), float(n)) for size, n in self.report.lengths.items()], BARS)

    @property
    def median(self) -> int:
        return self.report.quantile(0.5)

    @property
    def p95(self) -> int:
        return self.report.quantile(0.95)
