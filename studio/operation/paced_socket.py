"""A connection whose peer has to keep moving while a thread waits for it."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE = 20.0
"""Seconds that a client may be late: a phone that changes cells is back within them."""
SLOWEST = 1000
"""Bytes a second with which a client isn't late, however long it takes: a gigabyte over a telephone modem is
five times as fast."""
FAIR = 16_000
"""Bytes a second; who is slower makes way if others wait. It is what a poor mobile connection does."""
BLOCK = 256 * 1024


class PacedSocket(socket.socket):
    """Only the time spent in waiting for the client counts, not the server's own. A client that is too late
    ends like one whose connection was cut.

    `late` and `slow` are the seconds of waiting in excess of those that the bytes would have taken at SLOWEST
    and at FAIR. Bytes that go into a buffer at once are no credit for later.
    """

    late = 0.0
    slow = 0.0
    waits_since = 0.0

    def begin(self) -> None:
        """A new request begins: it is measured by itself."""
        self.late = self.slow = 0.0

    def get_seconds_slow(self, now: float) -> float:
        """Including the present wait; 0 if there is none. For other threads."""
        since = self.waits_since
        return self.slow + now - since if since else 0.0

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        with self.waiting() as moved:
            data = super().recv(size, flags)
            moved.append(len(data))
        return data

    def send(self, data: Any, flags: int = 0, /) -> int:
        with self.waiting() as moved:
            sent = super().send(data, flags)
            moved.append(sent)
        return sent

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        rest = memoryview(data).cast("B")
        while rest:
            rest = rest[self.send(rest, flags) :]

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """In blocks, so that progress is seen."""
        sent = 0
        while count is None or sent < count:
            block = BLOCK if count is None else min(BLOCK, count - sent)
            with self.waiting() as moved:
                part = super().sendfile(file, offset + sent, block)
                moved.append(part)
            if not part:
                break
            sent += part
        return sent

    @contextmanager
    def waiting(self) -> Iterator[list[int]]:
        """Limit a blocking call, which appends the number of bytes that it moved. Raises ConnectionResetError
        if the client is too late."""
        limit, moved = self.gettimeout(), [0]
        if limit == 0:
            yield moved
            return
        left = max(0.001, PATIENCE - self.late)
        self.waits_since = began = time.monotonic()
        self.settimeout(left if limit is None else min(left, limit))
        try:
            yield moved
        except TimeoutError:
            if limit is not None:
                raise
            raise ConnectionResetError(errno.ECONNRESET, "The client is too slow.") from None
        finally:
            waited, self.waits_since = time.monotonic() - began, 0.0
            self.late = max(0.0, self.late + waited - sum(moved) / SLOWEST)
            self.slow = max(0.0, self.slow + waited - sum(moved) / FAIR)
            if self.fileno() >= 0:
                self.settimeout(limit)
