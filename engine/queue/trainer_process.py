"""A trainer process, watched from outside: restarted after it died or went silent, and its outcome."""

from __future__ import annotations

import signal
import subprocess
import time

import psutil

from engine.queue.disk_space import measure_free_bytes
from engine.queue.job_folder import NO_ROOM, RESERVE, JobFolder, utc_now
from engine.queue.spare_trainer import SpareKeeper

CANCELLED, INTERNAL = 1, 13  # google.rpc.Code
RETRY_AFTER = 5.0  # seconds: a full disk or a broken file needs somebody to act
MAX_RESTARTS = 3  # without progress: then the cause is the job, not chance
STARTUP_TIMEOUT = 300.0  # to import torch and load the base, and for a first step of unknown length
FOUND_NO_ROOM = "found a full disk"  # how a trainer ended that is to go on when there is room
TIMES_SLOWEST = 3  # the slowest step so far times this: a busy machine is not taken for a hang


class Trainer:
    """One job's trainer process: started, watched by its heartbeat, cancelled, killed where it is silent."""

    def __init__(self, folder: JobFolder, spare: SpareKeeper, patience: float, grace: float) -> None:
        self.folder = folder
        self._patience = patience
        self._grace = grace
        self._kill_at: float | None = None
        self._heartbeat = folder.progress.get("heartbeat")
        self._heard, self._allowed = time.monotonic(), STARTUP_TIMEOUT
        folder.write_state("RUNNING", startTime=folder.state.get("startTime") or utc_now())
        self._process = spare.launch_trainer(folder)
        try:
            folder.write_state(
                "RUNNING", pid=self._process.pid, pidStarted=_process_start_time(self._process.pid)
            )
        except OSError:
            self._kill()
            raise

    def watch(self) -> str | None:
        """Cancel it if requested, kill it if silent; return how it ended, None while it runs."""
        if self._process.poll() is not None:
            return _describe_exit(self._process.returncode, self.folder)
        if self.folder.is_cancel_requested:
            self._cancel()
        self._read_heartbeat()
        if (silence := time.monotonic() - self._heard) > self._allowed:
            self._kill()
            return f"was silent for {silence:.0f} seconds"
        return None

    def _cancel(self) -> None:
        if self._kill_at is None:
            self._process.terminate()
            self._kill_at = time.monotonic() + self._grace
            self.folder.write_state("CANCELLING")  # last, since a full disk must not keep it from ending
        elif time.monotonic() > self._kill_at:
            self._process.kill()

    def _read_heartbeat(self) -> None:
        """By our own clock: the one that stamps heartbeats may be set back or forth."""
        progress = self.folder.progress
        if progress.get("heartbeat") != self._heartbeat:
            self._heartbeat, self._heard = progress["heartbeat"], time.monotonic()
            slowest = progress["slowest"]  # 0 until a first piece of work is done
            self._allowed = max(self._patience, TIMES_SLOWEST * slowest) if slowest else STARTUP_TIMEOUT

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(self._grace)
        except subprocess.TimeoutExpired:
            self._kill()

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()


def record_outcome(folder: JobFolder, ending: str = "") -> None:
    """Record how a job ended; if the trainer died without a result, leave it to be restarted.

    One that found a full disk has its last state already, and does not count as a restart.
    """
    result = folder.result
    match result.get("outcome"):
        case "SUCCEEDED":
            _finish(folder, "SUCCEEDED")
        case "FAILED":
            _finish(folder, "FAILED", {"code": result["code"], "message": result["message"]})
        case _ if folder.is_cancel_requested:
            message = "The job was cancelled. The adapters exported before that are kept."
            _finish(folder, "CANCELLED", {"code": CANCELLED, "message": message})
        case _ if ending != FOUND_NO_ROOM:
            _count_restart(folder, ending)


def _finish(folder: JobFolder, state: str, error: dict[str, object] | None = None) -> None:
    folder.free_disk_space()  # first, since the reserve is for this
    folder.write_state(state, endTime=utc_now(), error=error, pid=None, pidStarted=None)


def _count_restart(folder: JobFolder, ending: str) -> None:
    """Restarts count only as long as no new save point shows progress."""
    state, step = folder.state, max(folder.save_points(), default=0)
    restarts = 1 + (state.get("restarts", 0) if state.get("savedStep", 0) == step else 0)
    if restarts > MAX_RESTARTS:
        message = (
            f"The trainer ended {restarts} times without progress after step {step}. Last time it {ending}."
        )
        _finish(folder, "FAILED", {"code": INTERNAL, "message": message})
    else:
        folder.write_state("RUNNING", restarts=restarts, savedStep=step, pid=None, pidStarted=None)


def _describe_exit(status: int, folder: JobFolder) -> str:
    if status == NO_ROOM or (status and measure_free_bytes(folder.path) < RESERVE):
        return FOUND_NO_ROOM
    if status < 0:
        return f"was killed by {signal.Signals(-status).name} (often because the machine was out of memory)"
    lines = (folder.path / "trainer.log").read_text(errors="replace").split("\n")
    said = [line for line in lines if line.strip()][-1:]
    return f"ended with status {status}: {said[0]!r}" if said else f"ended with status {status}"


def kill_leftover(folder: JobFolder) -> None:
    """A trainer whose engine died, on systems where it does not die with it."""
    state = folder.state
    if "pid" in state and _process_start_time(state["pid"]) == state["pidStarted"]:
        process = psutil.Process(state["pid"])
        process.kill()
        process.wait()


def _process_start_time(pid: int) -> float | None:
    """When the process started, which tells it from a later process with the same id."""
    try:
        started: float = psutil.Process(pid).create_time()
    except psutil.Error:
        return None
    return started
