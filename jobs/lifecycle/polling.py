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

from jobs.lifecycle.stored_errors import kept
from jobs.models import Sweep, TuningJob
from jobs.querysets import TuningJobQuerySet
from studio.models import Project
from studio.vertex import job_states
from studio.vertex.errors import NotFound, TooManyRequests, VertexError

T = TypeVar("T")
BATCH = 100
YOUNG = timedelta(minutes=5)
WATCHED = timedelta(seconds=30)
FULL = timedelta(hours=1)
CLAIM = timedelta(seconds=60)
BREAKER_FAILURES = 5
BREAKER_PAUSE = timedelta(seconds=30)
MISSES = 2
log = logging.getLogger(__name__)
_random = random.SystemRandom()


def due(now: datetime) -> Iterator[Sweep]:
    """The lists to read now; only places with a job that is not over have one."""
    places = TuningJob.objects.active().values_list("project_id", "location").distinct().order_by()
    for project_id, location in places:
        sweep, _made = Sweep.objects.select_related("project").get_or_create(
            project_id=project_id, location=location, defaults={"due_at": now}
        )
        if sweep.due_at <= now:
            yield sweep


def poll(sweep: Sweep, now: datetime) -> None:
    claimed = Sweep.objects.filter(pk=sweep.pk, due_at=sweep.due_at).update(due_at=now + CLAIM)
    if not claimed:
        return
    try:
        full = read(sweep, full=sweep.full_at is None or now - sweep.full_at >= FULL)
    except VertexError as error:
        fail(sweep, error, now)
        return
    Sweep.objects.filter(pk=sweep.pk).update(
        read_at=now,
        full_at=now if full else sweep.full_at,
        due_at=now + pace(sweep, now),
        failing_since=None,
        failures=0,
        trouble={},
    )


def read(sweep: Sweep, *, full: bool) -> bool:
    """Takes the list in until every active job was seen, or to its end; True where it was read to its end."""
    waiting, asked_at = set(jobs_of(sweep).active().values_list("name", flat=True)), timezone.now()
    listed = sweep.project.vertex().list_tuning_jobs(sweep.location, page_size=BATCH)
    for remotes in batches(listed, BATCH):
        waiting -= take(sweep, remotes, asked_at)
        if not waiting and not full:
            return False
    for job in jobs_of(sweep).active().filter(name__in=waiting):
        miss(job)
    return True


def take(sweep: Sweep, remotes: list[dict[str, Any]], asked_at: datetime) -> set[str | None]:
    """Absorbs what is new about the jobs we know, but those that were read by themselves since the list was
    asked for; answers their names."""
    by_name = {str(remote.get("name")): remote for remote in remotes}
    known = list(jobs_of(sweep).filter(name__in=by_name))
    for job in known:
        late = job.seen_at is not None and job.seen_at > asked_at
        if not late and (job.remote != by_name[str(job.name)] or job.misses):
            job.absorb(by_name[str(job.name)])
    return {job.name for job in known}


def miss(job: TuningJob) -> None:
    """A job left out of two full lists in a row, and not found by its name, was deleted. One miss says
    nothing: a list may be late."""
    TuningJob.objects.filter(pk=job.pk).update(misses=F("misses") + 1)
    if job.misses + 1 < MISSES:
        return
    try:
        job.absorb(job.project.vertex().get_tuning_job(str(job.name)))
    except NotFound:
        log.warning("job %s is gone from the service", job.pk)
        TuningJob.objects.filter(pk=job.pk).update(gone_at=timezone.now(), ended_at=timezone.now())


def fail(sweep: Sweep, error: VertexError, now: datetime) -> None:
    """The jobs keep their last state; the page says since when. Five failures in a row earn a longer rest."""
    failures = sweep.failures + (0 if isinstance(error, TooManyRequests) else 1)
    pause = timedelta(seconds=max(_random.uniform(1.0, min(60.0, 2.0**failures)), error.retry_after or 0.0))
    if failures >= BREAKER_FAILURES:
        pause = max(pause, BREAKER_PAUSE)
    Sweep.objects.filter(pk=sweep.pk).update(
        due_at=now + max(pause, beat(2)),
        failures=failures,
        failing_since=sweep.failing_since or now,
        trouble=kept(error),
    )


def pace(sweep: Sweep, now: datetime) -> timedelta:
    """Until the next list: soon while somebody looks or a job is young, else by what is going on."""
    active = jobs_of(sweep).active()
    watched = sweep.watched_at is not None and now - sweep.watched_at < WATCHED
    if watched or active.filter(submitted_at__gte=now - YOUNG).exists():
        return beat(2)
    if active.filter(state=job_states.RUNNING).exists():
        return beat(6)
    return beat(60)


def beat(times: int) -> timedelta:
    """10, 30 and 300 s at the usual beat of 5 s."""
    return timedelta(seconds=settings.POLL_SECONDS * times)


def overdue(sweep: Sweep) -> bool:
    """Due for so long that no worker can be running; a claim lasts a minute."""
    return timezone.now() - sweep.due_at > CLAIM + beat(2)


def jobs_of(sweep: Sweep) -> TuningJobQuerySet:
    jobs: TuningJobQuerySet = TuningJob.objects.filter(project=sweep.project_id, location=sweep.location)
    return jobs


def hurry(job: TuningJob) -> None:
    """The place's list is due at once."""
    Sweep.objects.filter(project=job.project_id, location=job.location).update(due_at=timezone.now())


def watch(project: Project) -> list[Sweep]:
    """Somebody looks at the project's jobs: its lists are read more often. Answers them."""
    now = timezone.now()
    sweeps = list(Sweep.objects.filter(project=project))
    if any(sweep.watched_at is None or now - sweep.watched_at > WATCHED / 3 for sweep in sweeps):
        Sweep.objects.filter(project=project).update(watched_at=now)
    return sweeps


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch
