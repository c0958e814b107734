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
from jobs.troubleshooting.error_details import to_vertex_error
from jobs.troubleshooting.known_errors import SETTINGS, Fix, find_fixes
from studio.models import Project, Role
from studio.pages.error_messages import explain_error
from studio.people.access import Request, require_role

DATASETS = ("training", "validation")
LAST_STEP = "jobs:review"
"""Where a copy goes in which nothing is to be changed: the step with the button that starts it."""


@dataclass(frozen=True, slots=True)
class SuggestedFixes:
    """Known causes with their cures; `machine` is the service's own text."""

    job: TuningJob
    fixes: list[Fix]
    machine: str

    @property
    def button(self) -> str:
        """One click applies everything that one click can."""
        labels = [each.button for each in self.fixes if each.button]
        if not self.job.is_final or not labels:
            return ""
        mending = [each for each in self.fixes if each.changes]
        return labels[0] if len(labels) == 1 else _("Fix in a copy") if mending else _("Open a copy")

    @property
    def links(self) -> list[tuple[str, str]]:
        """(address, words) of pages to go to, each once."""
        settings = reverse("project_settings", args=[self.job.project.slug])
        found = {each.link: each.link_words for each in self.fixes if each.link}
        return [(settings if link == SETTINGS else link, words) for link, words in found.items()]


def get_failure(job: TuningJob) -> Mapping[str, Any]:
    """The last call that failed, or why the job was refused or ended."""
    fault: Mapping[str, Any] = job.last_error or job.error
    return fault


def suggest_fixes(job: TuningJob) -> SuggestedFixes | None:
    """None where nothing failed, or nobody knows a cure: the words of the service stand alone then."""
    if not (fault := get_failure(job)) or not (known := find_fixes(fault, job)):
        return None
    return SuggestedFixes(
        job, known, explain_error(to_vertex_error(fault), on_engine=job.project.on_engine).machine
    )


@require_POST
@require_role(Role.TUNER)
def apply_fix(request: Request, project: Project, pk: int) -> HttpResponse:
    """A copy of the job with the known cures in it, at the field to look at. Nothing is started."""
    job = job_or_404(request, project, pk)
    if job.is_draft:
        return redirect(job)
    known = find_fixes(get_failure(job), job)
    with transaction.atomic():
        draft = job.copy_to_draft(request.user)
        changes = {field: value for each in known for field, value in each.changes.items()}
        if changes:
            draft.update_draft(**changes)
    return redirect(build_step_url(draft, job, next((each.field for each in known if each.field), "")))


def build_step_url(draft: TuningJob, source: TuningJob, field: str) -> str:
    """The step that holds `field`, told what to point at and whose failure it mends.

    No `#training`: where an address names a place in the page, browsers leave the cursor alone.
    """
    step = LAST_STEP if not field else "jobs:dataset" if field in DATASETS else "jobs:model"
    more = {"replace": field} if field in DATASETS else {}
    query = urlencode({"fix": field, "of": source.pk, **more}) if field else ""
    return reverse(step, args=[draft.project.slug, draft.pk]) + (f"?{query}" if query else "")


@dataclass(frozen=True, slots=True)
class FixContext:
    """What a draft was copied to mend: the field to point at, and what to say at each field."""

    field: str = ""
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def note(self) -> str:
        return self.notes.get(self.field, "")


def read_fix_context(request: HttpRequest, draft: TuningJob) -> FixContext:
    """Read from the address, and from the failed job that it names; empty for anything else."""
    field, source = request.GET.get("fix", ""), find_failed_job(request.GET, draft, request)
    if source is None or not field:
        return FixContext()
    notes: dict[str, str] = {}
    for each in find_fixes(get_failure(source), source):
        unchanged = all(getattr(draft, name) == value for name, value in each.changes.items())
        notes |= each.notes if unchanged else {}
        if not each.changes and each.field:
            notes[each.field] = f"{each.cause} {each.action}"
    return FixContext(field, notes)


def find_failed_job(query: QueryDict, draft: TuningJob, request: HttpRequest) -> TuningJob | None:
    pk = query.get("of", "")
    rows = TuningJob.objects.visible_to(request.user).filter(project_id=draft.project_id)
    found = rows.filter(pk=int(pk)) if pk.isdecimal() and len(pk) < 19 else rows.none()
    return found.select_related("project", "training", "validation").first()
