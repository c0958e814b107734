"""What a job's page offers against its failure, and the click that mends it in a copy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from jobs.models import TuningJob
from jobs.shortcuts import job_or_404
from jobs.troubleshooting.error_details import as_error
from jobs.troubleshooting.known_errors import SETTINGS, Recipe, recipes
from studio.models import Project, Role
from studio.pages.error_messages import explain
from studio.people.access import Request, member

DATASETS = ("training", "validation")
LAST_STEP = "jobs:review"
"""Where a copy goes in which nothing is to be changed: the step with the button that starts it."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """Known causes with their cures; `machine` is the service's own text."""

    job: TuningJob
    recipes: list[Recipe]
    machine: str

    @property
    def button(self) -> str:
        """One click applies everything that one click can."""
        labels = [each.button for each in self.recipes if each.button]
        if not self.job.is_final or not labels:
            return ""
        mending = [each for each in self.recipes if each.changes]
        return labels[0] if len(labels) == 1 else _("Mend this in a copy") if mending else _("Open a copy")

    @property
    def links(self) -> list[tuple[str, str]]:
        """(address, words) of pages to go to, each once."""
        settings = reverse("project_settings", args=[self.job.project.slug])
        found = {each.link: each.link_words for each in self.recipes if each.link}
        return [(settings if link == SETTINGS else link, words) for link, words in found.items()]


def fault_of(job: TuningJob) -> Mapping[str, Any]:
    """The last call that failed, or why the job was refused or ended."""
    fault: Mapping[str, Any] = job.trouble or job.error
    return fault


def remedy(job: TuningJob) -> Remedy | None:
    """None where nothing failed, or nobody knows a cure: the words of the service stand alone then."""
    if not (fault := fault_of(job)) or not (known := recipes(fault, job)):
        return None
    return Remedy(job, known, explain(as_error(fault), on_engine=job.project.on_engine).machine)


@require_POST
@member(Role.TUNER)
def mend(request: Request, project: Project, pk: int) -> HttpResponse:
    """A copy of the job with the known cures in it, at the field to look at. Nothing is started."""
    job = job_or_404(request, project, pk)
    if job.is_draft:
        return redirect(job)
    known = recipes(fault_of(job), job)
    with transaction.atomic():
        draft = job.copy_to_draft(request.user)
        changes = {field: value for each in known for field, value in each.changes.items()}
        if changes:
            draft.revise(**changes)
    return redirect(address(draft, job, next((each.field for each in known if each.field), "")))


def address(draft: TuningJob, source: TuningJob, field: str) -> str:
    """The step that holds `field`, told what to point at and whose failure it mends.

    No `#training`: where an address names a place in the page, browsers leave the cursor alone.
    """
    step = LAST_STEP if not field else "jobs:dataset" if field in DATASETS else "jobs:model"
    more = {"replace": field} if field in DATASETS else {}
    query = urlencode({"fix": field, "of": source.pk, **more}) if field else ""
    return reverse(step, args=[draft.project.slug, draft.pk]) + (f"?{query}" if query else "")


@dataclass(frozen=True, slots=True)
class Fixing:
    """What a draft was copied to mend: the field to point at, and what to say at each field."""

    field: str = ""
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def note(self) -> str:
        return self.notes.get(self.field, "")


def fixing(request: HttpRequest, draft: TuningJob) -> Fixing:
    """Read from the address, and from the failed job that it names; empty for anything else."""
    field, source = request.GET.get("fix", ""), source_of(request.GET, draft, request)
    if source is None or not field:
        return Fixing()
    notes: dict[str, str] = {}
    for each in recipes(fault_of(source), source):
        unchanged = all(getattr(draft, name) == value for name, value in each.changes.items())
        notes |= each.notes if unchanged else {}
        if not each.changes and each.field:
            notes[each.field] = f"{each.cause} {each.action}"
    return Fixing(field, notes)


def source_of(query: QueryDict, draft: TuningJob, request: HttpRequest) -> TuningJob | None:
    pk = query.get("of", "")
    rows = TuningJob.objects.visible_to(request.user).filter(project_id=draft.project_id)
    found = rows.filter(pk=int(pk)) if pk.isdecimal() and len(pk) < 19 else rows.none()
    return found.select_related("project", "training", "validation").first()
