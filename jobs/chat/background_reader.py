"""Reads a slow iterator in a thread, so that the consumer regains control at regular intervals."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")
END = object()


class BackgroundReader(Generic[T]):
    """Yields the source's items, and None whenever `tick` seconds pass without one.

    `close()` stops reading at the next item at the latest: a generator can't be closed from another thread
    while it waits.
    """

    def __init__(self, source: Callable[[], Iterator[T]], tick: float) -> None:
        self.source = source
        self.tick = tick
        self.closed = threading.Event()
        self.items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name="talk-pump", daemon=True)
        self.thread.start()

    def __iter__(self) -> Iterator[T | None]:
        while True:
            try:
                item = self.items.get(timeout=self.tick)
            except queue.Empty:
                yield None
                continue
            if item is END:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        self.closed.set()

    def _run(self) -> None:
        try:
            self._read_source(self.source())
            self.items.put(END)
        except Exception as error:  # raised again in the thread that reads
            self.items.put(error)

    def _read_source(self, items: Iterator[T]) -> None:
        try:
            for item in items:
                if self.closed.is_set():
                    return
                self.items.put(item)
        finally:
            if isinstance(items, Generator):
                items.close()
