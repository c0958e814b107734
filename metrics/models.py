"""Numbers over steps, packed: one Series per (job, metric), its points in Chunks."""

from django.db import models

from jobs.models import TuningJob


class Series(models.Model):
    """One metric of one job; `metric` is Vertex's own name, such as /eval_total_loss."""

    job = models.ForeignKey(TuningJob, on_delete=models.CASCADE)
    metric = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "metric"], name="one_series_per_metric")]


class Chunk(models.Model):
    """Points in step order: steps int64, wall float64 (epoch seconds), values float64, all little-endian."""

    series = models.ForeignKey(Series, on_delete=models.CASCADE)
    index = models.PositiveIntegerField()
    steps = models.BinaryField()
    wall = models.BinaryField()
    values = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["series", "index"], name="one_chunk_per_place")]


class Feed(models.Model):
    """The clock of one job's metrics, apart from the clock of its state."""

    job = models.OneToOneField(TuningJob, on_delete=models.CASCADE)
    due_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    error = models.JSONField(default=dict)
