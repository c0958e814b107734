"""An upload that survives interruptions: bytes arrive in order, in requests of any size, into a local file.

The file is in STATE_DIR until it is complete and stored in Cloud Storage, or for a day. Its name is derived
from person, draft and file, so that the same file continues where it stopped after a lost connection, a
reload or a restart. The browser's token is signed and contains all of this; nothing but the bytes is stored
here.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from django.conf import settings
from django.core import signing

DAY = 24 * 3600
"""Seconds that a token is valid and an unfinished file stays: people come back the next morning."""
BLOCK = 256 * 1024
"""Bytes written at once. The file is locked only for one block, so that a request that was given up makes
way."""
SALT = "jobs.datasets.uploads.resumable_upload"
IDLE = 600
"""Seconds without a byte after which an unfinished upload may be deleted for a newer one: longer than a
network is usually down."""


class UploadRefused(Exception):
    """`received` is the number of bytes on the server, from which the browser continues."""

    def __init__(self, received: int = 0) -> None:
        super().__init__()
        self.received = received


class OutOfOrder(UploadRefused):
    pass


class UploadGone(UploadRefused):
    """It was cancelled, or deleted after a day."""


class UploadBusy(UploadRefused):
    """Another request is writing or storing this upload."""


class DiskFull(UploadRefused):
    pass


class TooManyUploads(UploadRefused):
    """The person's unfinished uploads would exceed their limit."""


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class UploadSession:
    """`modified` is the file's time stamp in the browser, which distinguishes two versions of one name."""

    user: int
    job: int
    purpose: str
    name: str
    size: int
    modified: str = ""

    @property
    def token(self) -> str:
        return signing.dumps(asdict(self), salt=SALT, compress=True)

    @classmethod
    def from_token(cls, token: str) -> UploadSession | None:
        """None if the token isn't ours or is older than a day."""
        try:
            return cls(**signing.loads(token, salt=SALT, max_age=DAY))
        except signing.BadSignature:
            return None

    @property
    def path(self) -> Path:
        digest = hashlib.blake2b(json.dumps(asdict(self)).encode(), digest_size=20).hexdigest()
        return get_user_folder(self.user) / digest

    @property
    def received(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def is_whole(self) -> bool:
        return self.path.exists() and self.received == self.size

    def begin(self) -> None:
        """Create the file. Raises TooManyUploads, DiskFull."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_room(self)
        # Twice the size, so that this upload does not take the last free space.
        if shutil.disk_usage(self.path.parent).free < 2 * (self.size - self.received):
            raise DiskFull(self.received)
        self.path.touch(mode=0o600)

    def append(self, stream: Stream, start: int) -> int:
        """Append the stream, whose first byte is byte `start` of the file. Return the number of bytes
        received. If the stream breaks, the bytes before stay. Raises UploadRefused, and what the stream
        raises."""
        if not self.path.exists():
            raise UploadGone
        if start != self.received:
            raise OutOfOrder(self.received)
        while block := stream.read(BLOCK):
            start = self.write(block[: self.size - start], start)
        return start

    def write(self, block: bytes, start: int) -> int:
        """Write a block and return where the next one begins. Raises OutOfOrder if another request has
        continued the upload meanwhile: that ends a request that was given up but still runs."""
        with self.locked() as file:
            if file.seek(0, os.SEEK_END) != start:
                raise OutOfOrder(self.received)
            try:
                file.write(block)
            except OSError as error:
                raise (DiskFull(self.received) if error.errno == errno.ENOSPC else error) from None
        return start + len(block)

    def import_file(self, file: Path) -> None:
        """Move a complete file here."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.move(file, self.path)

    @contextmanager
    def locked(self) -> Iterator[BinaryIO]:
        """Open the file for this request alone. Raises UploadBusy, UploadGone."""
        try:
            file = self.path.open("r+b", buffering=0)
        except FileNotFoundError:
            raise UploadGone from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UploadBusy(self.received) from None
            yield file

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)


def get_uploads_folder() -> Path:
    return Path(settings.FILE_UPLOAD_TEMP_DIR) / "parts"


def get_user_folder(user: int) -> Path:
    return get_uploads_folder() / str(user)


def make_room(upload: UploadSession) -> None:
    """Limit a person's unfinished uploads to the size of two datasets. Idle ones are deleted, the oldest
    first."""
    most = 2 * settings.DATASET_MAX_BYTES
    others = sorted(
        (path for path in get_user_folder(upload.user).iterdir() if path != upload.path), key=get_mtime
    )
    occupied = sum(path.stat().st_size for path in others)
    for path in others:
        if occupied + upload.size <= most:
            return
        if time.time() - get_mtime(path) > IDLE:
            occupied -= path.stat().st_size
            path.unlink(missing_ok=True)
    if occupied + upload.size > most:
        raise TooManyUploads(upload.received)


def delete_stale_files() -> int:
    """Delete files that are older than a day, including those of killed processes. Return their number."""
    old = [
        path
        for path in Path(settings.FILE_UPLOAD_TEMP_DIR).rglob("*")
        if path.is_file() and time.time() - get_mtime(path) > DAY
    ]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def get_mtime(path: Path) -> float:
    """0 if the file was deleted meanwhile."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
