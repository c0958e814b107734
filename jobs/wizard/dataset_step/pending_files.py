"""Addresses of files that were pasted and could not be had: they wait in the session for step 2."""

from __future__ import annotations

from jobs.datasets.check.model_limits import Purpose
from jobs.models import TuningJob
from studio.people.access import Request


def let_wait(request: Request, job: TuningJob, purpose: Purpose, uri: str) -> None:
    request.session[key(job)] = {**waiting(request, job), purpose: uri}


def waiting(request: Request, job: TuningJob) -> dict[str, str]:
    """uri by purpose."""
    found: dict[str, str] = request.session.get(key(job), {})
    return found


def key(job: TuningJob) -> str:
    return f"pasted-{job.pk}"
