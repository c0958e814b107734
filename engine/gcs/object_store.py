"""Cloud Storage objects on disk.

    BUCKET/<percent-encoded name>/meta.json       the object: generation, hashes, type
    BUCKET/<percent-encoded name>/<generation>    its bytes
    =staging/                                     bytes on their way in; = begins no bucket's name

meta.json is replaced as a whole and names the generation, so a reader sees one version or the other.
"""

import base64
import hashlib
import re
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote

import google_crc32c

from engine.protojson.errors import ApiError, invalid_argument, not_found
from engine.queue.atomic_files import read_json, sync_to_disk, write_json

BLOCK = 2**20  # bytes: larger reads are no faster
SAMPLES = Path(__file__).parents[1] / "samples"
SAMPLES_BUCKET = "cloud-samples-data"
# The four addresses of the reference page: two folders, each with both files.
SAMPLES_FOLDERS = ("ai-platform/generative_ai/", "ai-platform/generative_ai/gemini-1_5/text/")

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_LONGEST_FILE_NAME = 200  # file systems allow 255 bytes; a hash and suffixes are added


@dataclass(frozen=True, slots=True)
class StoredObject:
    bucket: str
    name: str
    generation: int
    size: int
    crc32c: str
    md5: str
    created: float
    content_type: str = "application/octet-stream"
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return f"gs://{self.bucket}/{self.name}"


@dataclass(frozen=True, slots=True)
class UploadMetadata:
    """What a client says about the bytes that it sends."""

    bucket: str
    name: str
    content_type: str = "application/octet-stream"
    metadata: dict[str, str] = field(default_factory=dict)
    crc32c: str = ""
    md5: str = ""
    if_generation_match: int | None = None


class ObjectStore:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.staging = folder / "=staging"
        self._lock = threading.Lock()
        self.staging.mkdir(parents=True, exist_ok=True)

    def install_samples(self) -> None:
        for folder in SAMPLES_FOLDERS:
            for sample in SAMPLES.glob("*.jsonl"):
                self._install_sample(sample, folder + sample.name)

    def _install_sample(self, sample: Path, name: str) -> None:
        there = self.find(SAMPLES_BUCKET, name)
        if there is None or there.crc32c != hashes(sample)[0]:
            staged = self.new_staging_path()
            shutil.copyfile(sample, staged)
            self.put(staged, UploadMetadata(SAMPLES_BUCKET, name, "application/jsonl"))

    def buckets(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if _BUCKET.fullmatch(path.name))

    def create_bucket(self, bucket: str) -> None:
        check_bucket(bucket)
        try:
            (self.folder / bucket).mkdir()
        except FileExistsError:
            message = "Your previous request to create the named bucket succeeded and you already own it."
            raise ApiError("ALREADY_EXISTS", message) from None

    def find(self, bucket: str, name: str) -> StoredObject | None:
        meta = read_json(self._object_folder(bucket, name) / "meta.json")
        return StoredObject(**meta) if meta else None

    def get(self, bucket: str, name: str, generation: int | None = None) -> StoredObject:
        found = self.find(bucket, name)
        if found is None or generation not in (None, found.generation):
            raise not_found(f"No such object: {bucket}/{name}")
        return found

    def objects(self, bucket: str) -> list[StoredObject]:
        """Every object of the bucket, by name; none where nothing was ever written."""
        metas = map(read_json, (self.folder / check_bucket(bucket)).glob("*/meta.json"))
        return sorted((StoredObject(**meta) for meta in metas if meta), key=lambda found: found.name)

    def data_path(self, found: StoredObject) -> Path:
        return self._object_folder(found.bucket, found.name) / str(found.generation)

    @contextmanager
    def pin_generation(self, found: StoredObject) -> Iterator[Path]:
        """The bytes of this generation, which stay while the block runs whatever happens to the object."""
        link = self.new_staging_path()
        try:
            link.hardlink_to(self.data_path(found))
        except FileNotFoundError:
            raise not_found(f"No such object: {found.bucket}/{found.name}") from None
        try:
            yield link
        finally:
            link.unlink()

    def new_staging_path(self) -> Path:
        """A name for bytes on their way in."""
        return self.staging / uuid.uuid4().hex

    def put(self, staged: Path, upload: UploadMetadata) -> StoredObject:
        """Make the staged file the object's content; the file is gone afterwards, whatever happens."""
        try:
            return self._commit_object(staged, upload)
        finally:
            staged.unlink(missing_ok=True)

    def _commit_object(self, staged: Path, upload: UploadMetadata) -> StoredObject:
        folder = self._object_folder(upload.bucket, upload.name)
        crc32c, md5 = hashes(staged)
        _check_hash("CRC32C", upload.crc32c, crc32c)
        _check_hash("MD5 hash", upload.md5, md5)
        sync_to_disk(staged)
        with self._lock:
            before = self.find(upload.bucket, upload.name)
            check_generation(before, upload.if_generation_match)
            made = _build_object(upload, before, staged.stat().st_size, crc32c, md5)
            folder.mkdir(parents=True, exist_ok=True)
            content = staged.replace(folder / str(made.generation))
            try:
                write_json(folder / "meta.json", asdict(made))
            except OSError:
                content.unlink()  # nothing names it
                raise
            if before:
                self.data_path(before).unlink(missing_ok=True)
        return made

    def delete(self, bucket: str, name: str, if_generation_match: int | None, generation: int | None) -> None:
        with self._lock:
            found = self.get(bucket, name, generation)
            check_generation(found, if_generation_match)
            folder = self._object_folder(bucket, name)
            (folder / "meta.json").unlink()
            shutil.rmtree(folder)

    def _object_folder(self, bucket: str, name: str) -> Path:
        return self.folder / check_bucket(bucket) / encode_file_name(check_name(name))


def _build_object(
    upload: UploadMetadata, before: StoredObject | None, size: int, crc32c: str, md5: str
) -> StoredObject:
    """The new object; generations are microseconds, and grow even when the clock does not."""
    now = time.time()
    generation = max(int(now * 1e6), before.generation + 1 if before else 0)
    return StoredObject(
        bucket=upload.bucket,
        name=upload.name,
        generation=generation,
        size=size,
        crc32c=crc32c,
        md5=md5,
        created=now,
        content_type=upload.content_type,
        metadata=dict(upload.metadata),
    )


def check_bucket(bucket: str) -> str:
    if not _BUCKET.fullmatch(bucket):
        raise invalid_argument(f"Invalid bucket name: '{bucket}'")
    return bucket


def check_name(name: str) -> str:
    if not 1 <= len(name.encode()) <= 1024 or name in (".", "..") or re.search(r"[\r\n\0]", name):
        raise invalid_argument("Invalid object name. Use 1 to 1024 bytes of UTF-8 without line breaks.")
    return name


def encode_file_name(name: str) -> str:
    """A name for the object's folder: readable, no longer than a file system allows, unlike any other's."""
    encoded = quote(name, safe="")
    if encoded.startswith("."):
        encoded = "%2E" + encoded[1:]
    if len(encoded) <= _LONGEST_FILE_NAME:
        return encoded
    return f"{encoded[:100]}={hashlib.sha256(name.encode()).hexdigest()}"


def hashes(path: Path) -> tuple[str, str]:
    """CRC32C and MD5 of the file, in base64 as Cloud Storage writes them."""
    crc32c, md5 = google_crc32c.Checksum(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            crc32c.update(block)
            md5.update(block)
    return base64.b64encode(crc32c.digest()).decode(), base64.b64encode(md5.digest()).decode()


def _check_hash(kind: str, given: str, calculated: str) -> None:
    if given and given != calculated:
        raise invalid_argument(f'Provided {kind} "{given}" doesn\'t match calculated {kind} "{calculated}".')


def check_generation(found: StoredObject | None, wanted: int | None) -> None:
    """ifGenerationMatch: 0 asks that there be no object."""
    if wanted is not None and wanted != (found.generation if found else 0):
        raise ApiError("CONDITION_NOT_MET", "At least one of the pre-conditions you specified did not hold.")
