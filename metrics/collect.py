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
from jobs.lifecycle.sweep import sweep_rows
from jobs.models import TuningJob
from metrics import point_store
from metrics.diagnosis.analysis import find_alerts
from metrics.models import Feed
from metrics.point_store import Points
from metrics.run import Run
from metrics.summary import SUMMARY_METRICS, summarize_curves
from studio.vertex.errors import OutcomeUnknown, VertexError
from studio.vertex.time_series import LeftOut, Point, TimeSeries

LAST_READS = (timedelta(seconds=60), timedelta(minutes=10))
"""After a job has ended: the service may still deliver points that were recorded just before."""
START_INTERVAL = timedelta(seconds=1)
"""Until the first point of a job that has just started: a person waits for it."""
RETRY = timedelta(seconds=20)
"""Between two attempts at least: long enough for a service that restarts."""
MAX_RUN = 400
"""Characters of the name of a TensorBoard run, as its column holds."""
GIVE_UP = timedelta(days=1)
"""After its end a job that cannot be read is given up: its points would have arrived long ago."""


@dataclass(frozen=True, slots=True)
class FetchedSeries:
    """The result of one request: the TensorBoard run, new points by metric, the extent of each series, and
    how many points of each could not be read."""

    run: str = ""
    batch: dict[str, Points] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=dict)


def pull_due() -> None:
    """Read every feed that is due. Each gets its own `now`, since a read may take long."""
    Feed.objects.create_missing(timezone.now())

    def mark(feed: Feed, error: VertexError) -> None:
        record_failure(feed, error, timezone.now())

    sweep_rows(Feed.objects.claim_due(timezone.now()), pull_feed, mark)


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
    if not isinstance(experiment, str) or not experiment:
        return FetchedSeries()
    vertex = feed.job.project.vertex()
    run = feed.run or vertex.tensorboard_run(experiment)
    if not run:
        return FetchedSeries()
    if len(run) > MAX_RUN:
        raise OutcomeUnknown("The name of the job's TensorBoard run is too long.")
    left_out: LeftOut = {}
    listed = vertex.list_time_series(run, left_out)
    changed = [one for one in listed if feed.seen.get(one["displayName"]) != format_extent(one)]
    answer = vertex.read_time_series(changed, left_out) if changed else {}
    batch = parse_points(answer)
    return FetchedSeries(run, batch, dict(iter_complete_series(changed, batch)), left_out)


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
    ended_at, is_starting = find_end(job, now), job.is_starting and not reading.batch
    if reading.batch:
        ends, run = point_store.merge_points(job.pk, reading.batch, whole=SUMMARY_METRICS), Run.from_job(job)
        summary = summarize_curves(ends, run) | {"alerts": find_alerts(ends, run)}
        TuningJob.objects.filter(pk=job.pk).update(summary=summary)
    Feed.objects.filter(pk=feed.pk).update(
        run=reading.run,
        seen=feed.seen | reading.seen,
        read_at=now,
        error={},
        left_out={metric: n for metric, n in (feed.left_out | reading.left_out).items() if n},
        due_at=next_read(ended_at, now, is_starting=is_starting),
    )


def find_end(job: TuningJob, now: datetime) -> datetime | None:
    """Return when the job ended, for what is due some time later. The service's own time counts only between
    our start of the job and now: no other plans a read that never comes, or gives up too early."""
    ended_at = job.ended_at or job.deleted_at
    return min(max(ended_at, job.submitted_at or ended_at), now) if ended_at else None


def next_read(ended_at: datetime | None, now: datetime, *, is_starting: bool = False) -> datetime | None:
    if ended_at is None:
        interval = timedelta(seconds=settings.POLL_SECONDS)
        return now + (min(START_INTERVAL, interval) if is_starting else interval)
    return next((ended_at + after for after in LAST_READS if ended_at + after > now), None)


def record_failure(feed: Feed, error: VertexError, now: datetime) -> None:
    """Store the reason. A job that has ended is tried less and less often, and no longer after GIVE_UP."""
    ended_at = find_end(feed.job, now)
    wait = max(RETRY, timedelta(seconds=error.retry_after or 0), (now - (ended_at or now)) / 4)
    over = ended_at is not None and now - ended_at > GIVE_UP
    Feed.objects.filter(pk=feed.pk).update(
        due_at=None if over else now + wait,
        error=serialize(error),
    )
