"""Metrics over steps: a Series for each job and metric, its points in packed Chunks; a Feed schedules each
job's reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone

from jobs.models import TuningJob

CLAIM = timedelta(seconds=60)
"""How long a worker has a job to itself: longer than a read takes. If it died, another one takes over
then."""


class Series(models.Model):
    """One metric of one job; `metric` is Vertex's own name, such as /eval_total_loss."""

    job = models.ForeignKey(TuningJob, on_delete=models.CASCADE)
    metric = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "metric"], name="one_series_per_metric")]


class Chunk(models.Model):
    """Points in step order: steps int64, wall float64 (epoch seconds), values float64, all little-endian.

    Only metrics.point_store packs and unpacks them.
    """

    series = models.ForeignKey(Series, on_delete=models.CASCADE)
    index = models.PositiveIntegerField()
    steps = models.BinaryField()
    wall = models.BinaryField()
    values = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["series", "index"], name="one_chunk_per_place")]


class FeedQuerySet(models.QuerySet["Feed"]):
    def create_missing(self, now: datetime) -> None:
        """Create a feed for each job that the service knows and that has none."""
        unread = TuningJob.objects.filter(name__isnull=False, feed=None).values_list("pk", flat=True)
        feeds = [Feed(job_id=pk, due_at=now) for pk in unread]
        if feeds:
            self.bulk_create(feeds, ignore_conflicts=True)

    def has_unread(self) -> bool:
        """Whether any job is to be read now or later."""
        unknown = TuningJob.objects.filter(name__isnull=False, feed=None)
        return self.filter(due_at__isnull=False).exists() or unknown.exists()

    def claim_due(self, now: datetime) -> Iterator[Feed]:
        """Yield the feeds that are due; no feed goes to two callers."""
        for feed in self.filter(due_at__lte=now).select_related("job__project").order_by("due_at"):
            if self.filter(pk=feed.pk, due_at=feed.due_at).update(due_at=timezone.now() + CLAIM):
                yield feed


class Feed(models.Model):
    """When to read a job's metrics next, independent of when to read its state.

    `due_at` is blank after the last read; `seen` holds, by metric, the extent of the service's data at the
    last read; `error` is why the last attempt failed, or empty; `left_out` counts, by metric, the points that
    could not be read, and under "" the series.
    """

    job = models.OneToOneField(TuningJob, on_delete=models.CASCADE)
    due_at = models.DateTimeField(null=True, db_index=True)
    read_at = models.DateTimeField(null=True)
    run = models.CharField(max_length=400, blank=True)
    seen = models.JSONField(default=dict)
    error = models.JSONField(default=dict)
    left_out = models.JSONField(default=dict)

    objects = FeedQuerySet.as_manager()
