"""Whether the engine's disk has room, and which errors say that it has none."""

import errno
import os
from pathlib import Path

# A twentieth of the disk, at most 256 MB, is kept for jobs that run: points, save points and adapters.
MOST_RESERVED = 256 * 1024**2
RESERVED_SHARE = 20
FULL = (errno.ENOSPC, errno.EDQUOT)


def is_out_of_space(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in FULL


def has_room(folder: Path, size: int = 0) -> bool:
    """Whether `size` more bytes fit on the folder's disk beside the reserve."""
    return measure_free_bytes(folder) - size >= measure_reserve(folder)


def measure_free_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def measure_reserve(folder: Path) -> int:
    disk = os.statvfs(folder)
    return min(MOST_RESERVED, disk.f_blocks * disk.f_frsize // RESERVED_SHARE)
