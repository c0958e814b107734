"""Checks before a draft can start, and the choices allowed in it, from draft, project and model catalog."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from jobs.base_models import apply_price
from jobs.datasets.check.model_limits import Purpose, check_model_limits
from jobs.datasets.check.report import Problem
from jobs.tuned_models import owns_tuned_model
from studio.projects.regions import find_region_owners
from studio.vertex import catalog
from studio.vertex.catalog import BaseModel
from studio.vertex.resource_names import region_of

if TYPE_CHECKING:
    from jobs.datasets.models import Dataset
    from jobs.models import TuningJob
    from studio.models import Project

Step = Literal["model", "training", "validation"]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A reason why a draft can't start, with the name of the form field to change."""

    words: str | Promise
    field: str

    def __str__(self) -> str:
        return str(self.words)


ObstacleText = str | Promise | Obstacle


def find_base_model(job: TuningJob) -> BaseModel | None:
    """Return the base model of a draft, or None if none is chosen or the project's catalog doesn't list it.

    An engine model outside of the catalog is accepted: the form offers only models that the engine has.
    """
    if not job.base_model:
        return None
    known = catalog.find_model(job.base_model, job.project.backend)
    if job.project.on_engine:
        return known or catalog.describe_added_model(job.base_model)
    return known and apply_price(known)


def list_tuning_regions(project: Project, model: BaseModel) -> list[str]:
    """Return the project's regions that support this model, or if there is no overlap, all regions of the
    model but those that belong to another project."""
    if own := [region for region in project.regions if region in model.regions]:
        return own
    taken = {owner.region for owner in find_region_owners(project, model.regions)}
    return [region for region in model.regions if region not in taken] or [project.location]


def model_obstacles(job: TuningJob) -> Iterator[ObstacleText]:
    model = find_base_model(job)
    if model is None:
        yield Obstacle(_("Choose a base model."), "base_model")
        return
    if job.location not in list_tuning_regions(job.project, model):
        yield Obstacle(_("Choose a region."), "location")
    if job.adapter_size is not None and job.adapter_size not in model.adapter_sizes:
        yield Obstacle(_("Choose an adapter size that the base model supports."), "adapter_size")
    if job.pre_tuned_model and region_of(job.pre_tuned_model) != job.location:
        yield Obstacle(_("Choose the region of the pre-tuned model."), "location")
    if job.pre_tuned_model and not owns_tuned_model(job.project, job.pre_tuned_model):
        yield Obstacle(_("Choose a pre-tuned model of this project."), "pre_tuned_model")
    if job.kms_key_name and job.project.on_engine:
        yield Obstacle(_("The engine doesn’t support encryption keys. Remove the key."), "kms_key_name")
    elif job.kms_key_name and region_of(job.kms_key_name) != job.location:
        yield Obstacle(_("Enter an encryption key in the job’s region."), "kms_key_name")


def find_limit_problems(job: TuningJob, dataset: Dataset, purpose: Purpose) -> list[Problem]:
    """Return the problems of a file that come from the limits of the job's base model."""
    model = find_base_model(job)
    return (
        check_model_limits(dataset.parsed_report, model, purpose, dataset.get_token_ratio(model.id) or 1.0)
        if model
        else []
    )


def count_errors(job: TuningJob, dataset: Dataset, purpose: Purpose) -> int:
    """Return the number of errors, including those beyond the truncated list of problems."""
    ours = sum(problem.severity == "error" for problem in find_limit_problems(job, dataset, purpose))
    return dataset.parsed_report.errors + ours


def dataset_obstacles(job: TuningJob, purpose: Purpose) -> Iterator[ObstacleText]:
    if purpose == "validation" and not job.validation_enabled:
        return
    dataset: Dataset | None = getattr(job, purpose)
    if dataset is None:
        yield _("Choose a training dataset.") if purpose == "training" else _("Choose a validation dataset.")
    elif errors := count_errors(job, dataset, purpose):
        yield ngettext("%(n)d problem in %(file)s.", "%(n)d problems in %(file)s.", errors) % {
            "n": errors,
            "file": dataset,
        }


def obstacles(job: TuningJob) -> list[ObstacleText]:
    return [*model_obstacles(job), *dataset_obstacles(job, "training"), *dataset_obstacles(job, "validation")]
