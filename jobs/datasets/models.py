"""Datasets, each one pinned version of a file, and the comparisons of two datasets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from jobs.datasets.check.lines import read_chunks
from jobs.datasets.check.report import Report
from studio.models import AuditEntry, Project

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from studio.vertex.storage import Storage


class Dataset(models.Model):
    """One pinned version of a JSONL object: the uri with the generation that was checked.

    `derivation` says how it was made from `parent`, such as `{"how": "held_out", "percent": 10, "seed": 0,
    "part": "training"}`. `calibration` has the tokens by the service's own count per estimated token, by base
    model.
    """

    class Source(models.TextChoices):
        UPLOAD = "upload", _("Uploaded")
        EXISTING = "existing", _("Existing file")
        SAMPLE = "sample", _("Sample data")
        DERIVED = "derived", _("Created from another dataset")

    project = models.ForeignKey(Project, on_delete=models.CASCADE)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    uri = models.CharField(max_length=1100)
    generation = models.CharField(max_length=32)
    crc32c = models.CharField(max_length=16)
    size = models.BigIntegerField()
    source = models.CharField(max_length=10, choices=Source)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="children"
    )
    derivation = models.JSONField(default=dict, blank=True)
    report = models.JSONField(default=dict)
    calibration = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    checked_at = models.DateTimeField(null=True)  # blank until it is checked again

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["project", "uri", "generation"], name="one_dataset_per_version")
        ]

    def __str__(self) -> str:
        return self.uri.rsplit("/", 1)[-1]

    def get_absolute_url(self) -> str:
        return reverse("datasets:detail", args=[self.project.slug, self.pk])

    @property
    def folder(self) -> str:
        return self.uri.rpartition("/")[0] + "/"

    @classmethod
    def names_object(cls, project: Project, uri: str, generation: int | None) -> bool:
        """Whether a dataset of the project is this version of the object, or any version for None."""
        rows = cls.objects.filter(project=project, uri=uri)
        return (rows if generation is None else rows.filter(generation=str(generation))).exists()

    @classmethod
    def names_within(cls, projects: Sequence[Project], folder: str) -> bool:
        """Whether a dataset of one of the projects lies in the folder."""
        return cls.objects.filter(project__in=projects, uri__startswith=folder).exists()

    def storage(self) -> Storage:
        """Return the storage that reaches this version of the object wherever it lies, also once the row is
        deleted."""
        return self.project.storage(pinned=(self.uri, int(self.generation)))

    def open(self) -> BinaryIO:
        """Open the pinned version in Cloud Storage. Raises NotFound where it is gone, and VertexError."""
        return self.storage().open(self.uri, int(self.generation))

    def iter_chunks(self) -> Iterator[bytes]:
        """Yield the bytes of the pinned version in order. Nothing is requested before the first chunk, and
        the file is closed after the last one. Raises NotFound where the version is gone, and VertexError."""
        with self.open() as file:
            yield from read_chunks(file)

    @property
    def parsed_report(self) -> Report:
        return Report.from_json(self.report)

    def get_token_ratio(self, base_model: str) -> float | None:
        """Tokens per estimated token by the model's service; None until it has counted some."""
        found = self.calibration.get(base_model)
        return float(found) if found else None

    def audit(self, action: str, user: User | None, **detail: Any) -> None:
        subject = f"{self.pk} {self}"
        AuditEntry.record(action, actor=user, project=self.project, subject=subject, uri=self.uri, **detail)

    @property
    def content_key(self) -> tuple[str, int]:
        """Identifies the content: the checksum and the size of the pinned object."""
        return self.crc32c, self.size

    def has_same_data(self, other: Dataset) -> bool:
        return self.content_key == other.content_key


class Overlap(models.Model):
    """What a validation dataset repeats of a training dataset: `found` is a leakage.detector.Leaks."""

    training = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="overlaps")
    validation = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="overlaps_with")
    found = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["training", "validation"], name="one_overlap_per_pair")
        ]


class Changes(models.Model):
    """What changed from one dataset to another: `found` is a diff.diff.Diff."""

    before = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="changes_after")
    after = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="changes_before")
    found = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["before", "after"], name="one_changes_per_pair")]
