"""Suggested fixes on a job's page, and the action that applies them to a copy."""

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
from studio.pages.query_values import parse_pk
from studio.people.access import Request, require_role

DATASETS = ("training", "validation")
LAST_STEP = "jobs:review"
"""Step for a copy without changes: the review step has the Start button."""


@dataclass(frozen=True, slots=True)
class SuggestedFixes:
    """Known causes with their fixes; `machine` is the service's own message."""

    job: TuningJob
    fixes: list[Fix]
    machine: str

    @property
    def button(self) -> str:
        """Label of the button that applies all automatic fixes, or ""."""
        labels = [each.button for each in self.fixes if each.button]
        if not self.job.is_final or not labels:
            return ""
        mending = [each for each in self.fixes if each.changes]
        return labels[0] if len(labels) == 1 else _("Fix in a copy") if mending else _("Open a copy")

    @property
    def links(self) -> list[tuple[str, str]]:
        """(URL, label) of the fixes' pages, without repetitions."""
        settings = reverse("project_settings", args=[self.job.project.slug])
        found = {each.link: each.link_words for each in self.fixes if each.link}
        return [(settings if link == SETTINGS else link, words) for link, words in found.items()]


def get_failure(job: TuningJob) -> Mapping[str, Any]:
    """Return the last failed call, else the job's own error."""
    fault: Mapping[str, Any] = job.last_error or job.error
    return fault


def suggest_fixes(job: TuningJob) -> SuggestedFixes | None:
    """Return the known fixes, or None if there is no failure or no known fix."""
    if not (fault := get_failure(job)) or not (known := find_fixes(fault, job)):
        return None
    return SuggestedFixes(
        job, known, explain_error(to_vertex_error(fault), on_engine=job.project.on_engine).machine
    )


@require_POST
@require_role(Role.TUNER)
def apply_fix(request: Request, project: Project, pk: int) -> HttpResponse:
    """Create a draft from the job with the fixes applied and open it at the changed field."""
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
    """Return the URL of the step with `field`, with the field and the failed job in its query.

    It has no fragment such as `#training`, since browsers then ignore the autofocus attribute.
    """
    step = LAST_STEP if not field else "jobs:dataset" if field in DATASETS else "jobs:model"
    more = {"replace": field} if field in DATASETS else {}
    query = urlencode({"fix": field, "of": source.pk, **more}) if field else ""
    return reverse(step, args=[draft.project.slug, draft.pk]) + (f"?{query}" if query else "")


@dataclass(frozen=True, slots=True)
class FixContext:
    """Why a draft was copied: the field to focus and the note for each changed field."""

    field: str = ""
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def note(self) -> str:
        return self.notes.get(self.field, "")


def read_fix_context(request: HttpRequest, draft: TuningJob) -> FixContext:
    """Return the context from the query and the failed job named there, or an empty one."""
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
    rows = TuningJob.objects.visible_to(request.user).filter(project_id=draft.project_id)
    found = rows.filter(pk=parse_pk(query.get("of", "")))
    return found.select_related("project", "training", "validation").first()
