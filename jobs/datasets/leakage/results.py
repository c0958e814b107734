"""What a validation dataset shares with a training dataset: read once from the store, kept as a row."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from django.conf import settings

from jobs.datasets import ingest
from jobs.datasets.check.checker import check
from jobs.datasets.leakage.detector import Leaks, find, leaked_lines
from jobs.datasets.models import Dataset, Overlap

if TYPE_CHECKING:
    from django.contrib.auth.models import User

HOW = "without_leaks"


class NothingLeft(Exception):
    """Every validation example is in the training data."""


class HasProblems(Exception):
    """Lines that are no examples would come along."""


def kept(training: Dataset, validation: Dataset) -> Overlap | None:
    return Overlap.objects.filter(training=training, validation=validation).first()


def overlap_of(training: Dataset, validation: Dataset) -> Overlap:
    """Reads both files where nobody has yet. Raises VertexError."""
    if known := kept(training, validation):
        return known
    same = training.same_data(validation)
    found = everything(validation) if same else find(content(training), content(validation))
    overlap, _made = Overlap.objects.get_or_create(
        training=training, validation=validation, defaults={"found": found.to_json()}
    )
    return overlap


def everything(dataset: Dataset) -> Leaks:
    """What a dataset shares with itself; no file needs to be read for that."""
    count = dataset.checked.examples
    return Leaks(training=count, validation=count, exact=count, answered=count)


def content(dataset: Dataset) -> Iterator[bytes]:
    """The very version that was checked."""
    with dataset.project.storage().open(dataset.uri, int(dataset.generation)) as file:
        yield from ingest.blocks(file)


def without_leaks(user: User, training: Dataset, validation: Dataset, folder: str = "") -> Dataset:
    """The validation dataset without the examples that training gives away; made once for each pair. Raises
    HasProblems, NothingLeft, NoBucket, VertexError."""
    if not validation.checked.ok:
        raise HasProblems
    made = {"how": HOW, "training": training.pk}
    known = next(
        (child for child in validation.children.all() if made.items() <= child.derivation.items()), None
    )
    if known:
        return known
    leaked = set() if training.same_data(validation) else leaked_lines(content(training), content(validation))
    if training.same_data(validation) or len(leaked) == validation.checked.examples:
        raise NothingLeft
    with TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as file:
        write_rest(validation, leaked, file)
        return keep(user, validation, file, {**made, "lines": len(leaked)}, folder)


def write_rest(validation: Dataset, leaked: set[int], file: IO[bytes]) -> None:
    """Byte for byte, and in order."""
    with validation.project.storage().open(validation.uri, int(validation.generation)) as source:
        file.writelines(line for number, line in enumerate(source, 1) if number not in leaked)


def keep(user: User, parent: Dataset, file: IO[bytes], derivation: dict[str, object], folder: str) -> Dataset:
    source = cast(BinaryIO, file)
    source.seek(0)
    report = check(ingest.blocks(source))
    name = f"{str(parent).removesuffix('.jsonl')}-without-leaks.jsonl"
    stored = ingest.store(parent.project, source, name, folder)
    facts = {"parent": parent, "derivation": derivation}
    return ingest.pin(parent.project, user, stored, Dataset.Source.DERIVED, report, **facts)
