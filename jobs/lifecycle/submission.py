"""The create call of a job, the search for a job whose create call got no response, and the cancel call.

Each function claims a row by a conditional UPDATE that is committed before the request is sent, and stores
the result. A create call is never retried automatically if the first one may have reached the service. That
holds for exceptions that nobody expected, too: what happens before the request is retried, and whatever
happens later leaves an unknown outcome, for which the job is searched.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from jobs.lifecycle import polling
from jobs.lifecycle.stored_errors import serialize
from jobs.lifecycle.sweep import sweep_rows
from jobs.models import TuningJob
from jobs.querysets import SENDING_TIMEOUT, Submission
from jobs.request.body import SUBMISSION_LABEL
from jobs.tuning_job_resource import get_object
from studio.models import AuditEntry
from studio.vertex.client import Vertex
from studio.vertex.errors import (
    BadName,
    Conflict,
    CredentialsFailed,
    InternalFault,
    NotSent,
    OutcomeUnknown,
    Refused,
    TooManyRequests,
    VertexError,
)
from studio.vertex.resource_names import is_name

SEARCH_DELAYS = (5, 15, 45, 120, 300, 600)
"""Seconds after the lost response at which the job is searched for: a created job is listed within seconds,
but the service may be down for minutes. After the last search the user decides."""
MAX_RETRY_DELAY = 60.0
"""Seconds; nothing was created yet and a user is waiting, so a job is retried at least once a minute."""
log = logging.getLogger(__name__)
_random = random.SystemRandom()


def submit(job: TuningJob) -> None:
    if not claim(job):
        return
    try:
        vertex = job.project.vertex()
        vertex.prepare()
    except VertexError as error:
        schedule_retry(job, error)
    except Exception as error:
        log.exception("job %s could not be sent", job.pk)
        schedule_retry(job, InternalFault.from_exception(error))
    else:
        send_create_call(job, vertex)


def send_create_call(job: TuningJob, vertex: Vertex) -> None:
    """Send the call of a claimed job. An exception that isn't caught here leaves an unknown outcome: `submit`
    is called by a sweep that marks the job so."""
    try:
        remote = vertex.create_tuning_job(job.location, job.request)
    except BadName as error:
        mark_refused(job, error)
    except (NotSent, CredentialsFailed, TooManyRequests) as error:
        schedule_retry(job, error)
    except (OutcomeUnknown, Conflict) as error:
        mark_unknown(job, error)
    except Refused as error:
        mark_refused(job, error)
    else:
        link_remote_job(job, remote)


def claim(job: TuningJob) -> bool:
    """Claim the job for sending. Return True for one caller only; the claim is on disk before it returns."""
    with durable_commit():
        won = TuningJob.objects.filter(pk=job.pk, submission=Submission.READY, attempt=job.attempt).update(
            submission=Submission.SENDING, attempt=job.attempt + 1, claimed_at=timezone.now()
        )
    return bool(won)


@contextmanager
def durable_commit() -> Iterator[None]:
    """Commit durably.

    SQLite's usual mode can lose the last commits on a power failure; this call is billed.
    """
    adjustable = connection.vendor == "sqlite" and not connection.in_atomic_block
    if adjustable:
        connection.cursor().execute("PRAGMA synchronous=FULL")
    try:
        yield
    finally:
        if adjustable:
            connection.cursor().execute("PRAGMA synchronous=NORMAL")


def update_if_submission(job: TuningJob, *where: Submission, **facts: Any) -> bool:
    """Update the row if its submission state hasn't changed since it was read.

    Return whether it was updated.
    """
    return bool(TuningJob.objects.filter(pk=job.pk, submission__in=where).update(**facts))


def schedule_retry(job: TuningJob, error: VertexError) -> None:
    """Put a job back into the queue after a call that certainly created nothing."""
    when = timezone.now() + compute_retry_delay(job.attempt, error)
    update_if_submission(
        job, Submission.SENDING, submission=Submission.READY, next_try_at=when, last_error=serialize(error)
    )


def mark_refused(job: TuningJob, error: VertexError) -> None:
    now = timezone.now()
    update_if_submission(
        job,
        Submission.SENDING,
        submission=Submission.REFUSED,
        error=serialize(error),
        last_error={},
        ended_at=now,
    )


def mark_unknown(job: TuningJob, error: VertexError) -> None:
    now = timezone.now()
    update_if_submission(
        job,
        Submission.SENDING,
        submission=Submission.UNKNOWN,
        unknown_since=now,
        search_attempts=0,
        next_try_at=now + timedelta(seconds=SEARCH_DELAYS[0]),
        last_error=serialize(error),
    )


def mark_stuck_unknown(job: TuningJob) -> None:
    """Mark a job whose sending process died as unknown: the request may have reached the service."""
    mark_unknown(job, OutcomeUnknown("The process that sent the request ended before the answer came."))


def link_remote_job(job: TuningJob, remote: dict[str, Any]) -> None:
    """Store the name of the created remote job, then its resource: whatever is odd about the resource, the
    paid job is known."""
    with durable_commit(), transaction.atomic():
        linked = update_if_submission(
            job,
            Submission.SENDING,
            Submission.UNKNOWN,
            submission=Submission.CREATED,
            name=remote["name"],
            next_try_at=None,
        )
    if linked:
        sweep_rows([job], lambda row: row.update_from_remote(remote), polling.mark_job)
    polling.poll_soon(job)


def search_by_label(job: TuningJob) -> None:
    """Search once by label for a job whose creation is uncertain."""
    now = timezone.now()
    looking = TuningJob.objects.filter(
        pk=job.pk, submission=Submission.UNKNOWN, search_attempts=job.search_attempts
    )
    if not looking.update(search_attempts=job.search_attempts + 1, next_try_at=next_search_time(job, now)):
        return
    try:
        found = list_jobs_with_label(job)
    except VertexError as error:
        again = now + compute_retry_delay(job.search_attempts + 1, error)
        TuningJob.objects.filter(pk=job.pk, submission=Submission.UNKNOWN).update(
            search_attempts=job.search_attempts, next_try_at=again, last_error=serialize(error)
        )
        return
    if found:
        link_remote_job(job, found[0])
        record_duplicates(job, [str(twin["name"]) for twin in found[1:]])


def show_search_fault(job: TuningJob, error: VertexError) -> None:
    """Show why a search failed. It counts, so that after the last one the user decides."""
    TuningJob.objects.filter(pk=job.pk, submission=Submission.UNKNOWN).update(last_error=serialize(error))


def next_search_time(job: TuningJob, now: datetime) -> datetime | None:
    if job.search_attempts + 1 >= len(SEARCH_DELAYS):
        return None
    planned = (job.unknown_since or now) + timedelta(seconds=SEARCH_DELAYS[job.search_attempts + 1])
    return max(planned, now + timedelta(seconds=SEARCH_DELAYS[0]))


def list_jobs_with_label(job: TuningJob) -> list[dict[str, Any]]:
    """Return the remote jobs with our label, oldest first.

    All jobs are listed and compared here: the list filter is undocumented, and a wrong empty result would
    lead to a second paid job.
    """
    listed = job.project.vertex().list_tuning_jobs(job.location)
    ours = [
        remote
        for remote in listed
        if get_object(remote, "labels").get(SUBMISSION_LABEL) == job.submission_id
        and is_name(remote.get("name"))
    ]
    return sorted(ours, key=lambda remote: str(remote.get("createTime", "")))


def record_duplicates(job: TuningJob, names: list[str]) -> None:
    if not names:
        return
    log.error("job %s was created more than once: also %s", job.pk, ", ".join(names))
    with transaction.atomic():
        TuningJob.objects.filter(pk=job.pk).update(duplicates=names)
        AuditEntry.record(
            "tuning_job.twins", actor=None, project=job.project, subject=f"{job.pk} {job}", names=names
        )


def send_cancel(job: TuningJob) -> None:
    """Send the cancel call. The job may still finish; if the call is rejected, the job is read again."""
    now = timezone.now()
    if not TuningJob.objects.pending_cancels(now).filter(pk=job.pk).update(next_try_at=now + SENDING_TIMEOUT):
        return
    vertex, name = job.project.vertex(), str(job.name)
    row = TuningJob.objects.filter(pk=job.pk)
    try:
        vertex.cancel_tuning_job(name)
    except (NotSent, CredentialsFailed, TooManyRequests, OutcomeUnknown) as error:
        schedule_cancel_retry(job, error)
    except Refused as refusal:
        refresh_after_refusal(job, refusal)
    else:
        row.update(cancel_sent_at=now, next_try_at=None, last_error={})
        polling.poll_soon(job)


def schedule_cancel_retry(job: TuningJob, error: VertexError) -> None:
    """Send the cancel call again later. It does no harm to a job that is being cancelled."""
    again = timezone.now() + compute_retry_delay(4, error)
    TuningJob.objects.filter(pk=job.pk).update(next_try_at=again, last_error=serialize(error))


def refresh_after_refusal(job: TuningJob, refusal: Refused) -> None:
    """Read the job after a rejected cancel call: if it has ended, that is stored, else the error is shown."""
    try:
        job.update_from_remote(job.project.vertex().get_tuning_job(str(job.name)))
    except VertexError as error:
        log.info("job %s could not be read after a refused cancel: %s", job.pk, error)
    if not job.is_final:
        TuningJob.objects.filter(pk=job.pk).update(
            cancel_asked_at=None, next_try_at=None, last_error=serialize(refusal)
        )


def compute_retry_delay(tries: int, error: VertexError) -> timedelta:
    """Return the delay before the next try: full jitter, doubling up to 60 s, at least the server's
    Retry-After."""
    jitter = _random.uniform(1.0, min(MAX_RETRY_DELAY, 2.0 ** (tries + 1)))
    return timedelta(seconds=max(jitter, error.retry_after or 0.0))
