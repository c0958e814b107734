"""Step 1 of the wizard, which saves the draft at every change, possibly from several tabs.

`seen` contains the draft's values when the page was loaded. Only values that differ from it are written: the
last change of a field wins, and fields not changed in one tab keep the value from the other.
"""

from __future__ import annotations

import json
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from jobs.models import TuningJob
from jobs.troubleshooting.views import read_fix_context
from jobs.wizard.autofocus import set_autofocus
from jobs.wizard.draft_summary import DraftSummary
from jobs.wizard.drafts import UNPROCESSABLE, draft_or_404, get_or_replace_draft
from jobs.wizard.model_step.fields import ADVANCED, COLUMNS
from jobs.wizard.model_step.form import ModelDetailsForm
from studio.models import Project, Role
from studio.pages.query_values import parse_json
from studio.people.access import Request, require_role

FORBIDDEN = 403
LONGEST_STATE = 100_000
"""Characters. The columns of a draft with every field and 63 labels have about 15,000, in JSON's escapes."""


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(Role.TUNER)
def edit_model(request: Request, project: Project, pk: int) -> HttpResponse:
    if request.method == "POST":
        return save_model_step(request, project, pk)
    job = get_object_or_404(TuningJob.objects.with_related(), project=project, pk=pk)
    if not job.is_draft:
        return redirect(job)
    if job.owner_id != request.user.pk:
        return render(
            request,
            "jobs/wizard/model_step/model_changed.html",
            {"job": job, "preview": DraftSummary(job)},
            status=FORBIDDEN,
        )
    form = ModelDetailsForm(instance=job, live=request.path)
    return render_model_step(request, job, form)


def save_model_step(request: Request, project: Project, pk: int) -> HttpResponse:
    """Save the valid fields: after a change (htmx), for Show (without JavaScript) and for Continue."""
    goes_on = not request.htmx and "show" not in request.POST
    job = draft_or_none(request, project, pk) if request.htmx else get_or_replace_draft(request, project, pk)
    if job is None or not job.is_draft:
        return render(request, "jobs/wizard/_save_state.html", {"job": job, "gone": True, "swap": True})
    live = reverse("jobs:model", args=[project.slug, job.pk])
    form = ModelDetailsForm(request.POST, instance=job, live=live, final=goes_on)
    changed = diff_values(form.get_valid_columns(), parse_page_state(request) if job.pk == pk else None)
    if changed and not job.update_draft(**changed):
        # The draft was started or discarded in between; the second call sees that at its top.
        return save_model_step(request, project, pk)
    if form.is_valid() and goes_on:
        return redirect("jobs:dataset", project.slug, job.pk)
    job.refresh_from_db()
    return render_model_step(request, job, form, UNPROCESSABLE if goes_on else 200)


def draft_or_none(request: Request, project: Project, pk: int) -> TuningJob | None:
    try:
        return draft_or_404(request, project, pk)
    except Http404:
        return None


def render_model_step(
    request: Request, job: TuningJob, form: ModelDetailsForm, status: int = 200
) -> HttpResponse:
    knows = (
        {**(parse_page_state(request) or {}), **form.get_valid_columns()}
        if request.method == "POST"
        else get_column_values(job)
    )
    context = {
        "job": job,
        "form": form,
        "preview": DraftSummary(job),
        "step": "model",
        "seen": json.dumps(knows),
        "elsewhere": [form.get_label(name) for name in diff_values(knows, get_column_values(job))]
        if request.htmx
        else [],
        **build_focus_context(request, form),
        "swaps_choices": request.htmx and request.POST.get("shown") != form.choices_key,
    }
    template = "jobs/wizard/model_step/step.html#live" if request.htmx else "jobs/wizard/model_step/step.html"
    return render(request, template, context, status=status)


def build_focus_context(request: Request, form: ModelDetailsForm) -> dict[str, Any]:
    """Set the focus and notes of a fixed copy.

    Return whether options are unfolded, and notes without a field.
    """
    if request.htmx:
        return {}
    notes = read_fix_context(request, form.job).notes
    focused = set_autofocus(form, request.GET.get("fix", ""), notes)
    return {
        "opened": form.advanced_errors or bool({focused, *notes} & set(ADVANCED)),
        "unplaced": [note for name, note in notes.items() if name not in form.fields],
    }


def parse_page_state(request: Request) -> dict[str, Any] | None:
    """Return the columns known to the page, or None if they are missing or invalid."""
    try:
        state = parse_json(request.POST.get("seen", ""), longest=LONGEST_STATE, deepest=2)
    except ValueError:
        return None
    return {name: state[name] for name in COLUMNS if name in state} if isinstance(state, dict) else None


def get_column_values(job: TuningJob) -> dict[str, Any]:
    return {name: getattr(job, name) for name in COLUMNS}


def diff_values(values: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    missing = object()
    return {name: value for name, value in values.items() if (before or {}).get(name, missing) != value}
