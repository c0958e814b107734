"""Celery tasks, sent by the beat. All work is found in the database, so a task may run twice, late or never.
Each is a sweep: a row that fails unexpectedly is marked, and the others get their turn.
"""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from jobs.datasets.token_calibration import calibrate_dataset
from jobs.datasets.uploads import resumable_upload
from jobs.lifecycle import polling, submission
from jobs.lifecycle.sweep import sweep_rows
from jobs.models import JobListPoll, TuningJob
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
    sweep_rows(jobs, submission.submit, submission.mark_unknown)
    if jobs:
        send_on_commit("metrics.tasks.follow_starts")


@shared_task
def resolve_unknown() -> None:
    now = timezone.now()
    stuck = TuningJob.objects.stuck_while_sending(now)
    sweep_rows(stuck, submission.mark_stuck_unknown, submission.mark_unknown)
    due = TuningJob.objects.due_for_search(now).select_related("project")
    sweep_rows(due, submission.search_by_label, submission.show_search_fault)


@shared_task
def send_cancels() -> None:
    pending = TuningJob.objects.pending_cancels(timezone.now()).select_related("project")
    sweep_rows(pending, submission.send_cancel, submission.schedule_cancel_retry)


@shared_task
def poll_due() -> None:
    def poll_list(poll: JobListPoll) -> None:
        polling.poll_job_list(poll, timezone.now())

    def mark(poll: JobListPoll, error: VertexError) -> None:
        polling.record_failure(poll, error, timezone.now())

    sweep_rows(polling.find_due_lists(timezone.now()), poll_list, mark)


@shared_task
def count_tokens() -> None:
    """Count the training tokens of recently edited drafts. Counted data is skipped; failures are retried, and
    shown nowhere: pages say that the tokens are estimated."""

    def count(draft: TuningJob) -> None:
        if draft.training:
            calibrate_dataset(draft.training, draft.base_model, draft.location)

    drafts = TuningJob.objects.with_uncounted_tokens(timezone.now()).select_related("training__project")
    sweep_rows(drafts, count, lambda draft, error: None)


@shared_task
def sweep_uploads() -> None:
    """Delete resumable uploads that were abandoned for a day."""
    resumable_upload.delete_stale_files()
