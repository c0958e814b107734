"""The one create call of a job, the search for a job whose creation was not answered, and the cancel call.

Each function takes a row, claims it by a conditional UPDATE that is committed before the socket opens, and
writes down what came of it. A create call is never repeated by itself where the first may have been heard.
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
from jobs.lifecycle.stored_errors import kept
from jobs.models import TuningJob
from jobs.querysets import STUCK, Submission
from jobs.request.body import LABEL
from studio.models import AuditEntry
from studio.vertex.errors import (
    BadName,
    Conflict,
    CredentialsFailed,
    NotSent,
    OutcomeUnknown,
    Refused,
    TooManyRequests,
    VertexError,
)

LOOKS = (5, 15, 45, 120, 300, 600)
"""Seconds after the lost answer at which the job is looked for; after the last one, a person decides."""
LONGEST_WAIT = 60.0
log = logging.getLogger(__name__)
_random = random.SystemRandom()


def submit(job: TuningJob) -> None:
    if not claim(job):
        return
    try:
        remote = job.project.vertex().create_tuning_job(job.location, job.request)
    except BadName as error:
        refuse(job, error)
    except (NotSent, CredentialsFailed, TooManyRequests) as error:
        try_later(job, error)
    except (OutcomeUnknown, Conflict) as error:
        lose(job, error)
    except Refused as error:
        refuse(job, error)
    else:
        adopt(job, remote)


def claim(job: TuningJob) -> bool:
    """True for the one caller that may send; committed to the disk before it does."""
    with durable():
        won = TuningJob.objects.filter(pk=job.pk, submission=Submission.READY, attempt=job.attempt).update(
            submission=Submission.SENDING, attempt=job.attempt + 1, claimed_at=timezone.now()
        )
    return bool(won)


@contextmanager
def durable() -> Iterator[None]:
    """SQLite's usual mode may forget the last commits when the power fails; a paid call must be kept."""
    adjustable = connection.vendor == "sqlite" and not connection.in_atomic_block
    if adjustable:
        connection.cursor().execute("PRAGMA synchronous=FULL")
    try:
        yield
    finally:
        if adjustable:
            connection.cursor().execute("PRAGMA synchronous=NORMAL")


def move(job: TuningJob, *where: Submission, **facts: Any) -> bool:
    """Changes the row if it still stands where we left it."""
    return bool(TuningJob.objects.filter(pk=job.pk, submission__in=where).update(**facts))


def try_later(job: TuningJob, error: VertexError) -> None:
    """Nothing was made: it goes back to the queue."""
    when = timezone.now() + wait(job.attempt, error)
    move(job, Submission.SENDING, submission=Submission.READY, next_try_at=when, trouble=kept(error))


def refuse(job: TuningJob, error: VertexError) -> None:
    now = timezone.now()
    move(job, Submission.SENDING, submission=Submission.REFUSED, error=kept(error), trouble={}, ended_at=now)


def lose(job: TuningJob, error: VertexError) -> None:
    now = timezone.now()
    move(
        job,
        Submission.SENDING,
        submission=Submission.UNKNOWN,
        unknown_since=now,
        looks=0,
        next_try_at=now + timedelta(seconds=LOOKS[0]),
        trouble=kept(error),
    )


def lose_stuck(job: TuningJob) -> None:
    """The process that sent it is gone: whether it was heard, only the service knows."""
    lose(job, OutcomeUnknown("The process that sent the request ended before the answer came."))


def adopt(job: TuningJob, remote: dict[str, Any]) -> None:
    """The job is there: keeps its name and what is said about it."""
    with durable(), transaction.atomic():
        if move(
            job,
            Submission.SENDING,
            Submission.UNKNOWN,
            submission=Submission.CREATED,
            name=remote["name"],
            next_try_at=None,
        ):
            job.absorb(remote)
    polling.hurry(job)


def look(job: TuningJob) -> None:
    """One search by label for a job that may or may not have been made."""
    now = timezone.now()
    looking = TuningJob.objects.filter(pk=job.pk, submission=Submission.UNKNOWN, looks=job.looks)
    if not looking.update(looks=job.looks + 1, next_try_at=next_look(job, now)):
        return
    try:
        found = carrying(job)
    except VertexError as error:
        again = now + wait(job.looks + 1, error)
        TuningJob.objects.filter(pk=job.pk, submission=Submission.UNKNOWN).update(
            looks=job.looks, next_try_at=again, trouble=kept(error)
        )
        return
    if found:
        adopt(job, found[0])
        note_twins(job, [str(twin["name"]) for twin in found[1:]])


def next_look(job: TuningJob, now: datetime) -> datetime | None:
    if job.looks + 1 >= len(LOOKS):
        return None
    planned = (job.unknown_since or now) + timedelta(seconds=LOOKS[job.looks + 1])
    return max(planned, now + timedelta(seconds=LOOKS[0]))


def carrying(job: TuningJob) -> list[dict[str, Any]]:
    """The service's jobs with our label, oldest first. Every job is looked at: what a filter means is not
    documented, and a wrong "none" would lead to a second bill."""
    listed = job.project.vertex().list_tuning_jobs(job.location)
    ours = [remote for remote in listed if (remote.get("labels") or {}).get(LABEL) == job.submission_id]
    return sorted(ours, key=lambda remote: str(remote.get("createTime", "")))


def note_twins(job: TuningJob, names: list[str]) -> None:
    if not names:
        return
    log.error("job %s was created more than once: also %s", job.pk, ", ".join(names))
    with transaction.atomic():
        TuningJob.objects.filter(pk=job.pk).update(twins=names)
        AuditEntry.record(
            "tuning_job.twins", actor=None, project=job.project, subject=f"{job.pk} {job}", names=names
        )


def send_cancel(job: TuningJob) -> None:
    """Asks the service to stop; it may still finish. A refusal means that the job is not as we think."""
    now = timezone.now()
    if not TuningJob.objects.cancels(now).filter(pk=job.pk).update(next_try_at=now + STUCK):
        return
    vertex, name = job.project.vertex(), str(job.name)
    row = TuningJob.objects.filter(pk=job.pk)
    try:
        vertex.cancel_tuning_job(name)
    except (NotSent, CredentialsFailed, TooManyRequests, OutcomeUnknown) as error:
        row.update(next_try_at=now + wait(4, error), trouble=kept(error))
    except Refused as refusal:
        reread(job, refusal)
    else:
        row.update(cancel_sent_at=now, next_try_at=None, trouble={})
        polling.hurry(job)


def reread(job: TuningJob, refusal: Refused) -> None:
    """A cancel that came too late is answered by the job's end; other refusals are shown, to be retried."""
    try:
        job.absorb(job.project.vertex().get_tuning_job(str(job.name)))
    except VertexError as error:
        log.info("job %s could not be read after a refused cancel: %s", job.pk, error)
    if not job.is_final:
        TuningJob.objects.filter(pk=job.pk).update(
            cancel_asked_at=None, next_try_at=None, trouble=kept(refusal)
        )


def wait(tries: int, error: VertexError) -> timedelta:
    """Full jitter, doubling up to a minute; never less than the server asked for."""
    jitter = _random.uniform(1.0, min(LONGEST_WAIT, 2.0 ** (tries + 1)))
    return timedelta(seconds=max(jitter, error.retry_after or 0.0))
