"""Find a project's dataset."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from jobs.datasets.models import Dataset
from studio.models import Project
from studio.pages.query_values import parse_pk


def dataset_or_404(project: Project, pk: int) -> Dataset:
    rows = Dataset.objects.select_related("project", "owner", "parent")
    return get_object_or_404(rows.defer("parent__report"), project=project, pk=pk)


def find_dataset(project: Project, number: str) -> Dataset | None:
    """The dataset that a form or an address names, without its report."""
    return Dataset.objects.filter(project=project, pk=parse_pk(number)).defer("report").first()
