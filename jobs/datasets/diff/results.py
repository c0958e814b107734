"""The diff of two datasets, computed once and stored as a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jobs.datasets.diff.diff import Diff, Source, diff_files
from jobs.datasets.models import Changes, Dataset
from studio.vertex.errors import NotFound

if TYPE_CHECKING:
    from jobs.datasets.models import Dataset


class VersionGone(Exception):
    """The version of `dataset` that was checked is no longer in the bucket."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(str(dataset))
        self.dataset = dataset


def find_diff(before: Dataset, after: Dataset) -> Diff | None:
    row = Changes.objects.filter(before=before, after=after).first()
    return Diff.from_json(row.found) if row else None


def get_or_compute_diff(before: Dataset, after: Dataset) -> Diff:
    """Return the stored diff, or read both files. Raises VersionGone, VertexError."""
    if known := find_diff(before, after):
        return known
    found = diff_files(make_source(before), make_source(after))
    Changes.objects.get_or_create(before=before, after=after, defaults={"found": found.to_json()})
    return found


def make_source(dataset: Dataset) -> Source:
    """Return a function that reads the version that was checked. Raises VersionGone when called."""

    def read_chunks() -> Iterator[bytes]:
        try:
            yield from dataset.iter_chunks()
        except NotFound:
            raise VersionGone(dataset) from None

    return read_chunks


AUTO_COMPARE_BYTES = 100_000_000
"""Bytes of both files together up to which they are compared without a click: a few seconds of waiting."""
