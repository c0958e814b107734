"""The points of a job's metrics: one JSON object a line, appended while the training runs."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, TypedDict

from engine.queue.atomic_files import write_bytes


class Point(TypedDict):
    series: str
    step: int
    wallTime: float
    value: float


def read_points(path: Path) -> Iterator[Point]:
    """The points in the file; its last line may be torn, or still be on its way, and is then left out."""
    for line in _read_whole_lines(path):
        point: Point = json.loads(line)
        yield point


def truncate_after(path: Path, step: int) -> None:
    """Delete every point after `step`, and a torn last line."""
    lines = [line for line in _read_whole_lines(path) if json.loads(line)["step"] <= step]
    write_bytes(path, b"".join(lines))


def _read_whole_lines(path: Path) -> list[bytes]:
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1].splitlines(keepends=True)


class PointWriter:
    """Appends points; they reach the disk for certain when `sync` returns."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("ab")

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Write one point per series, all at once."""
        wall_time = time.time()
        lines = (
            json.dumps(Point(series=series, step=step, wallTime=wall_time, value=value)) + "\n"
            for series, value in values.items()
        )
        self._file.write("".join(lines).encode())
        self._file.flush()

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self.sync()
        self._file.close()
