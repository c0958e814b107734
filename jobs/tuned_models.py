"""Whether a tuned model that a person names belongs to the project."""

from __future__ import annotations

import re

from jobs.models import TuningJob
from jobs.querysets import TuningJobQuerySet
from studio.models import Project

MODEL_NAME = re.compile(
    r"projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/models/(?P<id>[^/@]+)(@[^/]*)?"
)


def owns_tuned_model(project: Project, name: str) -> bool:
    """Whether the model `projects/…/locations/…/models/ID` is the project's: its jobs made it, or it lies in
    its Google Cloud project and no job of another project made it.

    Google writes project numbers where a request had the ID. A number that no project's jobs have shown is
    taken for its own.
    """
    if project.storage_places().unlimited:
        return True
    model = MODEL_NAME.fullmatch(name)
    own, others = split_jobs(project)
    if model is None or has_made(own, model):
        return model is not None
    if has_made(others, model):
        return False
    place = f"projects/{model['project']}/"
    if model["project"] == project.project_id or own.filter(name__startswith=place).exists():
        return True
    return model["project"].isdecimal() and not others.filter(name__startswith=place).exists()


def split_jobs(project: Project) -> tuple[TuningJobQuerySet, TuningJobQuerySet]:
    """Return the project's jobs, and those of the other projects on its backend."""
    jobs: TuningJobQuerySet = TuningJob.objects.filter(project__backend=project.backend)
    return jobs.filter(project=project), jobs.exclude(project=project)


def has_made(jobs: TuningJobQuerySet, model: re.Match[str]) -> bool:
    """Whether one of the jobs made the model, whether their project is written as ID or as number."""
    field = "remote__tunedModel__model"
    likely = jobs.filter(**{f"{field}__icontains": f"/models/{model['id']}"}).order_by()
    names = (MODEL_NAME.fullmatch(str(name)) for name in likely.values_list(field, flat=True))
    return any(name and name.group("location", "id") == model.group("location", "id") for name in names)
