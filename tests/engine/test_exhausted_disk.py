"""What a machine runs out of, for real: disk, memory, numbers. The reason stays, and the adapters."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from engine.base_models.registry import LocalBaseModel
from engine.queue.job_folder import JobFolder
from engine.queue.runner import Runner
from engine.training import metrics_log, save_points
from engine.training.plan import Plan
from engine.training.trainer import Training, run
from tests.engine.job_folders import new_job, values, weights
from tests.engine.queue import kill_points
from tests.engine.queue.test_runner import read_state, wait_for
from tests.engine.tiny_base import example, write_base

pytestmark = pytest.mark.fault
MakeJob = Callable[..., JobFolder]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """small_disk(bytes) -> a folder on a file system of its own of that size."""
    mounted: list[Path] = []

    def mount(size: int) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        (folder / "root").mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder / "root")]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"No file system can be mounted here: {done.stderr.strip()}")
        mounted.append(folder / "root")
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_disk(folder: JobFolder) -> None:
    """Leave not one byte on the folder's disk."""
    with (folder.path.parents[1] / "ballast").open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as full:
            assert full.errno == errno.ENOSPC


def load_adapter(base: LocalBaseModel, adapter: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
    PeftModel.from_pretrained(model, adapter)


MOMENTS = [
    (metrics_log.PointWriter, "add", 1, 0),  # nothing is there yet that could be given up
    (metrics_log.PointWriter, "add", 16, 2),  # an evaluation
    (save_points, "write", 3, 3),
    (Training, "export_checkpoint", 9, 2),
    (JobFolder, "write_progress", 1, 0),
    (JobFolder, "write_stats", 1, 0),
    (JobFolder, "write_result", 1, 4),
]


@pytest.mark.parametrize(("owner", "name", "call", "kept"), MOMENTS)
def test_full_disk_fails_the_job_with_a_reason_and_keeps_the_adapters(
    small_disk: Callable[[int], Path],
    base: LocalBaseModel,
    trained: JobFolder,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    call: int,
    kept: int,
) -> None:
    """Full from just before that call on, whatever it is that wants to write then."""
    folder = new_job(small_disk(8 * 2**20))
    original, calls = getattr(owner, name), 0

    def fill_before_call(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            fill_disk(folder)
        return original(*arguments, **named)

    monkeypatch.setattr(owner, name, fill_before_call)
    run(folder)
    assert (folder.result["outcome"], folder.result["code"]) == ("FAILED", 8)
    assert folder.result["message"].startswith("The engine's disk is full. Free some space")
    assert weights(folder) == weights(trained)[:kept]
    for checkpoint in folder.checkpoints():
        load_adapter(base, checkpoint.folder)
    told = values(folder.read_points())
    assert told == values(trained.read_points())[: len(told)]


def test_job_that_fills_the_disk_fails_in_the_queue(
    small_disk: Callable[[int], Path], base: LocalBaseModel
) -> None:
    disk = small_disk(768 * 1024)
    folder = new_job(disk, epochs=10, train=40, hyper_parameters={"adapterSize": "ADAPTER_SIZE_SIXTEEN"})
    runner = Runner(disk / "root")
    runner.start()
    try:
        wait_for(lambda: folder.is_finished, 120)
    finally:
        runner.stop()
    assert (read_state(folder), folder.state["error"]["code"]) == ("FAILED", 8)
    assert "The engine's disk is full." in folder.state["error"]["message"]
    assert 1 <= len(folder.checkpoints()) < 10
    load_adapter(base, folder.checkpoints()[-1].folder)


def test_example_too_large_for_memory_fails_the_job(
    make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process that the kernel gives no more."""
    folder = write_base(tmp_path / "long", context_tokens=20_000)
    monkeypatch.setenv("ENGINE_BASES", str(folder))
    job = make_job(train=[example("a " * 9_000, "b " * 900)] * 4, validation=0)
    assert kill_points.train_with(kill_points.limit_memory, job) == 0
    assert (job.result["outcome"], job.result["code"]) == ("FAILED", 8)
    assert job.result["message"].startswith("The engine is out of memory. Use shorter examples")


def test_loss_that_becomes_nan_keeps_earlier_adapters(
    make_job: MakeJob, base: LocalBaseModel, trained: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, rate = make_job(), Plan.learning_rate
    monkeypatch.setattr(Plan, "learning_rate", lambda plan, step: rate(plan, step) if step < 7 else 1e30)
    run(folder)
    assert (folder.result["outcome"], folder.result["code"]) == ("FAILED", 3)
    assert "Lower learningRateMultiplier" in folder.result["message"]
    assert weights(folder) == weights(trained)[:2]


def test_nan_gradient_is_never_exported(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the last step of all, without an evaluation that would tell."""
    folder, measure, calls = make_job(epochs=1, validation=0), "engine.training.trainer.measure_batch", []
    from engine.training.trainer import measure_batch as original

    def return_nan_gradient(*arguments: Any) -> Any:
        sums = original(*arguments)
        calls.append(1)
        if len(calls) == 3:
            sums.loss.register_hook(lambda gradient: gradient * float("nan"))
        return sums

    monkeypatch.setattr(measure, return_nan_gradient)
    run(folder)
    assert folder.result["message"] == "The gradient's norm is nan. Lower learningRateMultiplier."
    assert folder.checkpoints() == []
