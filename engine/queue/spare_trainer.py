"""A spare trainer, which has imported torch and waits for a job, and the start of a trainer without one."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from engine.queue.job_folder import JobFolder
from engine.training.spare import is_ready, send_job

TRAINER = "engine.training"
STDERR = 2
# Long enough to look through a draft's review or a run's result; a spare holds about 360 MB meanwhile.
SPARE_TIMEOUT = 600.0

log = logging.getLogger(__name__)


def build_environment() -> dict[str, str]:
    """A trainer's environment, as it is for a process that starts now."""
    # Threads that spin while they wait make a step many times as long where others want the cores too.
    return {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "ENGINE_PID": str(os.getpid())}


def launch(argument: str, stdin: int, output: int | BinaryIO) -> subprocess.Popen[bytes]:
    """Start a trainer. The kernel ends it with the calling thread: one that lives as long as the engine."""
    return subprocess.Popen(
        [sys.executable, "-m", TRAINER, argument],
        cwd=Path(__file__).parents[2],
        env=build_environment(),
        stdin=stdin,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


class Spare:
    """A waiting trainer, seen from the engine. Until it has a job it prints to the engine's own log."""

    def __init__(self) -> None:
        self._environment = build_environment()
        self._channel, theirs = socket.socketpair()
        try:
            with theirs:
                self.process = launch("--spare", theirs.fileno(), STDERR)
        except OSError:
            self._channel.close()
            raise

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def give_job(self, folder: JobFolder, log_file: BinaryIO) -> bool:
        """Make it the trainer of this job; False where it is gone, or its environment is no longer ours."""
        if self._environment != build_environment():
            return False
        try:
            send_job(self._channel, folder.path, log_file.fileno())
        except OSError:
            return False
        self._channel.close()
        return True

    def end(self) -> None:
        self._channel.close()
        self.process.kill()
        self.process.wait()

    def is_ready(self) -> bool:
        return is_ready(self._channel)

    def measure_memory(self) -> int:
        """Bytes of memory that it holds; 0 where it is gone."""
        try:
            return int(psutil.Process(self.process.pid).memory_info().rss)
        except psutil.Error:
            return 0


class SpareKeeper:
    """At most one spare, from a `request` on until ten minutes have passed without a job."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._lock = threading.Lock()
        self._spare: Spare | None = None
        self._deadline: float | None = None  # None where nobody has asked
        self.is_requested = False  # since the last job started

    def request(self) -> None:
        """Tell that a job may come soon; from any thread. `update` does the rest."""
        with self._lock:
            self._deadline, self.is_requested = time.monotonic() + self._timeout, True

    def record_job_end(self) -> None:
        """Where one job was announced, another may follow it."""
        with self._lock:
            if self._deadline is not None:
                self._deadline = time.monotonic() + self._timeout

    def update(self, is_useful: bool, is_idle: bool) -> float | None:
        """Start or end the spare, as is due; seconds until it has to end, None where there is none.

        `is_useful`: the next job would start with it. `is_idle`: no job trains.
        """
        with self._lock:
            now = time.monotonic()
            if self._spare and not self._spare.is_alive():
                status = self._spare.process.returncode
                log.warning("The spare trainer ended with status %s; jobs start without it.", status)
                self._spare.end()
                self._drop()
            if self._deadline is None:
                return None
            if now >= self._deadline:
                self._expire(is_idle)
            elif is_useful and not self._spare:
                self._launch_spare()
            return max(0.0, self._deadline - now) if self._spare and self._deadline else None

    def launch_trainer(self, folder: JobFolder) -> subprocess.Popen[bytes]:
        """The job's process: the spare where there is one, else a new one."""
        with self._lock, (folder.path / "trainer.log").open("ab") as log_file:
            spare, self._spare, self.is_requested = self._spare, None, False
            if spare:
                memory = spare.measure_memory()
                if spare.give_job(folder, log_file):
                    log.info("Job %s starts in the spare trainer (%.0f MB).", folder.id, memory / 1e6)
                    return spare.process
                spare.end()
            return launch(str(folder.path.absolute()), subprocess.DEVNULL, log_file)

    def describe(self) -> dict[str, Any] | None:
        """The spare's memory, and whether it is ready; None where there is none. From any thread."""
        with self._lock:
            if not self._spare or not self._spare.is_alive():
                return None
            return {"ready": self._spare.is_ready(), "memoryBytes": self._spare.measure_memory()}

    def stop(self) -> None:
        with self._lock:
            if self._spare:
                self._spare.end()
            self._drop()

    def _launch_spare(self) -> None:
        try:
            self._spare = Spare()
        except OSError as error:
            log.warning("No spare trainer could start: %s", error)
            self._drop()

    def _expire(self, is_idle: bool) -> None:
        """While a job trains the request stays, so that the job's end brings a new spare."""
        if self._spare:
            minutes, memory = self._timeout / 60, self._spare.measure_memory() / 1e6
            log.info("The spare trainer ends after %.0f minutes without a job (%.0f MB).", minutes, memory)
            self._spare.end()
            self._spare = None
        if is_idle:
            self._drop()

    def _drop(self) -> None:
        """Wait for the next request; a spare that cannot start is not tried again and again."""
        self._spare, self._deadline, self.is_requested = None, None, False
