"""Get a dataset or answer 404."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from jobs.datasets.models import Dataset
from studio.models import Project


def dataset_or_404(project: Project, pk: int) -> Dataset:
    rows = Dataset.objects.select_related("project", "owner", "parent")
    return get_object_or_404(rows.defer("parent__report"), project=project, pk=pk)
