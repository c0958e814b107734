"""An upload that may be cut: its bytes arrive in order, in requests of any size, into one file of the server.

The file lies in STATE_DIR until the whole is there and was stored, or for a day. Its name follows from
person, draft and file, so that after a cut, a reload or a restart the same file goes on where it stopped. The
token that the browser holds is signed, and says all of this: nothing about a part is kept beside its bytes.
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
BLOCK = 256 * 1024
SALT = "jobs.datasets.uploads.resumable_upload"
IDLE = 600
"""Seconds without a byte after which a part gives way to a newer one."""


class UploadRefused(Exception):
    """`received` is how much lies here: the browser goes on from there."""

    def __init__(self, received: int = 0) -> None:
        super().__init__()
        self.received = received


class OutOfOrder(UploadRefused):
    pass


class UploadGone(UploadRefused):
    """It was given up, or swept."""


class UploadBusy(UploadRefused):
    """Another request is writing or taking this very part."""


class DiskFull(UploadRefused):
    pass


class TooManyUploads(UploadRefused):
    """The person's unfinished uploads would be more than they may be."""


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class UploadSession:
    """`modified` is the browser's time stamp of the file, which tells two versions of one name apart."""

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
        """None where the token is not ours, or older than a day."""
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
        """Makes room. Raises TooMany, DiskFull."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_room(self)
        if shutil.disk_usage(self.path.parent).free < 2 * (self.size - self.received):
            raise DiskFull(self.received)
        self.path.touch(mode=0o600)

    def append(self, stream: Stream, start: int) -> int:
        """What the stream holds, from byte `start` on; answers how much lies here then. A stream that breaks
        leaves what had come. Raises Refused, and what the stream raises."""
        if not self.path.exists():
            raise UploadGone
        if start != self.received:
            raise OutOfOrder(self.received)
        while block := stream.read(BLOCK):
            start = self.write(block[: self.size - start], start)
        return start

    def write(self, block: bytes, start: int) -> int:
        """Where the next block begins. A request that was given up and still lingers finds that another one
        has gone on, and ends: the file is held for one block at a time."""
        with self.locked() as file:
            if file.seek(0, os.SEEK_END) != start:
                raise OutOfOrder(self.received)
            try:
                file.write(block)
            except OSError as error:
                raise (DiskFull(self.received) if error.errno == errno.ENOSPC else error) from None
        return start + len(block)

    def import_file(self, file: Path) -> None:
        """A file that arrived whole."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.move(file, self.path)

    @contextmanager
    def locked(self) -> Iterator[BinaryIO]:
        """The file, to this request alone. Raises Busy, Gone."""
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


def make_room(part: UploadSession) -> None:
    """A person's unfinished uploads are at most two whole files; what lies idle gives way, oldest first."""
    most = 2 * settings.DATASET_MAX_BYTES
    others = sorted(
        (path for path in get_user_folder(part.user).iterdir() if path != part.path), key=get_mtime
    )
    lying = sum(path.stat().st_size for path in others)
    for path in others:
        if lying + part.size <= most:
            return
        if time.time() - get_mtime(path) > IDLE:
            lying -= path.stat().st_size
            path.unlink(missing_ok=True)
    if lying + part.size > most:
        raise TooManyUploads(part.received)


def delete_stale_files() -> int:
    """Removes what no upload has touched for a day, also files that a killed process left; how many."""
    old = [
        path
        for path in Path(settings.FILE_UPLOAD_TEMP_DIR).rglob("*")
        if path.is_file() and time.time() - get_mtime(path) > DAY
    ]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def get_mtime(path: Path) -> float:
    """0 where it is gone meanwhile."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
