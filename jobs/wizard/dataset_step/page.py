"""The page of step 2, possibly with the error of a rejected choice."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpResponse
from django.shortcuts import render

from jobs.datasets.check.model_limits import Purpose
from jobs.datasets.errors import Refusal
from jobs.datasets.uploads.resumable_upload import UploadSession
from jobs.models import TuningJob
from jobs.troubleshooting.views import read_fix_context
from jobs.wizard.dataset_step.forms import PURPOSES
from jobs.wizard.dataset_step.leakage import LeakageCheck
from jobs.wizard.dataset_step.pending_files import get_pending_files
from jobs.wizard.dataset_step.sections import RejectedChoice, build_picker
from jobs.wizard.draft_summary import DraftSummary
from studio.people.access import Request


def get_purpose(request: Request) -> Purpose:
    """Return which dataset a form is about; training unless it says validation."""
    return "validation" if request.POST.get("purpose") == "validation" else "training"


def render_dataset_step(
    request: Request, job: TuningJob, rejected: RejectedChoice | None = None
) -> HttpResponse:
    pending = get_pending_files(request, job)
    context = {
        "job": job,
        "preview": DraftSummary(job),
        "sections": [build_picker(job, purpose, request.GET, rejected, pending) for purpose in PURPOSES],
        "step": "dataset",
        "fixing": read_fix_context(request, job),
        "comparison": LeakageCheck.for_job(job),
    }
    status = rejected.why.status if rejected else HTTPStatus.OK
    return render(request, "jobs/wizard/dataset_step/step.html", context, status=status)


def render_refusal(
    request: Request, job: TuningJob, way: str, refusal: Refusal, upload: UploadSession | None = None
) -> HttpResponse:
    """Return the page with the form's values and the error. `upload` is a file that is already on this server
    and doesn't have to be sent again."""
    typed = {name: str(value) for name, value in request.POST.items()}
    rejected = RejectedChoice(get_purpose(request), way, refusal, typed, upload)
    return render_dataset_step(request, job, rejected)
