"""Turn a file into a Dataset: it is stored, or found in Cloud Storage, then checked and pinned to its
version."""

from __future__ import annotations

import secrets
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from jobs.datasets.check.checker import check_file
from jobs.datasets.check.lines import read_chunks
from jobs.datasets.check.report import Report
from jobs.datasets.models import Dataset
from jobs.datasets.sample_data import Part, SampleData
from jobs.datasets.uploads.filenames import sanitize_filename
from studio.models import Project
from studio.vertex.errors import Conflict
from studio.vertex.object_info import ObjectInfo

if TYPE_CHECKING:
    from django.contrib.auth.models import User

CONTENT_TYPE = "application/jsonl"
CLEANINGS = ("cleaned", "converted")


class NoBucket(Exception):
    """Neither the project nor the draft names a bucket to upload to. On the engine every project has one."""


class TooBig(Exception):
    pass


def ingest_upload(project: Project, user: User, file: BinaryIO, filename: str, folder: str = "") -> Dataset:
    """Check the file, then store it. Raises NoBucket, TooBig, VertexError."""
    file.seek(0)
    report = check_file(read_chunks(file), name=filename)
    if report.bytes > settings.DATASET_MAX_BYTES:
        raise TooBig
    return pin(project, user, store_file(project, file, filename, folder), Dataset.Source.UPLOAD, report)


def store_file(project: Project, file: BinaryIO, filename: str, folder: str = "") -> ObjectInfo:
    """Store the file under its own name in the chosen folder, or with a suffix if that name is taken."""
    storage = project.storage()
    try:
        return storage.upload(file, make_object_uri(project, filename, folder), CONTENT_TYPE)
    except Conflict:
        stem = sanitize_filename(filename).removesuffix(".jsonl")
        return storage.upload(
            file, make_object_uri(project, f"{stem}-{make_unique_suffix()}.jsonl", folder), CONTENT_TYPE
        )


def ingest_existing(project: Project, user: User, uri: str, source: str = Dataset.Source.EXISTING) -> Dataset:
    """Return the current version of the file as a dataset; one that was checked before is not read again.
    Raises NotFound, TooBig, VertexError."""
    storage = project.storage()
    found = storage.stat(uri)
    known = Dataset.objects.filter(project=project, uri=found.uri, generation=str(found.generation)).first()
    if known:
        return known
    if found.size > settings.DATASET_MAX_BYTES:
        raise TooBig
    with storage.open(found.uri, found.generation) as file:
        report = check_file(read_chunks(file))
    return pin(project, user, found, source, report)


def ingest_sample(project: Project, user: User, data: SampleData, part: Part) -> Dataset:
    """Return a part of the built-in sample data, stored in the project's bucket when it is first used."""
    uri = f"{get_own_folder(project)}{data.object_name(part)}"
    with data.path(part).open("rb") as file:
        try:
            stored = project.storage().upload(file, uri, CONTENT_TYPE)
        except Conflict:
            return ingest_existing(project, user, uri, Dataset.Source.SAMPLE)
        file.seek(0)
        return pin(project, user, stored, Dataset.Source.SAMPLE, check_file(read_chunks(file)))


def ingest_derived(
    parent: Dataset, user: User, file: IO[bytes], filename: str, derivation: dict[str, Any], folder: str = ""
) -> Dataset:
    """Check and store a file that was made from `parent`. Raises NoBucket, TooBig, VertexError."""
    source = cast(BinaryIO, file)
    source.seek(0)
    report = check_file(read_chunks(source))
    if report.bytes > settings.DATASET_MAX_BYTES:
        raise TooBig
    stored = store_file(parent.project, source, filename, folder)
    facts = {"parent": parent, "derivation": derivation}
    return pin(parent.project, user, stored, Dataset.Source.DERIVED, report, **facts)


def pin(
    project: Project, user: User, stored: ObjectInfo, source: str, report: Report, **facts: Any
) -> Dataset:
    """Return the dataset of this stored version. `facts` are the parent and the derivation, if it was made
    from another dataset."""
    with transaction.atomic():
        dataset, made = Dataset.objects.get_or_create(
            project=project,
            uri=stored.uri,
            generation=str(stored.generation),
            defaults={
                "owner": user,
                "crc32c": stored.crc32c,
                "size": stored.size,
                "source": source,
                "report": report.to_json(),
                **facts,
            },
        )
        if made:
            dataset.audit(get_audit_action(dataset), user)
    return dataset


def get_audit_action(dataset: Dataset) -> str:
    return "dataset.clean" if dataset.derivation.get("how") in CLEANINGS else "dataset.add"


def get_own_folder(project: Project) -> str:
    """Return the folder that holds what the project stores. Raises NoBucket."""
    own = project.storage_places().own
    if not own:
        raise NoBucket
    return own


def make_object_uri(project: Project, filename: str, folder: str = "") -> str:
    """Return a URI in `folder` (gs://bucket/folder/), or if that is blank in a new folder in the project's
    bucket, so that uploads never collide. The name stays recognizable."""
    return f"{folder or f'{default_folder(project)}{make_unique_suffix()}/'}{sanitize_filename(filename)}"


def default_folder(project: Project) -> str:
    return f"{get_own_folder(project)}datasets/"


def make_unique_suffix() -> str:
    return f"{timezone.now():%Y-%m-%d}-{secrets.token_hex(4)}"
