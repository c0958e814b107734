"""The queue: which jobs run, in which order, at most ENGINE_JOBS at a time."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

from engine.queue.disk_space import has_room, is_out_of_space
from engine.queue.job_folder import JobFolder
from engine.queue.spare_trainer import SPARE_TIMEOUT, SpareKeeper
from engine.queue.trainer_process import (
    FOUND_NO_ROOM,
    RETRY_AFTER,
    Trainer,
    kill_leftover,
    record_outcome,
)

POLL = 0.25  # seconds: a cancel or an end is noticed at once for a person, and costs little
MOST_RETRY_AFTER = 60.0
ROOM_POLL = 2.0  # seconds: jobs that wait for room on the disk go on at once for a person

log = logging.getLogger(__name__)


class Runner:
    """Runs the jobs under a root, at most ENGINE_JOBS at a time, the oldest first."""

    def __init__(
        self, root: Path, patience: float = 30.0, grace: float = 10.0, spare_timeout: float = SPARE_TIMEOUT
    ) -> None:
        """Times in seconds: how long a trainer may be silent, how long it may go on once asked to stop, and
        how long a spare waits for a job."""
        self._root = root
        self._patience = patience
        self._grace = grace
        self._slots = int(os.environ.get("ENGINE_JOBS", "1"))
        self._trainers: dict[str, Trainer] = {}
        self._waiting = 0  # jobs without a slot
        self._lacks_room = False  # jobs wait for room on the disk
        self._full_disks: dict[str, int] = {}  # how often a job's trainers have found a full disk, by its id
        self._retry_at: dict[str, float] = {}  # when it may be tried again
        self._spare = SpareKeeper(spare_timeout)
        self._woken = threading.Event()
        self._stopping = False
        # The kernel ends a trainer with the thread that started it, so one thread starts them all.
        self._thread = threading.Thread(target=self._run, name="runner", daemon=True)

    def start(self) -> None:
        """Resume the unfinished jobs on disk, and wait for more."""
        self._woken.set()
        self._thread.start()

    def wake(self) -> None:
        """Notice now that a job was created or a cancellation requested."""
        self._woken.set()

    def warm_up(self) -> None:
        """Have a spare trainer import torch meanwhile, since a job may come soon."""
        self._spare.request()
        self._woken.set()

    def describe_spare(self) -> dict[str, Any] | None:
        """The spare trainer's memory, and whether it is ready; None where there is none."""
        return self._spare.describe()

    def stop(self) -> None:
        """End the trainers; their jobs go on with the next runner."""
        self._stopping = True
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        due, delay = True, None
        while not self._stopping:
            due = self._woken.wait(delay) or due
            self._woken.clear()
            try:
                if self._watch_trainers() or due:
                    self._start_trainers()
                spare_left = self._spare.update(self._is_spare_useful(), is_idle=not self._trainers)
                due, delay = self._lacks_room, POLL if self._trainers else spare_left
                if self._lacks_room:
                    delay = ROOM_POLL
            except Exception as error:  # whatever it is: without this thread no job would ever run again
                due, delay = True, self._report_trouble(error)
        self._spare.stop()
        for trainer in self._trainers.values():
            trainer.stop()

    def _report_trouble(self, error: Exception) -> float:
        """Log it; return the seconds until the next try."""
        if is_out_of_space(error):
            log.warning("The disk is full; the queue goes on when there is room.")
            return ROOM_POLL
        log.exception("The queue could not go on; it tries again in %s seconds.", RETRY_AFTER, exc_info=error)
        return RETRY_AFTER

    def _is_spare_useful(self) -> bool:
        """While a job trains, a spare only takes memory unless another job waits or was announced."""
        is_announced = self._spare.is_requested and len(self._trainers) < self._slots
        return not self._trainers or self._waiting > 0 or is_announced

    def _unfinished(self) -> list[JobFolder]:
        return [folder for folder in JobFolder.all(self._root) if not folder.is_finished]

    def _watch_trainers(self) -> bool:
        """Watch each trainer; return whether a slot became free."""
        over = {id: reason for id, trainer in self._trainers.items() if (reason := trainer.watch())}
        for id, reason in over.items():
            record_outcome(self._trainers[id].folder, reason)
            if reason == FOUND_NO_ROOM:
                self._postpone(id)
            del self._trainers[id]
            self._spare.record_job_end()
        return bool(over)

    def _start_trainers(self) -> None:
        self._waiting, self._lacks_room = 0, False
        for folder in self._unfinished():
            if folder.id in self._trainers:
                continue
            kill_leftover(folder)
            if folder.result or folder.is_cancel_requested:
                record_outcome(folder)
            elif len(self._trainers) >= self._slots:
                self._waiting += 1
            elif self._has_room(folder):
                self._trainers[folder.id] = Trainer(folder, self._spare, self._patience, self._grace)
            else:
                self._lacks_room = True

    def _postpone(self, id: str) -> None:
        """Have the job wait for room, and longer each time: it may need more than there will be."""
        self._full_disks[id] = times = self._full_disks.get(id, 0) + 1
        self._retry_at[id] = time.monotonic() + min(times * RETRY_AFTER, MOST_RETRY_AFTER)

    def _has_room(self, folder: JobFolder) -> bool:
        return has_room(self._root) and time.monotonic() >= self._retry_at.get(folder.id, 0.0)
