"""Polling of job states: one paged list per (project, location), at an interval that depends on activity."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from jobs.lifecycle.stored_errors import serialize
from jobs.lifecycle.sweep import sweep_rows
from jobs.models import JobListPoll, TuningJob
from jobs.querysets import TuningJobQuerySet
from studio.disk_space import leave_out_if_full
from studio.models import Project
from studio.vertex import job_states
from studio.vertex.errors import (
    BadName,
    BadRequest,
    NotFound,
    PermissionDenied,
    TooManyRequests,
    VertexError,
)
from studio.vertex.resource_names import is_name

T = TypeVar("T")
PAGE_SIZE = 100
"""The largest page size of tuningJobs.list."""
START_POLL_INTERVAL = timedelta(seconds=1)
"""For jobs just started on the engine: the user waits for the first point, and the engine is on this
machine."""
YOUNG_JOB_AGE = timedelta(minutes=5)
"""A job this new is polled as often as a list that somebody watches: if the service rejects it, that shows
soon. The length is a choice, not a measurement."""
WATCHED_FOR = timedelta(seconds=30)
"""An idle open page asks every 30 s (ACTIVE_REFRESH_SECONDS with active jobs)."""
FULL_READ_INTERVAL = timedelta(hours=1)
"""Deleted jobs are found only by full reads, which can take many pages."""
CLAIM_DURATION = timedelta(seconds=60)
"""Longer than a list takes; the list of a worker that dies is read by another one after a minute."""
BREAKER_FAILURES = 5
BREAKER_PAUSE = timedelta(seconds=30)
"""The random pause after a failure can be as short as a second. From the fifth failure in a row on it is at
least this long, so that a service that is down is asked at most twice a minute."""
MAX_MISSED_POLLS = 2
"""Lists are eventually consistent, so one list without a job proves nothing."""
log = logging.getLogger(__name__)
_random = random.SystemRandom()


def find_due_lists(now: datetime) -> Iterator[JobListPoll]:
    """Yield the lists that are due. Only locations with unfinished jobs have one."""
    places = TuningJob.objects.active().values_list("project_id", "location").distinct().order_by()
    for project_id, location in places:
        poll, _made = JobListPoll.objects.select_related("project").get_or_create(
            project_id=project_id, location=location, defaults={"due_at": now}
        )
        if poll.due_at <= now:
            yield poll


def poll_job_list(poll: JobListPoll, now: datetime) -> None:
    claimed = JobListPoll.objects.filter(pk=poll.pk, due_at=poll.due_at).update(due_at=now + CLAIM_DURATION)
    if not claimed:
        return
    try:
        full = read_job_list(poll, full=poll.full_at is None or now - poll.full_at >= FULL_READ_INTERVAL)
    except VertexError as error:
        record_failure(poll, error, now)
        return
    JobListPoll.objects.filter(pk=poll.pk).update(
        read_at=now,
        full_at=now if full else poll.full_at,
        due_at=now + choose_poll_interval(poll, now),
        failing_since=None,
        failures=0,
        last_error={},
    )


def read_job_list(poll: JobListPoll, *, full: bool) -> bool:
    """Read the list until every active job was found, or to its end if `full`.

    Return True if the end was reached.
    """
    waiting, asked_at = set(list_polled_jobs(poll).active().values_list("name", flat=True)), timezone.now()
    listed = poll.project.vertex().list_tuning_jobs(poll.location, page_size=PAGE_SIZE)
    for remotes in batches(listed, PAGE_SIZE):
        waiting -= update_known_jobs(poll, remotes, asked_at)
        if not waiting and not full:
            return False
    missing = list_polled_jobs(poll).active().filter(name__in=waiting)
    sweep_rows(missing, record_missed_poll, mark_job, passes=(VertexError,))
    return True


def update_known_jobs(
    poll: JobListPoll, remotes: Sequence[dict[str, Any]], asked_at: datetime
) -> set[str | None]:
    """Store the listed resources in the known jobs and return their names.

    Jobs read individually after `asked_at` are skipped: their data is newer than the list.
    """
    by_name = {name: remote for remote in remotes if is_name(name := remote.get("name"))}
    known = list(list_polled_jobs(poll).filter(name__in=by_name))

    def update_job(job: TuningJob) -> None:
        remote = by_name[str(job.name)]
        late = job.seen_at is not None and job.seen_at > asked_at
        if not late and (job.remote != remote or job.missed_polls or job.has_internal_fault):
            job.update_from_remote(remote)

    sweep_rows(known, update_job, mark_job)
    return {job.name for job in known}


def mark_job(job: TuningJob, error: VertexError) -> None:
    """Show at the job why its last response could not be used. Its neighbors and its state stay as they
    are."""
    TuningJob.objects.filter(pk=job.pk).update(last_error=serialize(error))


def record_missed_poll(job: TuningJob) -> None:
    """Count a full list without this job. After two in a row and a 404 by name, the job is marked as deleted.

    A single miss isn't enough: lists are eventually consistent. If only this job can't be read, that is shown
    at the job: it says nothing about the list.
    """
    TuningJob.objects.filter(pk=job.pk).update(missed_polls=F("missed_polls") + 1)
    if job.missed_polls + 1 < MAX_MISSED_POLLS:
        return
    try:
        job.update_from_remote(job.project.vertex().get_tuning_job(str(job.name)))
    except NotFound:
        log.warning("job %s is gone from the service", job.pk)
        TuningJob.objects.filter(pk=job.pk).update(deleted_at=timezone.now(), ended_at=timezone.now())
    except (BadName, BadRequest, PermissionDenied) as error:
        mark_job(job, error)


def record_failure(poll: JobListPoll, error: VertexError, now: datetime) -> None:
    """Store a failed poll; the jobs keep their last state.

    After five failures in a row the interval is longer.
    """
    failures = poll.failures + (0 if isinstance(error, TooManyRequests) else 1)
    pause = timedelta(seconds=max(_random.uniform(1.0, min(60.0, 2.0**failures)), error.retry_after or 0.0))
    if failures >= BREAKER_FAILURES:
        pause = max(pause, BREAKER_PAUSE)
    JobListPoll.objects.filter(pk=poll.pk).update(
        due_at=now + max(pause, scale_poll_interval(2)),
        failures=failures,
        failing_since=poll.failing_since or now,
        last_error=serialize(error),
    )


def choose_poll_interval(poll: JobListPoll, now: datetime) -> timedelta:
    """Return the time until the next poll: short while the list is watched or a job is new, else by
    activity."""
    jobs = list_polled_jobs(poll)
    if jobs.starting(now).exists():
        return min(START_POLL_INTERVAL, scale_poll_interval(1))
    active = jobs.active()
    watched = poll.watched_at is not None and now - poll.watched_at < WATCHED_FOR
    if watched or active.filter(submitted_at__gte=now - YOUNG_JOB_AGE).exists():
        return scale_poll_interval(2)
    if active.filter(state=job_states.RUNNING).exists():
        return scale_poll_interval(6)
    return scale_poll_interval(60)


def scale_poll_interval(times: int) -> timedelta:
    """Return `times` beats: 10, 30 and 300 s at the default beat of 5 s."""
    return timedelta(seconds=settings.POLL_SECONDS * times)


def is_overdue(poll: JobListPoll) -> bool:
    """Whether the poll is overdue by so much that no worker can be running. A claim lasts one minute."""
    return timezone.now() - poll.due_at > CLAIM_DURATION + scale_poll_interval(2)


def list_polled_jobs(poll: JobListPoll) -> TuningJobQuerySet:
    jobs: TuningJobQuerySet = TuningJob.objects.filter(project=poll.project_id, location=poll.location)
    return jobs


def poll_soon(job: TuningJob) -> None:
    """Make the list of the job's location due immediately."""
    JobListPoll.objects.filter(project=job.project_id, location=job.location).update(due_at=timezone.now())


def mark_watched(project: Project) -> list[JobListPoll]:
    """Mark the project's lists as watched, so that they are polled more often, and return them."""
    now = timezone.now()
    polls = list(JobListPoll.objects.filter(project=project))
    if any(poll.watched_at is None or now - poll.watched_at > WATCHED_FOR / 3 for poll in polls):
        with leave_out_if_full():
            JobListPoll.objects.filter(project=project).update(watched_at=now)
    return polls


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of `size`. What came before an error is yielded before it is raised."""
    batch: list[T] = []
    try:
        for item in items:
            batch.append(item)
            if len(batch) == size:
                yield batch
                batch = []
    except VertexError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
