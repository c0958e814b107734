"""The table of exported checkpoints, each with its validation loss (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.models import resource_id
from jobs.tuning_job_resource import Checkpoint
from metrics.diagnosis.citations import cite_difference, cite_step
from metrics.metric_names import EVAL_LOSS
from metrics.point_store import Points
from metrics.run import Run, step_of
from metrics.summary import find_best_index


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """`loss` is the last validation loss before the checkpoint, measured at step `measured`; `from_best` is
    its distance from the lowest of all, which was measured at step `best_at`."""

    checkpoint: Checkpoint
    default: bool
    loss: float | None
    measured: int | None
    from_best: float | None
    best_at: int | None
    is_best: bool

    @property
    def endpoint(self) -> str:
        """Its id, shortened for a column; the last digits tell neighbors apart."""
        name = resource_id(self.checkpoint.endpoint)
        return f"{name[:4]}…{name[-3:]}" if len(name) > 9 else name

    @property
    def source(self) -> str:
        return "" if self.measured is None else cite_step(EVAL_LOSS, self.measured)

    @property
    def difference(self) -> str:
        if self.measured is None or self.best_at is None:
            return ""
        return cite_difference(EVAL_LOSS, self.measured, self.best_at)


def build_checkpoint_rows(run: Run, evaluation: Points) -> list[CheckpointRow]:
    """Return a row for each checkpoint, the latest first."""
    losses = [loss_at(evaluation, step_of(one)) for one in run.checkpoints]
    known = [loss for loss, _step in losses if loss is not None]
    index = find_best_index(evaluation)
    lowest = None if index is None else float(evaluation.values[index])
    found = [
        CheckpointRow(
            checkpoint,
            run.is_default(checkpoint),
            loss,
            step,
            None if loss is None or lowest is None else loss - lowest,
            None if index is None else int(evaluation.steps[index]),
            bool(known) and loss == min(known),
        )
        for checkpoint, (loss, step) in zip(run.checkpoints, losses, strict=True)
    ]
    return found[::-1]


def loss_at(evaluation: Points, step: int) -> tuple[float | None, int | None]:
    """Return the last finite value up to `step`, and the step where it was measured."""
    known = evaluation.drop_nonfinite()
    index = int(known.steps.searchsorted(step, side="right")) - 1
    return (float(known.values[index]), int(known.steps[index])) if index >= 0 else (None, None)
