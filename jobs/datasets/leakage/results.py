"""What a validation dataset shares with a training dataset, computed once and stored as a row."""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from django.conf import settings

from jobs.datasets import ingest
from jobs.datasets.leakage.detector import Leaks, find_leaked_lines, find_leaks
from jobs.datasets.models import Dataset, Overlap

if TYPE_CHECKING:
    from django.contrib.auth.models import User

HOW = "without_leaks"


class NothingLeft(Exception):
    """Every validation example is in the training data."""


class HasProblems(Exception):
    """Lines that are not examples would be copied into the new file."""


def find_overlap(training: Dataset, validation: Dataset) -> Overlap | None:
    return Overlap.objects.filter(training=training, validation=validation).first()


def get_or_compute_overlap(training: Dataset, validation: Dataset) -> Overlap:
    """Return the stored overlap, or read both files. Raises VertexError."""
    if known := find_overlap(training, validation):
        return known
    if training.has_same_data(validation):
        leaks = build_full_overlap(validation)
    else:
        leaks = find_leaks(training.iter_chunks(), validation.iter_chunks())
    overlap, _made = Overlap.objects.get_or_create(
        training=training, validation=validation, defaults={"found": leaks.to_json()}
    )
    return overlap


def build_full_overlap(dataset: Dataset) -> Leaks:
    """Return what a dataset shares with itself, without reading the file."""
    count = dataset.parsed_report.examples
    return Leaks(training=count, validation=count, exact=count, answered=count)


def remove_leaks(user: User, training: Dataset, validation: Dataset, folder: str = "") -> Dataset:
    """Return the validation dataset without its leaked examples, which is created once for each pair. Raises
    HasProblems, NothingLeft, NoBucket, VertexError."""
    if not validation.parsed_report.ok:
        raise HasProblems
    made = {"how": HOW, "training": training.pk}
    known = next(
        (child for child in validation.children.all() if made.items() <= child.derivation.items()), None
    )
    if known:
        return known
    leaked = (
        set()
        if training.has_same_data(validation)
        else find_leaked_lines(training.iter_chunks(), validation.iter_chunks())
    )
    if training.has_same_data(validation) or len(leaked) == validation.parsed_report.examples:
        raise NothingLeft
    with TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as file:
        write_remaining_lines(validation, leaked, file)
        name = f"{str(validation).removesuffix('.jsonl')}-without-leaks.jsonl"
        derivation = {**made, "lines": len(leaked)}
        return ingest.ingest_derived(validation, user, file, name, derivation, folder)


def write_remaining_lines(validation: Dataset, leaked: set[int], file: IO[bytes]) -> None:
    """Copy the other lines in order and unchanged."""
    with validation.open() as source:
        file.writelines(line for number, line in enumerate(source, 1) if number not in leaked)
