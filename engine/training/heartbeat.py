"""The trainer's heartbeat, and its check for a stop request."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from engine.queue.job_folder import JobFolder

WRITE_EVERY = 1.0  # seconds: often enough for a patience of 30 s, and few writes
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class StopRequested(Exception):
    """The training is asked to end now."""


class Heartbeat:
    """Writes progress.json: once a second of `beat`s, and at each change of stage."""

    def __init__(self, folder: JobFolder, asked_to_stop: Callable[[], bool] = lambda: False) -> None:
        self._folder = folder
        self._asked_to_stop = asked_to_stop
        self._progress = folder.progress
        self._beaten = self._written = time.monotonic()
        self._slowest = 0.0

    def enter_stage(self, name: str, **changes: Any) -> None:
        """Enter a stage of Vertex's TuningJobState: PROCESSING_DATASET, TUNING or POST_PROCESSING."""
        self._progress |= {"stage": name, **changes}
        self._beaten, self._slowest = time.monotonic(), 0.0
        self._write_progress()

    def beat(self, **changes: Any) -> None:
        """Report that work continues.

        Raises: StopRequested
        """
        if self._asked_to_stop() or self._folder.is_cancel_requested or is_orphaned():
            raise StopRequested
        self._progress |= changes
        now = time.monotonic()
        self._slowest, self._beaten = max(self._slowest, now - self._beaten), now
        if now - self._written >= WRITE_EVERY:
            self._write_progress()

    def _write_progress(self) -> None:
        self._written = time.monotonic()
        self._folder.write_progress({**self._progress, "heartbeat": time.time(), "slowest": self._slowest})


def die_with_engine() -> None:
    """Have the kernel kill this process when the engine's thread that started it ends (Linux)."""
    if sys.platform == "linux" and "ENGINE_PID" in os.environ:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def is_orphaned() -> bool:
    """Whether an engine started this process and is gone: for other systems, and the moment before prctl."""
    return "ENGINE_PID" in os.environ and os.getppid() != int(os.environ["ENGINE_PID"])
