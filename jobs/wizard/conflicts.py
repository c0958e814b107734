"""Edit conflicts: input for a draft that was started or discarded in another tab is saved in a new draft."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from jobs.models import TuningJob
from studio.models import AuditEntry, Project
from studio.people.access import Request


def was_discarded(request: Request, project: Project, pk: int) -> bool:
    """Whether this was a draft of the user, or discarded by them. Nothing is revealed about other drafts."""
    own = Q(actor=request.user) | Q(detail__owner=request.user.pk)
    deeds = AuditEntry.objects.filter(own, project=project, action="tuning_job.discard")
    return deeds.filter(subject__startswith=f"{pk} ").exists()


def warn_discarded(request: Request) -> None:
    message = _(
        "This draft was discarded in another tab. What you entered is kept in a new draft; "
        "choose its dataset again."
    )
    messages.warning(request, message)


def copy_started_draft(request: Request, job: TuningJob) -> TuningJob:
    """Return a new draft with the settings of the started job, for the later input."""
    message = _("“%(job)s” was started in another tab. What you entered is kept in this new draft.")
    messages.warning(request, message % {"job": job})
    return job.copy_to_draft(request.user)


def redirect_to_started_job(request: Request, job: TuningJob) -> HttpResponse:
    """Redirect to the started job with an error: its datasets can't be changed any more."""
    message = _(
        "“%(job)s” was started in another tab, so its data wasn’t changed. Tune again to use other data."
    )
    messages.warning(request, message % {"job": job})
    return redirect(job)
