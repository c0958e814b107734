"""What a tuning job's resource says about the run behind the curves: length, clock, checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`checkpoint_id` is Vertex's own; the default one is what the tuned model's endpoint serves."""

    checkpoint_id: str
    step: int
    epoch: float
    endpoint: str
    default: bool


@dataclass(frozen=True, slots=True)
class Run:
    """`steps` and `epochs` are what is planned; both are unknown until the dataset has been read."""

    steps: int | None = None
    epochs: int | None = None
    started_at: float | None = None
    over: bool = False
    checkpoints: tuple[Checkpoint, ...] = ()

    @property
    def steps_per_epoch(self) -> float | None:
        return self.steps / self.epochs if self.steps and self.epochs else None

    def epoch_of(self, step: float) -> float | None:
        return step / self.steps_per_epoch if self.steps_per_epoch else None


def run_of(remote: dict[str, Any], over: bool = False) -> Run:
    """From a TuningJob as the service answers it, at any age; int64 fields come as strings.

    https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.tuningJobs
    """
    spec = remote.get("supervisedTuningSpec") or {}
    statistics = (remote.get("tuningDataStats") or {}).get("supervisedTuningDataStats") or {}
    started = remote.get("startTime")
    return Run(
        steps=whole(statistics.get("tuningStepCount")),
        epochs=whole((spec.get("hyperParameters") or {}).get("epochCount")),
        started_at=datetime.fromisoformat(started).timestamp() if started else None,
        over=over,
        checkpoints=checkpoints_of(remote.get("tunedModel") or {}),
    )


def checkpoints_of(tuned_model: dict[str, Any]) -> tuple[Checkpoint, ...]:
    """In the order of their steps."""
    served = tuned_model.get("endpoint")
    found = [
        Checkpoint(
            checkpoint_id=str(one.get("checkpointId", "")),
            step=whole(one.get("step")) or 0,
            epoch=float(one.get("epoch") or 0),
            endpoint=one.get("endpoint", ""),
            default=bool(served) and one.get("endpoint") == served,
        )
        for one in tuned_model.get("checkpoints") or []
    ]
    return tuple(sorted(found, key=lambda checkpoint: checkpoint.step))


def whole(text: Any) -> int | None:
    return int(text) if text else None
