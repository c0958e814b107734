"""Summary of a draft beside the wizard's form: readiness, settings, request and dataset checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs import preflight
from jobs.datasets.check.messages import ProblemMessage, describe_problem
from jobs.datasets.check.model_limits import Purpose
from jobs.datasets.check.report import Distribution, Problem, Report
from jobs.datasets.report_page.histogram_svg import Bar, bars
from jobs.estimates import past_jobs
from jobs.estimates.estimate import Estimate
from jobs.estimates.presentation import Figure, figures
from jobs.estimates.queue_position import Queue, get_queue
from jobs.request.panel import RequestPanel
from jobs.wizard.model_step.pre_tuned_models import PreTunedModel, list_pre_tuned_models
from studio.vertex.catalog import BaseModel

if TYPE_CHECKING:
    from jobs.datasets.models import Dataset
    from jobs.models import TuningJob

PROBLEMS_SHOWN = 20
"""The report page lists all problems; step 2 has room for the first ones."""
BAR_COUNT = 24
"""Bars that are wide enough to point at in the panel's width."""


@dataclass(frozen=True)
class DraftSummary:
    job: TuningJob

    @cached_property
    def model(self) -> BaseModel | None:
        return preflight.find_base_model(self.job)

    @cached_property
    def obstacles(self) -> dict[str, list[preflight.ObstacleText]]:
        return {
            "model": list(preflight.model_obstacles(self.job)),
            "training": list(preflight.dataset_obstacles(self.job, "training")),
            "validation": list(preflight.dataset_obstacles(self.job, "validation")),
        }

    @property
    def reasons(self) -> list[preflight.ObstacleText]:
        return [reason for part in self.obstacles.values() for reason in part]

    @property
    def has_usable_data(self) -> bool:
        """Return whether step 2 is done: the training data, and validation data if enabled, can be used."""
        return bool(self.job.training) and not (self.obstacles["training"] or self.obstacles["validation"])

    @property
    def changed_fields(self) -> list[str]:
        """Names of the advanced options that differ from the recommendation."""
        return list(self.changes)

    @cached_property
    def changes(self) -> dict[str, str]:
        """{field: value as text} of the changed options."""
        return dict(describe_changes(self.job))

    @cached_property
    def parent(self) -> PreTunedModel | None:
        """The pre-tuned model of the draft, or None if the project doesn't list it."""
        if not self.job.pre_tuned_model:
            return None
        found = list_pre_tuned_models(self.job.project, self.job.location)
        return next((parent for parent in found if parent.name == self.job.pre_tuned_model), None)

    @cached_property
    def panel(self) -> RequestPanel:
        return RequestPanel(self.job)

    @cached_property
    def estimate(self) -> Estimate | None:
        return past_jobs.estimate_draft(self.job, self.model)

    @property
    def figures(self) -> list[Figure]:
        """Figures of the estimate, or [] before there is training data."""
        if self.estimate is None or self.model is None:
            return []
        return figures(self.estimate, self.model, on_engine=self.job.project.on_engine)

    @cached_property
    def queue(self) -> Queue | None:
        """Jobs ahead of the draft, as its owner may see them: only owners open drafts."""
        return get_queue(self.job, self.job.owner) if self.job.owner else None


def describe_changes(job: TuningJob) -> Iterator[tuple[str, str]]:
    if job.epoch_count is not None:
        n = job.epoch_count
        yield "epoch_count", ngettext("%(n)d epoch", "%(n)d epochs", n) % {"n": n}
    if job.adapter_size is not None:
        yield "adapter_size", _("Adapter size %(n)d") % {"n": job.adapter_size}
    if job.learning_rate_multiplier is not None:
        yield "learning_rate_multiplier", _("Learning rate × %(n)g") % {"n": job.learning_rate_multiplier}
    if job.export_last_checkpoint_only:
        yield "export_last_checkpoint_only", _("Last checkpoint only")
    if job.labels:
        n = len(job.labels)
        yield "labels", ngettext("%(n)d label", "%(n)d labels", n) % {"n": n}
    labels = {
        "description": _("Description"),
        "service_account": _("Service account"),
        "kms_key_name": _("Encryption key"),
    }
    yield from ((name, word) for name, word in labels.items() if getattr(job, name))


@dataclass(frozen=True)
class DatasetSection:
    """One of the two datasets in step 2."""

    job: TuningJob
    purpose: Purpose

    @property
    def dataset(self) -> Dataset | None:
        chosen: Dataset | None = getattr(self.job, self.purpose)
        return chosen

    @cached_property
    def report(self) -> Report:
        return self.dataset.parsed_report if self.dataset else Report()

    @cached_property
    def errors(self) -> int:
        return preflight.count_errors(self.job, self.dataset, self.purpose) if self.dataset else 0

    @property
    def warnings(self) -> int:
        return self.report.warnings + sum(problem.severity == "warning" for problem in self.model_problems)

    @cached_property
    def model_problems(self) -> list[Problem]:
        return preflight.find_limit_problems(self.job, self.dataset, self.purpose) if self.dataset else []

    @cached_property
    def problems(self) -> list[tuple[Problem, ProblemMessage]]:
        """The first problems, errors before warnings, each with its message."""
        found = sorted(
            [*self.model_problems, *self.report.problems],
            key=lambda problem: (problem.severity, problem.line),
        )
        return [(problem, describe_problem(problem)) for problem in found[:PROBLEMS_SHOWN]]

    @property
    def more(self) -> int:
        return self.errors + self.warnings - len(self.problems)

    @cached_property
    def tokens(self) -> Distribution:
        """Tokens per example: counted by the base model's service if available, else estimated."""
        return self.report.tokens.scale(self.ratio or 1.0)

    @property
    def ratio(self) -> float | None:
        return self.dataset.get_token_ratio(self.job.base_model) if self.dataset else None

    @cached_property
    def bars(self) -> list[Bar]:
        return bars(
            [(float(left), float(right), float(n)) for left, right, n in self.tokens.buckets], BAR_COUNT
        )
