"""What became of the jobs: one paged list per (project, location), at a pace set by what is going on."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from jobs.lifecycle.stored_errors import serialize
from jobs.models import JobListPoll, TuningJob
from jobs.querysets import TuningJobQuerySet
from studio.models import Project
from studio.vertex import job_states
from studio.vertex.errors import NotFound, TooManyRequests, VertexError

T = TypeVar("T")
PAGE_SIZE = 100
START_POLL_INTERVAL = timedelta(seconds=1)
"""A person waits for the first point of a job that has just started on the engine, on this machine."""
YOUNG_JOB_AGE = timedelta(minutes=5)
WATCHED_FOR = timedelta(seconds=30)
FULL_READ_INTERVAL = timedelta(hours=1)
CLAIM_DURATION = timedelta(seconds=60)
BREAKER_FAILURES = 5
BREAKER_PAUSE = timedelta(seconds=30)
MAX_MISSED_POLLS = 2
log = logging.getLogger(__name__)
_random = random.SystemRandom()


def find_due_lists(now: datetime) -> Iterator[JobListPoll]:
    """The lists to read now; only places with a job that is not over have one."""
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
    """Takes the list in until every active job was seen, or to its end; True where it was read to its end."""
    waiting, asked_at = set(list_polled_jobs(poll).active().values_list("name", flat=True)), timezone.now()
    listed = poll.project.vertex().list_tuning_jobs(poll.location, page_size=PAGE_SIZE)
    for remotes in batches(listed, PAGE_SIZE):
        waiting -= update_known_jobs(poll, remotes, asked_at)
        if not waiting and not full:
            return False
    for job in list_polled_jobs(poll).active().filter(name__in=waiting):
        record_missed_poll(job)
    return True


def update_known_jobs(
    poll: JobListPoll, remotes: list[dict[str, Any]], asked_at: datetime
) -> set[str | None]:
    """Absorbs what is new about the jobs we know, but those that were read by themselves since the list was
    asked for; answers their names."""
    by_name = {str(remote.get("name")): remote for remote in remotes}
    known = list(list_polled_jobs(poll).filter(name__in=by_name))
    for job in known:
        late = job.seen_at is not None and job.seen_at > asked_at
        if not late and (job.remote != by_name[str(job.name)] or job.missed_polls):
            job.update_from_remote(by_name[str(job.name)])
    return {job.name for job in known}


def record_missed_poll(job: TuningJob) -> None:
    """A job left out of two full lists in a row, and not found by its name, was deleted. One miss says
    nothing: a list may be late."""
    TuningJob.objects.filter(pk=job.pk).update(missed_polls=F("missed_polls") + 1)
    if job.missed_polls + 1 < MAX_MISSED_POLLS:
        return
    try:
        job.update_from_remote(job.project.vertex().get_tuning_job(str(job.name)))
    except NotFound:
        log.warning("job %s is gone from the service", job.pk)
        TuningJob.objects.filter(pk=job.pk).update(deleted_at=timezone.now(), ended_at=timezone.now())


def record_failure(poll: JobListPoll, error: VertexError, now: datetime) -> None:
    """The jobs keep their last state; the page says since when. Five failures in a row earn a longer rest."""
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
    """Until the next list: soon while somebody looks or a job is young, else by what is going on."""
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
    """10, 30 and 300 s at the usual beat of 5 s."""
    return timedelta(seconds=settings.POLL_SECONDS * times)


def is_overdue(poll: JobListPoll) -> bool:
    """Due for so long that no worker can be running; a claim lasts a minute."""
    return timezone.now() - poll.due_at > CLAIM_DURATION + scale_poll_interval(2)


def list_polled_jobs(poll: JobListPoll) -> TuningJobQuerySet:
    jobs: TuningJobQuerySet = TuningJob.objects.filter(project=poll.project_id, location=poll.location)
    return jobs


def poll_soon(job: TuningJob) -> None:
    """The place's list is due at once."""
    JobListPoll.objects.filter(project=job.project_id, location=job.location).update(due_at=timezone.now())


def mark_watched(project: Project) -> list[JobListPoll]:
    """Somebody looks at the project's jobs: its lists are read more often. Answers them."""
    now = timezone.now()
    polls = list(JobListPoll.objects.filter(project=project))
    if any(poll.watched_at is None or now - poll.watched_at > WATCHED_FOR / 3 for poll in polls):
        JobListPoll.objects.filter(project=project).update(watched_at=now)
    return polls


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch
