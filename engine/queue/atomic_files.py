"""Files that are either complete or absent, even if a process dies in between."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the file by `content`; a reader sees the old file or the new one, never a part."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)  # on a full disk each byte counts
        raise
    sync_to_disk(path.parent)


def write_json(path: Path, content: Any) -> None:
    write_bytes(path, json.dumps(content, ensure_ascii=False).encode())


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file; an empty one where the file does not exist."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return content


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill; when the block succeeds, it is on disk and appears as `path` at once."""
    temporary = path.with_name(path.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for file in temporary.iterdir():
            sync_to_disk(file)
        sync_to_disk(temporary)
        temporary.replace(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_to_disk(path.parent)


def sync_to_disk(path: Path) -> None:
    """Flush the file, or the folder's list of names, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
