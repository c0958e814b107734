"""Collect a job's metrics: read new points from the service, then store them in one transaction.

A worker may die at any point: what it has not committed is read again, and merging stored points again
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from jobs.lifecycle.stored_errors import serialize
from jobs.models import TuningJob
from metrics import point_store
from metrics.diagnosis.analysis import find_alerts
from metrics.models import Feed
from metrics.point_store import Points
from metrics.run import Run
from metrics.summary import SUMMARY_METRICS, summarize_curves
from studio.vertex.errors import VertexError
from studio.vertex.time_series import Point, TimeSeries

LAST_READS = (timedelta(seconds=60), timedelta(minutes=10))
"""After a job has ended: the service may still deliver points that were recorded just before."""
START_INTERVAL = timedelta(seconds=1)
"""Until the first point of a job that has just started: a person waits for it."""
RETRY = timedelta(seconds=20)
"""Between two attempts at least: long enough for a service that restarts."""
GIVE_UP = timedelta(days=1)
"""After its end a job that cannot be read is given up: its points would have arrived long ago."""


@dataclass(frozen=True, slots=True)
class FetchedSeries:
    """The result of one request: the TensorBoard run, new points by metric, and the extent of each series."""

    run: str = ""
    batch: dict[str, Points] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)


def pull_due() -> None:
    """Read every feed that is due. Each gets its own `now`, since a read may take long."""
    Feed.objects.create_missing(timezone.now())
    for feed in Feed.objects.claim_due(timezone.now()):
        pull_feed(feed)


def pull_feed(feed: Feed) -> None:
    try:
        reading = fetch_new_points(feed)
    except VertexError as error:
        record_failure(feed, error, timezone.now())
    else:
        store_fetched(feed, reading, timezone.now())


def fetch_new_points(feed: Feed) -> FetchedSeries:
    """Ask the service for the series that have grown since the last time. Raises VertexError."""
    experiment = feed.job.remote.get("experiment")
    if not experiment:
        return FetchedSeries()
    vertex = feed.job.project.vertex()
    run = feed.run or vertex.tensorboard_run(experiment)
    if not run:
        return FetchedSeries()
    changed = [
        one for one in vertex.list_time_series(run) if feed.seen.get(one["displayName"]) != format_extent(one)
    ]
    answer = vertex.read_time_series(changed) if changed else {}
    batch = parse_points(answer)
    return FetchedSeries(run, batch, dict(iter_complete_series(changed, batch)))


def parse_points(answer: Mapping[str, Sequence[Point]]) -> dict[str, Points]:
    return {
        metric: Points.from_arrays(*zip(*found, strict=True)) for metric, found in answer.items() if found
    }


def format_extent(series: TimeSeries) -> str:
    return f"{series['maxStep']} {series['maxWallTime']}"


def iter_complete_series(changed: list[TimeSeries], batch: dict[str, Points]) -> Iterator[tuple[str, str]]:
    """Yield the series that were read up to their announced extent; the others are read again next time."""
    for series in changed:
        metric = series["displayName"]
        if metric in batch and batch[metric].steps[-1] >= series["maxStep"]:
            yield metric, format_extent(series)


@transaction.atomic
def store_fetched(feed: Feed, reading: FetchedSeries, now: datetime) -> None:
    job = feed.job
    ended_at, is_starting = job.ended_at or job.deleted_at, job.is_starting and not reading.batch
    if reading.batch:
        ends, run = point_store.merge_points(job.pk, reading.batch, whole=SUMMARY_METRICS), Run.from_job(job)
        summary = summarize_curves(ends, run) | {"alerts": find_alerts(ends, run)}
        TuningJob.objects.filter(pk=job.pk).update(summary=summary)
    Feed.objects.filter(pk=feed.pk).update(
        run=reading.run,
        seen=feed.seen | reading.seen,
        read_at=now,
        error={},
        due_at=next_read(ended_at, now, is_starting=is_starting),
    )


def next_read(ended_at: datetime | None, now: datetime, *, is_starting: bool = False) -> datetime | None:
    if ended_at is None:
        interval = timedelta(seconds=settings.POLL_SECONDS)
        return now + (min(START_INTERVAL, interval) if is_starting else interval)
    return next((ended_at + after for after in LAST_READS if ended_at + after > now), None)


def record_failure(feed: Feed, error: VertexError, now: datetime) -> None:
    """Store the reason. A job that has ended is tried less and less often, and no longer after GIVE_UP."""
    ended_at = feed.job.ended_at or feed.job.deleted_at
    wait = max(RETRY, timedelta(seconds=error.retry_after or 0), (now - (ended_at or now)) / 4)
    over = ended_at is not None and now - ended_at > GIVE_UP
    Feed.objects.filter(pk=feed.pk).update(
        due_at=None if over else now + wait,
        error=serialize(error),
    )
