"""Numbers over steps: a Series per (job, metric), its points in packed Chunks; a Feed per job, its clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone

from jobs.models import TuningJob

CLAIM = timedelta(seconds=60)
"""How long a reader has a job to itself; one that died is followed by another after this."""


class Series(models.Model):
    """One metric of one job; `metric` is Vertex's own name, such as /eval_total_loss."""

    job = models.ForeignKey(TuningJob, on_delete=models.CASCADE)
    metric = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "metric"], name="one_series_per_metric")]


class Chunk(models.Model):
    """Points in step order: steps int64, wall float64 (epoch seconds), values float64, all little-endian.

    Only metrics.points packs and unpacks them.
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
        """A feed for each job that the service knows and nobody reads yet."""
        unread = TuningJob.objects.filter(name__isnull=False, feed=None).values_list("pk", flat=True)
        feeds = [Feed(job_id=pk, due_at=now) for pk in unread]
        if feeds:
            self.bulk_create(feeds, ignore_conflicts=True)

    def claim_due(self, now: datetime) -> Iterator[Feed]:
        """The feeds that are due, each given to one caller only."""
        for feed in self.filter(due_at__lte=now).select_related("job__project").order_by("due_at"):
            if self.filter(pk=feed.pk, due_at=feed.due_at).update(due_at=timezone.now() + CLAIM):
                yield feed


class Feed(models.Model):
    """The clock of one job's metrics, apart from the clock of its state.

    `due_at` is blank once the last read is done; `seen` holds, by metric, how far the service's own data
    reached when it was last read; `error` is why the last attempt failed, and is empty when it did not.
    """

    job = models.OneToOneField(TuningJob, on_delete=models.CASCADE)
    due_at = models.DateTimeField(null=True, db_index=True)
    read_at = models.DateTimeField(null=True)
    run = models.CharField(max_length=400, blank=True)
    seen = models.JSONField(default=dict)
    error = models.JSONField(default=dict)

    objects = FeedQuerySet.as_manager()
