"""One tuning job, from its folder to its adapters: `python -m engine.training FOLDER`.

Ends with result.json in the folder. Started again on a folder without one, it goes on from the newest save
point, to the same weights and the same points, bit for bit, as if nothing had happened.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from engine.base_models.registry import LocalBaseModel, list_base_models
from engine.queue.atomic_files import new_folder, write_json
from engine.queue.disk_space import is_out_of_space
from engine.queue.job_folder import NO_ROOM, JobFolder
from engine.training import batches, metrics_log, save_points
from engine.training import dataset as data
from engine.training.batches import Batch, measure_batch
from engine.training.chat_template import ChatTemplate
from engine.training.dataset_stats import supervised_tuning_data_stats
from engine.training.heartbeat import Heartbeat, StopRequested
from engine.training.lora import add_adapter, export_adapter, load_base, read_weights, select_device
from engine.training.plan import Plan

SEED = 20_26  # of a job that names none
MAX_GRADIENT_NORM = 1.0  # the usual value: one odd batch cannot throw the adapter off
EVALUATION_BATCH = 32  # no gradients are stored, so more fit in memory than in training
SAVE_EVERY = 5.0  # seconds of work that a crash may cost
INVALID_ARGUMENT, RESOURCE_EXHAUSTED = 3, 8


class TrainingFailed(Exception):
    """The job cannot succeed, and trying again would not help."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def set_threads() -> None:
    torch.set_num_threads(_count_threads())


def _count_threads() -> int:
    """The cores' fair share: the threads of all trainers together never exceed the cores."""
    share = (os.cpu_count() or 1) // int(os.environ.get("ENGINE_JOBS", "1"))
    return int(os.environ.get("ENGINE_THREADS", "0")) or max(1, share)


def run(folder: JobFolder, asked_to_stop: Callable[[], bool] = lambda: False) -> int:
    """Tune, and leave result.json; none where the job is to go on later, after a stop that is not a cancel or
    on a full disk. Return the process's status: NO_ROOM on a full disk, else 0.
    """
    try:
        ending = find_ending(folder, asked_to_stop)
        if ending:
            folder.write_last_result(**ending)
    except OSError as error:
        if not is_out_of_space(error):
            raise
        return NO_ROOM
    return 0


def find_ending(folder: JobFolder, asked_to_stop: Callable[[], bool]) -> dict[str, Any]:
    """Tune; return how it ended, as result.json holds it, or {} if it is to go on later."""
    try:
        tune(folder, Heartbeat(folder, asked_to_stop))
    except StopRequested:
        return {"outcome": "CANCELLED"} if folder.is_cancel_requested else {}
    except TrainingFailed as failure:
        return {"outcome": "FAILED", "code": failure.code, "message": str(failure)}
    except (MemoryError, RuntimeError) as error:
        if not says_out_of_memory(error):
            raise
        message = "The engine is out of memory. Use shorter examples or a smaller adapter size."
        return {"outcome": "FAILED", "code": RESOURCE_EXHAUSTED, "message": message}
    return {"outcome": "SUCCEEDED"}


def says_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def tune(folder: JobFolder, pulse: Heartbeat) -> None:
    """Read the data, make a plan, train.

    Raises: TrainingFailed, StopRequested
    """
    base = _find_base(folder.job["base"])
    chat, loaded = ChatTemplate(base.folder), load_base(base)
    pulse.enter_stage("PROCESSING_DATASET")
    training = _read_examples(folder.training_file, chat, base, pulse)
    validation = (
        _read_examples(folder.validation_file, chat, base, pulse)
        if folder.validation_file
        else data.Dataset()
    )
    sequences = training.sequences
    plan = Plan.from_job(folder.job, base, len(sequences))
    folder.write_stats(supervised_tuning_data_stats(training, plan.steps))
    seed = folder.job.get("seed", SEED)
    torch.manual_seed(seed)
    model = add_adapter(loaded, base, plan.rank)
    if folder.pre_tuned_file:
        read_weights(model, folder.pre_tuned_file)
    job = Training(folder, base, chat.pad, plan, sequences, validation.sequences, model, pulse, seed)
    pulse.enter_stage("TUNING", **plan.effective_settings())
    job.train()
    pulse.enter_stage("POST_PROCESSING")


def _find_base(id: str) -> LocalBaseModel:
    found = [base for base in list_base_models() if base.id == id]
    if not found:
        raise TrainingFailed(INVALID_ARGUMENT, f"The base model {id} is no longer on this engine.")
    return found[0]


def _read_examples(path: Path, chat: ChatTemplate, base: LocalBaseModel, pulse: Heartbeat) -> data.Dataset:
    dataset = data.read_dataset(path, chat, base.context_tokens, pulse.beat)
    if not dataset.examples:
        reasons = " ".join(f"Line {line.index}: {line.reason}" for line in dataset.dropped[:3])
        message = f"No example in {path.name} can be used. {reasons or 'The file is empty.'}"
        raise TrainingFailed(INVALID_ARGUMENT, message)
    return dataset


@dataclass(slots=True)
class Training:
    """The state of the training loop."""

    folder: JobFolder
    base: LocalBaseModel
    pad: int
    plan: Plan
    sequences: list[data.TokenSequence]
    held_out: list[data.TokenSequence]
    model: PeftModel
    pulse: Heartbeat
    seed: int

    def train(self) -> None:
        """The loop. A save point is the last thing a step does, so that all of the step lies behind it."""
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(weights, weight_decay=0.0, fused=True)
        self.model.train()
        start = save_points.restore(self.folder, self.model, optimizer)
        metrics_log.truncate_after(self.folder.metrics_file, -1 if start is None else start)
        recorder = metrics_log.PointWriter(self.folder.metrics_file)
        if start is None:
            self.evaluate(recorder, 0)
        saved = time.monotonic()
        for step, batch in self.batches(start or 0):
            self.report_progress(step - 1)
            recorder.add(step, self.update(batch, optimizer, self.plan.learning_rate(step - 1)))
            self.evaluate(recorder, step)
            self.export_checkpoint(step)
            if step % self.plan.steps_per_epoch == 0 or time.monotonic() - saved >= SAVE_EVERY:
                recorder.sync()
                save_points.write(self.folder, step, self.model, optimizer)
                saved = time.monotonic()
        recorder.close()
        self.report_progress(self.plan.steps)

    def report_progress(self, step: int) -> None:
        self.pulse.beat(step=step, epoch=step // self.plan.steps_per_epoch)

    def batches(self, start: int) -> Iterator[tuple[int, Batch]]:
        """The batches after `start` updates, each with the number of its update, counted from 1."""
        step = start - start % self.plan.steps_per_epoch
        for epoch in range(start // self.plan.steps_per_epoch, self.plan.epochs):
            for sequences in batches.shuffle_batches(
                self.sequences, self.plan.batch_size, seed=self.seed + epoch
            ):
                step += 1
                if step > start:
                    yield step, Batch.from_sequences(sequences, self.pad, select_device())

    def update(
        self, batch: Batch, optimizer: torch.optim.Optimizer, learning_rate: float
    ) -> dict[str, float]:
        """One step down the gradient; the values are those from before it."""
        sums = measure_batch(self.model, batch)
        values = compute_metrics("train", sums.loss.item(), sums.correct, sums.count)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        (sums.loss / sums.count).backward()
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        check_finite(torch.nn.utils.clip_grad_norm_(weights, MAX_GRADIENT_NORM).item(), "The gradient's norm")
        optimizer.step()
        optimizer.zero_grad()
        return values

    def evaluate(self, recorder: metrics_log.PointWriter, step: int) -> None:
        """Where the plan has an evaluation, measure the whole validation set and divide once."""
        if not self.held_out or step not in self.plan.evaluation_steps:
            return
        self.model.eval()
        loss, correct, count = 0.0, 0, 0
        with torch.no_grad():
            for sequences in batches.sort_into_batches(self.held_out, EVALUATION_BATCH):
                sums = measure_batch(self.model, Batch.from_sequences(sequences, self.pad, select_device()))
                loss, correct, count = loss + sums.loss.item(), correct + sums.correct, count + sums.count
                self.pulse.beat()
        self.model.train()
        recorder.add(step, compute_metrics("eval", loss, correct, count))

    def export_checkpoint(self, step: int) -> None:
        """Export the adapter where the plan has a checkpoint; one that an earlier try left is the same."""
        id = self.plan.checkpoint_ids.get(step)
        if id is None or (path := self.folder.path / "checkpoints" / id).exists():
            return
        with new_folder(path) as new:
            export_adapter(self.model, new)
            about = {
                "checkpointId": id,
                "epoch": str(step // self.plan.steps_per_epoch),
                "step": str(step),
                "base": self.base.id,
                "baseSha256": self.base.sha256,
            }
            write_json(new / "checkpoint.json", about)


def compute_metrics(which: str, loss: float, correct: int, count: int) -> dict[str, float]:
    """Sums over target tokens to the three values that Vertex shows.

    Raises: TrainingFailed
    """
    check_finite(loss, f"The {which} loss")
    return {
        f"/{which}_total_loss": loss / count,
        f"/{which}_fraction_of_correct_next_step_preds": correct / count,
        f"/{which}_num_predictions": float(count),
    }


def check_finite(value: float, what: str) -> None:
    """Raises: TrainingFailed, if it is NaN or infinite"""
    if not math.isfinite(value):
        raise TrainingFailed(INVALID_ARGUMENT, f"{what} is {value}. Lower learningRateMultiplier.")
