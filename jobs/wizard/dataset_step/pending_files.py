"""URIs of a pasted request whose files couldn't be read, stored in the session for step 2."""

from __future__ import annotations

from jobs.datasets.check.model_limits import Purpose
from jobs.models import TuningJob
from studio.people.access import Request


def add_pending_file(request: Request, job: TuningJob, purpose: Purpose, uri: str) -> None:
    request.session[session_key(job)] = {**get_pending_files(request, job), purpose: uri}


def get_pending_files(request: Request, job: TuningJob) -> dict[str, str]:
    """Return {purpose: uri}."""
    found: dict[str, str] = request.session.get(session_key(job), {})
    return found


def session_key(job: TuningJob) -> str:
    return f"pasted-{job.pk}"
