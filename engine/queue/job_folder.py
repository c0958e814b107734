"""A job's folder: its whole interface between the Google API, the runner and the trainer.

Every file has one writer and is replaced as a whole, so that any of them may die at any moment.

    job.json          the request                             written once, at creation
    training.jsonl    the data as it was at creation; validation.jsonl where there is one
    pre_tuned.safetensors   the adapter that the job starts from, if any
    state.json        where the job stands                    the runner
    cancel            an empty file: cancellation requested   the API
    progress.json     heartbeat, step, effective settings     the trainer
    stats.json        supervisedTuningDataStats               the trainer
    metrics.jsonl     the points of the six series            the trainer
    save/000060/      a save point, to resume from            the trainer
    checkpoints/1/    an adapter, as Vertex exports it        the trainer
    result.json       how the training ended                  the trainer, last
    trainer.log       what the trainer printed
    reserve           bytes to free when the disk is full
"""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.queue.atomic_files import new_folder, read_json, write_json
from engine.queue.disk_space import is_out_of_space
from engine.training import metrics_log

RESERVE = 2**16  # bytes: result.json and state.json fit many times
NO_ROOM = 28  # status of a trainer that found a full disk: ENOSPC
FINAL_STATES = {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED"}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An exported adapter: `folder` is what PEFT loads."""

    checkpoint_id: str
    epoch: int
    step: int
    folder: Path


class JobFolder:
    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(
        cls,
        root: Path,
        job: dict[str, Any],
        training: Path,
        validation: Path | None,
        pre_tuned: Path | None = None,
    ) -> "JobFolder":
        """Put the job and copies of its data on disk, PENDING: there as a whole, or not at all."""
        (root / "jobs").mkdir(parents=True, exist_ok=True)
        path = root / "jobs" / job["id"]
        with new_folder(path) as folder:
            shutil.copyfile(training, folder / "training.jsonl")
            if validation:
                shutil.copyfile(validation, folder / "validation.jsonl")
            if pre_tuned:
                shutil.copyfile(pre_tuned, folder / "pre_tuned.safetensors")
            write_json(folder / "job.json", job)
            write_json(folder / "state.json", build_first_state(job))
            (folder / "reserve").write_bytes(bytes(RESERVE))
        return cls(path)

    @classmethod
    def all(cls, root: Path) -> "list[JobFolder]":
        """Every job under `root`, the oldest first."""
        folders = [cls(path.parent) for path in root.glob("jobs/*/job.json") if path.parent.suffix != ".tmp"]
        return sorted(folders, key=lambda folder: (folder.job["createTime"], folder.id))

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def training_file(self) -> Path:
        return self.path / "training.jsonl"

    @property
    def validation_file(self) -> Path | None:
        path = self.path / "validation.jsonl"
        return path if path.exists() else None

    @property
    def pre_tuned_file(self) -> Path | None:
        path = self.path / "pre_tuned.safetensors"
        return path if path.exists() else None

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def job(self) -> dict[str, Any]:
        return read_json(self.path / "job.json")

    @property
    def state(self) -> dict[str, Any]:
        return read_json(self.path / "state.json")

    @property
    def progress(self) -> dict[str, Any]:
        return read_json(self.path / "progress.json")

    @property
    def stats(self) -> dict[str, Any]:
        return read_json(self.path / "stats.json")

    @property
    def result(self) -> dict[str, Any]:
        return read_json(self.path / "result.json")

    @property
    def is_finished(self) -> bool:
        return self.state.get("state") in FINAL_STATES

    def write_state(self, state: str, **changes: Any) -> None:
        """Move to `state`, with changes of other keys; a change to None removes the key."""
        fields = {**self.state, **changes, "state": f"JOB_STATE_{state}", "updateTime": utc_now()}
        write_json(
            self.path / "state.json", {key: value for key, value in fields.items() if value is not None}
        )

    def write_progress(self, progress: dict[str, Any]) -> None:
        write_json(self.path / "progress.json", progress)

    def write_stats(self, stats: dict[str, Any]) -> None:
        write_json(self.path / "stats.json", stats)

    def write_result(self, outcome: str, **reason: Any) -> None:
        write_json(self.path / "result.json", {"outcome": outcome, **reason})

    def write_last_result(self, outcome: str, **reason: Any) -> None:
        """Write how the training ended, and delete what it needed: before that, if the disk is full."""
        try:
            self.write_result(outcome, **reason)
        except OSError as error:
            if not is_out_of_space(error):
                raise
            self.free_disk_space()
            self.write_result(outcome, **reason)
        self.free_disk_space()

    def free_disk_space(self) -> None:
        """Delete what only a running training needs: on a full disk, room for the reason why it ended."""
        shutil.rmtree(self.path / "save", ignore_errors=True)
        (self.path / "reserve").unlink(missing_ok=True)

    def request_cancel(self) -> None:
        (self.path / "cancel").touch()

    @property
    def is_cancel_requested(self) -> bool:
        return (self.path / "cancel").exists()

    def save_points(self) -> list[int]:
        """The steps that the training can go on from."""
        return sorted(int(path.name) for path in self.path.glob("save/*") if path.name.isdigit())

    def save_point_path(self, step: int) -> Path:
        return self.path / "save" / f"{step:06}"

    def checkpoints(self) -> list[Checkpoint]:
        """The adapters exported so far, in the order of their training."""
        paths = [
            path for path in self.path.glob("checkpoints/*/checkpoint.json") if path.parent.name.isdigit()
        ]
        return sorted(map(self._read_checkpoint, paths), key=lambda checkpoint: checkpoint.step)

    def _read_checkpoint(self, path: Path) -> Checkpoint:
        about = read_json(path)
        return Checkpoint(about["checkpointId"], int(about["epoch"]), int(about["step"]), path.parent)

    def read_points(self, since_step: int | None = None) -> list[metrics_log.Point]:
        """The points so far, or those after `since_step`, in the order of their writing."""
        after = -1 if since_step is None else since_step
        return [point for point in metrics_log.read_points(self.metrics_file) if point["step"] > after]


def build_first_state(job: dict[str, Any]) -> dict[str, Any]:
    """The state of a job as it is created; the runner may change it at once."""
    return {"state": "JOB_STATE_PENDING", "updateTime": job["createTime"]}


def utc_now() -> str:
    """This moment, as Google's APIs write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
