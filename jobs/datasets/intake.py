"""How a file becomes a Dataset: stored under a name of ours or found where it is, checked, pinned."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from django.conf import settings
from django.utils import timezone

from jobs.datasets.check import check
from jobs.datasets.report import Report
from jobs.models import Dataset
from studio.models import Project
from studio.vertex.errors import Conflict
from studio.vertex.storage import ObjectInfo

if TYPE_CHECKING:
    from django.contrib.auth.models import User

BLOCK = 1024 * 1024
TYPE = "application/jsonl"
ENGINE_BUCKET = "tuning-data"
SAMPLES = Path(__file__).parent / "samples" / "banking77"
Sample = Literal["train", "validation"]


class NoBucket(Exception):
    """The project names no bucket to upload to."""


class TooBig(Exception):
    pass


def upload(project: Project, user: User, file: BinaryIO, filename: str) -> Dataset:
    """Checks the file, then stores it. Raises NoBucket, TooBig, VertexError."""
    file.seek(0)
    report = check(blocks(file), name=filename)
    if report.bytes > settings.DATASET_MAX_BYTES:
        raise TooBig
    stored = project.storage().upload(file, new_address(project, filename), TYPE)
    return pin(project, user, stored, Dataset.Source.UPLOAD, report)


def existing(project: Project, user: User, uri: str) -> Dataset:
    """What the address holds now. A version that was checked before is not read again."""
    storage = project.storage()
    found = storage.stat(uri)
    known = Dataset.objects.filter(project=project, uri=found.uri, generation=str(found.generation)).first()
    if known:
        return known
    if found.size > settings.DATASET_MAX_BYTES:
        raise TooBig
    with storage.open(found.uri, found.generation) as file:
        report = check(blocks(file))
    return pin(project, user, found, Dataset.Source.EXISTING, report)


def sample(project: Project, user: User, name: Sample) -> Dataset:
    """The sample data that comes with the studio, stored in the project's bucket at its first use."""
    uri = f"gs://{bucket_of(project)}/samples/banking77/{name}.jsonl"
    with (SAMPLES / f"{name}.jsonl").open("rb") as file:
        try:
            stored = project.storage().upload(file, uri, TYPE)
        except Conflict:
            return existing(project, user, uri)
        file.seek(0)
        return pin(project, user, stored, Dataset.Source.UPLOAD, check(blocks(file)))


def pin(project: Project, user: User, stored: ObjectInfo, source: str, report: Report) -> Dataset:
    dataset, _made = Dataset.objects.get_or_create(
        project=project,
        uri=stored.uri,
        generation=str(stored.generation),
        defaults={
            "owner": user,
            "crc32c": stored.crc32c,
            "size": stored.size,
            "source": source,
            "report": report.to_json(),
        },
    )
    return dataset


def blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block


def bucket_of(project: Project) -> str:
    bucket = project.bucket or (ENGINE_BUCKET if project.on_engine else "")
    if not bucket:
        raise NoBucket
    return bucket


def new_address(project: Project, filename: str) -> str:
    """A folder of our making, so that no upload meets another, and a name that people recognise."""
    folder = f"{timezone.now():%Y-%m-%d}-{secrets.token_hex(4)}"
    return f"gs://{bucket_of(project)}/datasets/{folder}/{safe_name(filename)}"


def safe_name(filename: str) -> str:
    stem = re.sub(r"[^\w.-]+", "-", filename.removesuffix(".jsonl")).strip(".-")
    return f"{stem[:80] or 'dataset'}.jsonl"
