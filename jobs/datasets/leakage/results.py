"""What a validation dataset shares with a training dataset: read once from the store, kept as a row."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from django.conf import settings

from jobs.datasets import ingest
from jobs.datasets.check.checker import check_file
from jobs.datasets.leakage.detector import Leaks, find_leaked_lines, find_leaks
from jobs.datasets.models import Dataset, Overlap

if TYPE_CHECKING:
    from django.contrib.auth.models import User

HOW = "without_leaks"


class NothingLeft(Exception):
    """Every validation example is in the training data."""


class HasProblems(Exception):
    """Lines that are no examples would come along."""


def find_overlap(training: Dataset, validation: Dataset) -> Overlap | None:
    return Overlap.objects.filter(training=training, validation=validation).first()


def get_or_compute_overlap(training: Dataset, validation: Dataset) -> Overlap:
    """Reads both files where nobody has yet. Raises VertexError."""
    if known := find_overlap(training, validation):
        return known
    same = training.has_same_data(validation)
    found = (
        build_full_overlap(validation) if same else find_leaks(read_chunks(training), read_chunks(validation))
    )
    overlap, _made = Overlap.objects.get_or_create(
        training=training, validation=validation, defaults={"found": found.to_json()}
    )
    return overlap


def build_full_overlap(dataset: Dataset) -> Leaks:
    """What a dataset shares with itself; no file needs to be read for that."""
    count = dataset.parsed_report.examples
    return Leaks(training=count, validation=count, exact=count, answered=count)


def read_chunks(dataset: Dataset) -> Iterator[bytes]:
    """The very version that was checked."""
    with dataset.project.storage().open(dataset.uri, int(dataset.generation)) as file:
        yield from ingest.read_blocks(file)


def remove_leaks(user: User, training: Dataset, validation: Dataset, folder: str = "") -> Dataset:
    """The validation dataset without the examples that training gives away; made once for each pair. Raises
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
        else find_leaked_lines(read_chunks(training), read_chunks(validation))
    )
    if training.has_same_data(validation) or len(leaked) == validation.parsed_report.examples:
        raise NothingLeft
    with TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as file:
        write_remaining_lines(validation, leaked, file)
        return save_without_leaks(user, validation, file, {**made, "lines": len(leaked)}, folder)


def write_remaining_lines(validation: Dataset, leaked: set[int], file: IO[bytes]) -> None:
    """Byte for byte, and in order."""
    with validation.project.storage().open(validation.uri, int(validation.generation)) as source:
        file.writelines(line for number, line in enumerate(source, 1) if number not in leaked)


def save_without_leaks(
    user: User, parent: Dataset, file: IO[bytes], derivation: dict[str, object], folder: str
) -> Dataset:
    source = cast(BinaryIO, file)
    source.seek(0)
    report = check_file(ingest.read_blocks(source))
    name = f"{str(parent).removesuffix('.jsonl')}-without-leaks.jsonl"
    stored = ingest.store_file(parent.project, source, name, folder)
    facts = {"parent": parent, "derivation": derivation}
    return ingest.pin(parent.project, user, stored, Dataset.Source.DERIVED, report, **facts)
