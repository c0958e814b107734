"""What a job will do, computed before its first step: sizes, learning rate, evaluations, checkpoints."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine.base_models.registry import LocalBaseModel, resolve_base_model

RANKS = {
    "ADAPTER_SIZE_ONE": 1,
    "ADAPTER_SIZE_TWO": 2,
    "ADAPTER_SIZE_FOUR": 4,
    "ADAPTER_SIZE_EIGHT": 8,
    "ADAPTER_SIZE_SIXTEEN": 16,
    "ADAPTER_SIZE_THIRTY_TWO": 32,
}
MOST_EVALUATIONS = 40  # enough for a curve; with more epochs each is evaluated only at its end
MOST_CHECKPOINTS = 10  # as Vertex AI exports at most


@dataclass(frozen=True)
class Plan:
    """The effective settings of a job."""

    epochs: int
    steps_per_epoch: int
    batch_size: int
    rank: int
    multiplier: float
    base_learning_rate: float
    warmup: float
    last_checkpoint_only: bool

    @classmethod
    def from_job(cls, job: dict[str, Any], base: LocalBaseModel, examples: int) -> Plan:
        """The job's own settings; the base's recommended ones where it names none."""
        spec = job["request"]["supervisedTuningSpec"]
        chosen = spec.get("hyperParameters") or {}
        resolved = resolve_base_model(job["model"])
        batch_size = int(chosen.get("batchSize") or 0) or base.batch_size
        return cls(
            epochs=int(chosen.get("epochCount") or 0) or base.recommended_epochs(examples),
            steps_per_epoch=-(-examples // batch_size),
            batch_size=batch_size,
            rank=RANKS.get(chosen.get("adapterSize", ""), (resolved or base).adapter_size),
            multiplier=float(chosen.get("learningRateMultiplier") or 1.0),
            base_learning_rate=float(chosen.get("learningRate") or 0) or base.learning_rate,
            warmup=base.warmup,
            last_checkpoint_only=bool(spec.get("exportLastCheckpointOnly")),
        )

    @property
    def steps(self) -> int:
        return self.epochs * self.steps_per_epoch

    def learning_rate(self, step: int) -> float:
        """For the update after `step` updates: a linear warm-up times half a cosine."""
        warm = min(1.0, (step + 1) / max(1.0, self.warmup * self.steps))
        cosine = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return self.base_learning_rate * self.multiplier * warm * cosine

    @cached_property
    def evaluation_steps(self) -> frozenset[int]:
        """The steps after which to evaluate: 0, each epoch's end, and up to three times within an epoch."""
        per_epoch = min(4, max(1, MOST_EVALUATIONS // self.epochs))
        marks = range(self.epochs * per_epoch + 1)
        return frozenset(round(mark * self.steps_per_epoch / per_epoch) for mark in marks)

    @cached_property
    def checkpoint_ids(self) -> dict[int, str]:
        """Step -> checkpoint id: after each epoch, or ten evenly spread over more epochs than ten."""
        if self.last_checkpoint_only:
            return {self.steps: "1"}
        count = min(self.epochs, MOST_CHECKPOINTS)
        ends = (round(self.epochs * number / count) for number in range(1, count + 1))
        return {epoch * self.steps_per_epoch: str(number) for number, epoch in enumerate(ends, start=1)}

    def effective_settings(self) -> dict[str, Any]:
        """For progress.json."""
        return {
            "steps": self.steps,
            "epochs": self.epochs,
            "learningRateMultiplier": self.multiplier,
            "adapterSize": self.rank,
            "batchSize": self.batch_size,
        }
