"""Trainings that die at a chosen moment, each in a process of its own in which torch is loaded already."""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import signal
from collections.abc import Callable
from multiprocessing.forkserver import set_forkserver_preload
from pathlib import Path
from typing import Any

from engine.queue.job_folder import JobFolder

Mishap = Callable[[], None]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before_update_5() -> None:
    _before_call(5, "engine.training.trainer:Training", "update")


def before_evaluation_5() -> None:
    _before_call(6, "engine.training.trainer:Training", "evaluate")  # the first call is for step 0


def inside_evaluation_5() -> None:
    """Of its step the train values are recorded; one step measures twice, and step 0 once."""
    _before_call(2 * 5 + 1, "engine.training.trainer", "measure_batch")


def inside_checkpoint_6() -> None:
    """Its adapter is written, checkpoint.json is not."""
    _before_call(2, "engine.training.trainer", "write_json")


def before_the_first_save_point() -> None:
    _before_call(1, "engine.training.save_points", "write")


def inside_save_point_6() -> None:
    """Its adapter is written, its optimizer is not."""
    _before_call(2, "engine.training.save_points", "_random_states")


def before_the_rename_of_save_point_6() -> None:
    """All of it is written, and it has not got its name."""
    from engine.queue import atomic_files

    original = atomic_files.sync_to_disk

    def sync(path: Path) -> None:
        if path.name == "000006.tmp":
            die()
        original(path)

    atomic_files.sync_to_disk = sync


def between_checkpoint_and_save_point_6() -> None:
    _before_call(2, "engine.training.save_points", "write")


def inside_a_line_of_metrics() -> None:
    from engine.training import metrics_log

    original = metrics_log.PointWriter.add

    def add(self: metrics_log.PointWriter, step: int, values: Any) -> None:
        if step == 8:
            self._file.write(b'{"series": "/train_total_l')
            self._file.flush()
            die()
        original(self, step, values)

    metrics_log.PointWriter.add = add  # type: ignore[method-assign]


def limit_memory() -> None:
    """What the process has already, and a little more: the limit is the kernel's own."""
    import resource

    import psutil

    limit = psutil.Process().memory_info().vms + 24 * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _before_call(count: int, owner: str, name: str) -> None:
    """Die before the call number `count` of a function."""
    place = pkgutil.resolve_name(owner)
    original, calls = getattr(place, name), 0

    def count_call(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count:
            die()
        return original(*arguments, **named)

    setattr(place, name, count_call)


def train_with(mishap: Mishap, folder: JobFolder) -> int:
    """Train until the mishap; the exit status of the process."""
    set_forkserver_preload(["engine.training.trainer"])
    process = multiprocessing.get_context("forkserver").Process(
        target=_train, args=(mishap, folder.path, dict(os.environ))
    )
    process.start()
    process.join(180)
    status = process.exitcode
    process.kill()  # or Python waits for it when all tests are over
    assert status is not None, "The training neither died nor ended."
    return status


def _train(mishap: Mishap, path: Path, environment: dict[str, str]) -> None:
    import torch

    from engine.training.trainer import run

    os.environ.update(environment)
    torch.set_num_threads(1)
    mishap()
    run(JobFolder(path))
