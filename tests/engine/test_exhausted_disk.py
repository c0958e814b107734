"""What a machine runs out of, for real: disk, memory, numbers. A full disk costs time only; otherwise the
reason stays, and the adapters."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from engine.base_models.registry import LocalBaseModel
from engine.gcs.object_store import ObjectStore, UploadMetadata
from engine.gcs.uploads import ContentRange, UploadSession
from engine.queue.job_folder import NO_ROOM, JobFolder
from engine.queue.runner import Runner
from engine.queue.trainer_process import record_outcome
from engine.training import metrics_log, save_points
from engine.training.plan import Plan
from engine.training.trainer import Training, run
from tests.disk import fill_disk, mount_small_disk
from tests.engine.job_folders import new_job, values, weights
from tests.engine.queue import kill_points
from tests.engine.queue.test_runner import read_state, wait_for
from tests.engine.running_engine import run_engine
from tests.engine.tiny_base import example, write_base

pytestmark = pytest.mark.fault
MakeJob = Callable[..., JobFolder]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """small_disk(bytes) -> a folder whose `root` is a file system of its own of that size."""
    with ExitStack() as mounted:

        def mount(size: int) -> Path:
            folder = tmp_path / f"disk-{size}"
            mounted.enter_context(mount_small_disk(folder / "root", size))
            return folder

        yield mount


def load_adapter(base: LocalBaseModel, adapter: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
    PeftModel.from_pretrained(model, adapter)


MOMENTS = [
    (metrics_log.PointWriter, "add", 1),
    (metrics_log.PointWriter, "add", 16),  # an evaluation
    (save_points, "write", 3),
    (Training, "export_checkpoint", 9),
    (JobFolder, "write_progress", 1),
    (JobFolder, "write_stats", 1),
]


def fill_before_call(owner: Any, name: str, call: int, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Fill the disk just before that call, whatever it is that wants to write then."""
    original, calls = getattr(owner, name), 0

    def count_call(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            fill_disk(folder)
        return original(*arguments, **named)

    patch.setattr(owner, name, count_call)


@pytest.mark.parametrize(("owner", "name", "call"), MOMENTS)
def test_full_disk_costs_a_job_nothing_but_time(
    small_disk: Callable[[int], Path],
    base: LocalBaseModel,
    trained: JobFolder,
    owner: Any,
    name: str,
    call: int,
) -> None:
    disk = small_disk(8 * 2**20)
    folder = new_job(disk)
    with pytest.MonkeyPatch.context() as patch:
        fill_before_call(owner, name, call, disk / "root", patch)
        assert run(folder) == NO_ROOM
        assert folder.result == {}
    (disk / "root" / "ballast").unlink()
    assert run(folder) == 0
    assert folder.result == {"outcome": "SUCCEEDED"}
    assert weights(folder) == weights(trained)
    assert values(folder.read_points()) == values(trained.read_points())
    for checkpoint in folder.checkpoints():
        load_adapter(base, checkpoint.folder)


def test_a_finished_job_finds_room_for_its_end_on_a_full_disk(
    small_disk: Callable[[int], Path], trained: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = small_disk(8 * 2**20)
    folder = new_job(disk)
    fill_before_call(JobFolder, "write_result", 1, disk / "root", monkeypatch)
    assert run(folder) == 0
    assert folder.result == {"outcome": "SUCCEEDED"}
    assert weights(folder) == weights(trained)
    record_outcome(folder)
    assert read_state(folder) == "SUCCEEDED"


@pytest.fixture
def stuck(small_disk: Callable[[int], Path], base: LocalBaseModel) -> Iterator[tuple[JobFolder, Runner]]:
    """A job that needs more than its disk has, once it waits for room, and the queue that it waits in."""
    disk = small_disk(768 * 1024)
    folder = new_job(disk, epochs=10, train=40, hyper_parameters={"adapterSize": "ADAPTER_SIZE_SIXTEEN"})
    runner = Runner(disk / "root")
    runner.start()
    try:
        wait_for(lambda: runner._full_disks, 120)
        yield folder, runner
    finally:
        runner.stop()


def test_job_that_fills_the_disk_goes_on_when_the_disk_has_grown(stuck: tuple[JobFolder, Runner]) -> None:
    folder, _ = stuck
    assert read_state(folder) == "RUNNING"
    assert 0 < len(folder.checkpoints()) < 10
    grow = ["mount", "-o", "remount,size=8m", str(folder.path.parents[1])]
    subprocess.run(grow, check=True)
    wait_for(lambda: folder.is_finished, 240)
    assert read_state(folder) == "SUCCEEDED"
    assert len(folder.checkpoints()) == 10
    assert "restarts" not in folder.state


def test_job_that_fills_the_disk_can_be_cancelled(stuck: tuple[JobFolder, Runner]) -> None:
    folder, runner = stuck
    fill_disk(folder.path.parents[1])
    folder.request_cancel()
    runner.wake()
    wait_for(lambda: folder.is_finished, 120)
    assert read_state(folder) == "CANCELLED"
    assert folder.checkpoints()


def test_engine_without_room_refuses_files_and_jobs_and_keeps_nothing(
    small_disk: Callable[[int], Path], base_folder: Path
) -> None:
    root = small_disk(8 * 2**20) / "root"

    def list_files() -> set[Path]:
        return {path for path in root.rglob("*") if path.is_file() and path.name != "ballast"}

    with run_engine(root) as engine:
        body = {
            "baseModel": "studio-tiny",
            "supervisedTuningSpec": {"trainingDatasetUri": engine.upload_examples("train.jsonl", 8)},
        }
        path = "upload/storage/v1/b/data/o"
        begun = engine.post(path, {}, params={"uploadType": "resumable", "name": "begun.jsonl"})
        session = begun.headers["Location"].removeprefix(f"{engine.url}/")
        before = {file for file in list_files() if "=uploads" not in file.parts}
        large = b"x" * 8 * 2**20
        assert engine.call("POST", path, params={"name": "large.jsonl"}, data=large).status_code == 429
        ballast = fill_disk(root)
        for answer in (
            engine.create(**body),
            engine.call("POST", path, params={"name": "small.jsonl"}, data=b"x"),
            engine.call("PUT", session, data=b"x" * 1000),
        ):
            assert answer.status_code == 429
            assert "The disk of this server is full." in answer.json()["error"]["message"]
        assert list_files() == before
        ballast.unlink()
        assert engine.call("PUT", session, data=b"x").status_code == 404, "it has to begin again"
        assert engine.create(**body).status_code == 200


def test_file_that_fills_the_disk_on_its_way_leaves_nothing(
    small_disk: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There was room when its first byte came."""
    disk = small_disk(2 * 2**20) / "root"
    store = ObjectStore(disk / "storage")
    session = UploadSession.begin(store, UploadMetadata("data", "large.jsonl"))
    with pytest.raises(OSError, match="No space left"):
        session.append_chunk(BytesIO(bytes(3 * 2**20)), ContentRange.parse("", ""))
    staged = store.new_staging_path()
    staged.write_bytes(b"x")
    fill_disk(disk)
    with pytest.raises(OSError, match="No space left"):
        store.put(staged, UploadMetadata("data", "small.jsonl"))
    left = [path.name for path in disk.rglob("*") if path.is_file()]
    assert left == ["ballast"]


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
