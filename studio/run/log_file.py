"""The output of one part in files of a limited size."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 5_000_000
BACKUPS = 3


class LogFile:
    """The newest MOST_BYTES in one file, what came before in as many as BACKUPS.

    Best effort: what cannot be written is left out and nothing is raised, since a disk that is full must not
    end what keeps the parts running.
    """

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES, backups: int = BACKUPS) -> None:
        self.path = path
        self.most_bytes = most_bytes
        self.backups = backups
        self._file: int | None = None
        self._size = 0
        self._lost = 0

    def write(self, output: bytes) -> None:
        try:
            file = self._open()
            if self._size and self._size + len(output) > self.most_bytes:
                self._rotate()
                file = self._open()
            self._append(file, self._describe_loss() + output)
        except OSError:
            self._lost += len(output)
            self.close()
        else:
            self._lost = 0

    def _describe_loss(self) -> bytes:
        return b"[%d bytes could not be written]\n" % self._lost if self._lost else b""

    def _open(self) -> int:
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._size = os.fstat(self._file).st_size
        return self._file

    def _append(self, file: int, output: bytes) -> None:
        written = os.write(file, output)
        self._size += written
        if written < len(output):
            raise OSError("The disk took a part.")

    def _rotate(self) -> None:
        """Make each file one older; the oldest goes."""
        self.close()
        for age in range(self.backups, 0, -1):
            younger = self.path.with_name(f"{self.path.name}.{age - 1}") if age > 1 else self.path
            with suppress(FileNotFoundError):
                younger.replace(self.path.with_name(f"{self.path.name}.{age}"))

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None
