"""Whether the disk of STATE_DIR has room, and which errors say that a disk has none."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError

MOST_RESERVED = 256 * 1024**2
RESERVED_SHARE = 20
"""A twentieth of the disk, at most 256 MB, is not for files that people send: rows, points and the adapters
of jobs that run already find room there."""
FAILURE_SECONDS = 30.0
"""How long a failed write counts as a full disk where the disk of STATE_DIR has room: the database may be on
another one."""
FULL = (errno.ENOSPC, errno.EDQUOT)
SQLSTATE_DISK_FULL = "53100"
UNCLEAR_CODES = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
"""What SQLite says as well if it finds no room, for its WAL and its index."""
_failed_at = -FAILURE_SECONDS


def is_full() -> bool:
    """Whether new files are refused: there is little room, or a write of this process has just failed."""
    return has_little_room(settings.STATE_DIR) or time.monotonic() - _failed_at < FAILURE_SECONDS


def has_little_room(folder: Path) -> bool:
    return measure_free_bytes(folder) <= 0


def has_room_for(folder: Path, size: int) -> bool:
    """Whether a file of `size` bytes fits, and the copy that the local engine stores beside it."""
    return measure_free_bytes(folder) >= 2 * size


def measure_free_bytes(folder: Path) -> int:
    """Bytes that files of people may still take on the folder's disk; negative if the reserve is in use."""
    disk = os.statvfs(folder)
    reserved = min(MOST_RESERVED, disk.f_blocks * disk.f_frsize // RESERVED_SHARE)
    return disk.f_bavail * disk.f_frsize - reserved


def is_out_of_space(error: BaseException | None) -> bool:
    """Whether the error, or one that led to it, says that a disk has no room."""
    return any(map(says_full, iter_causes(error)))


def iter_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__


def says_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in FULL
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest of an extended code is the detail
        return code == sqlite3.SQLITE_FULL or (code in UNCLEAR_CODES and has_little_room(settings.STATE_DIR))
    return isinstance(error, DatabaseError) and getattr(error.__cause__, "sqlstate", "") == SQLSTATE_DISK_FULL


@contextmanager
def leave_out_if_full() -> Iterator[None]:
    """Leave a write out that a page can do without, such as who looks at it, if the disk is full."""
    try:
        yield
    except DatabaseError as error:
        if not is_out_of_space(error):
            raise
        record_failed_write()


def record_failed_write() -> None:
    """Have pages and /healthz tell it for a while, if it is another disk than that of STATE_DIR."""
    global _failed_at
    if not has_little_room(settings.STATE_DIR):
        _failed_at = time.monotonic()
