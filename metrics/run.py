"""What the charts need to know about a run: its length, its start, and its checkpoints. Plain data."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.models import TuningJob
from jobs.tuning_job_resource import Checkpoint


@dataclass(frozen=True, slots=True)
class Run:
    """`steps` and `epochs` are planned numbers, None until the service has read the dataset; `started_at` is
    in epoch seconds; `endpoint` is that of the default checkpoint."""

    steps: int | None = None
    epochs: int | None = None
    started_at: float | None = None
    over: bool = False
    checkpoints: tuple[Checkpoint, ...] = ()
    endpoint: str = ""

    @classmethod
    def from_job(cls, job: TuningJob) -> Run:
        epochs = job.epochs.effective
        return cls(
            steps=job.progress.steps,
            epochs=int(epochs) if epochs else None,
            started_at=job.started_at.timestamp() if job.started_at else None,
            over=job.is_final,
            checkpoints=tuple(sorted(job.checkpoints, key=step_of)),
            endpoint=job.endpoint,
        )

    @property
    def steps_per_epoch(self) -> float | None:
        return self.steps / self.epochs if self.steps and self.epochs else None

    def epoch_of(self, step: float) -> float | None:
        return step / self.steps_per_epoch if self.steps_per_epoch else None

    def is_default(self, checkpoint: Checkpoint) -> bool:
        return bool(self.endpoint) and checkpoint.endpoint == self.endpoint


def step_of(checkpoint: Checkpoint) -> int:
    return checkpoint.step or 0
