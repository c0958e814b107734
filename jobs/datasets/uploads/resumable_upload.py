"""An upload that survives interruptions: bytes arrive in order, in requests of any size, into a local file.

The file is in STATE_DIR until it is complete and stored in Cloud Storage, or for a day. Its name is derived
from person, draft and file, so that the same file continues where it stopped after a lost connection, a
reload or a restart, and says how many bytes were announced: limits count those, since they may all arrive.
The browser's token is signed and contains all of this; nothing but the bytes is stored here.
"""

from __future__ import annotations

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

from studio import disk_space

DAY = 24 * 3600
"""Seconds that a token is valid and an unfinished file stays: people come back the next morning."""
BLOCK = 256 * 1024
"""Bytes written at once. The file is locked only for one block, so that a request that was given up makes
way."""
SALT = "jobs.datasets.uploads.resumable_upload"
IDLE = 600
"""Seconds without a byte after which an unfinished upload may be deleted for a newer one, and no room is kept
for its rest: longer than a network is usually down. It asks for room again when it is resumed."""


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
        return get_user_folder(self.user) / f"{digest}-{self.size}"

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
        """Create the file, which reserves its place. Raises TooManyUploads, DiskFull."""
        with reserve_place(self):
            rest = self.size - self.received + measure_announced_rest(self)
            if not disk_space.has_room_for(get_uploads_folder(), rest):
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
        continued the upload meanwhile: that ends a request that was given up but still runs. Raises DiskFull,
        and then deletes the upload, which would only keep the disk full."""
        with self.locked() as file:
            if file.seek(0, os.SEEK_END) != start:
                raise OutOfOrder(self.received)
            try:
                write_all(file, block)
            except OSError as error:
                if not disk_space.is_out_of_space(error):
                    raise
                disk_space.record_failed_write()
                self.drop()
                raise DiskFull from None
        return start + len(block)

    def import_file(self, file: Path) -> None:
        """Move a complete file here. Raises TooManyUploads."""
        with reserve_place(self):
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


def write_all(file: BinaryIO, block: bytes) -> None:
    """Write the whole block: an unbuffered file may take a part of it, such as what just fits on the disk."""
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest) :]


@contextmanager
def reserve_place(upload: UploadSession) -> Iterator[None]:
    """Make room among the person's uploads, and keep other uploads from beginning meanwhile. Raises
    TooManyUploads."""
    upload.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(get_uploads_folder(), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        make_room(upload)
        yield
    finally:
        os.close(folder)


def make_room(upload: UploadSession) -> None:
    """Limit a person's unfinished uploads to the size of two datasets. Idle ones are deleted, the oldest
    first."""
    most = 2 * settings.DATASET_MAX_BYTES
    others = sorted(
        (path for path in get_user_folder(upload.user).iterdir() if path != upload.path), key=get_mtime
    )
    announced = sum(map(get_announced_size, others))
    for path in others:
        if announced + upload.size <= most:
            return
        if is_idle(path):
            announced -= get_announced_size(path)
            path.unlink(missing_ok=True)
    if announced + upload.size > most:
        raise TooManyUploads(upload.received)


def measure_announced_rest(upload: UploadSession) -> int:
    """Bytes that may still arrive for the other uploads of all people."""
    others = (path for path in get_uploads_folder().glob("*/*") if path != upload.path and not is_idle(path))
    return sum(max(0, get_announced_size(path) - get_size(path)) for path in others)


def get_announced_size(path: Path) -> int:
    """The size that its name says; of a file with another name, the size it has."""
    digits = path.name.rpartition("-")[2]
    return int(digits) if digits.isdecimal() and "-" in path.name else get_size(path)


def is_idle(path: Path) -> bool:
    return time.time() - get_mtime(path) > IDLE


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


def get_size(path: Path) -> int:
    """0 if the file was deleted meanwhile."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
