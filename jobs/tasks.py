"""Celery tasks, sent by the beat. All work is found in the database, so a task may run twice, late or
never."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from jobs.datasets.token_calibration import calibrate_dataset
from jobs.datasets.uploads import resumable_upload
from jobs.lifecycle import polling, submission
from jobs.models import TuningJob
from studio.celery import send_on_commit
from studio.models import Project
from studio.vertex.errors import VertexError

log = logging.getLogger(__name__)


@shared_task
def warm_up(*, project_id: int) -> None:
    """Start the engine's spare trainer while a draft is reviewed.

    This only saves time: the job starts without it.
    """
    try:
        Project.objects.get(pk=project_id).vertex().warm_up()
    except VertexError as error:
        log.info("The engine was not warmed up: %s", error)


@shared_task
def submit_ready() -> None:
    jobs = TuningJob.objects.due_for_submission(timezone.now()).select_related("project")
    for job in jobs:
        submission.submit(job)
    if jobs:
        send_on_commit("metrics.tasks.follow_starts")


@shared_task
def resolve_unknown() -> None:
    now = timezone.now()
    for job in TuningJob.objects.stuck_while_sending(now):
        submission.mark_stuck_unknown(job)
    for job in TuningJob.objects.due_for_search(now).select_related("project"):
        submission.search_by_label(job)


@shared_task
def send_cancels() -> None:
    for job in TuningJob.objects.pending_cancels(timezone.now()).select_related("project"):
        submission.send_cancel(job)


@shared_task
def poll_due() -> None:
    for poll in polling.find_due_lists(timezone.now()):
        polling.poll_job_list(poll, timezone.now())


@shared_task
def count_tokens() -> None:
    """Count the training tokens of recently edited drafts. Counted data is skipped; failures are retried."""
    for job in TuningJob.objects.with_uncounted_tokens(timezone.now()).select_related("training__project"):
        if job.training:
            calibrate_dataset(job.training, job.base_model, job.location)


@shared_task
def sweep_uploads() -> None:
    """Delete resumable uploads that were abandoned for a day."""
    resumable_upload.delete_stale_files()
