"""Steps a second of the engine's trainer beside transformers' Trainer: one model, one file, one process.

Both tune a LoRA adapter of the base's recommended settings, in batches of like lengths, and record each step.
The engine keeps its save points and gives signs of life meanwhile, and counts right guesses.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from engine.base_models.registry import BUILT_IN, LocalBaseModel
from engine.queue.job_folder import JobFolder, utc_now
from engine.training import dataset
from engine.training.chat_template import ChatTemplate
from engine.training.dataset import TokenSequence
from engine.training.lora import add_adapter, load_base
from engine.training.plan import Plan
from engine.training.trainer import run
from tests.paths import SAMPLES

FILE = SAMPLES / "banking77" / "train.jsonl"
ROUNDS = 5
THREADS = 1
LEAST_RATIO = 0.95

Examples = list[dict[str, list[int]]]


def measure() -> Iterator[str]:
    torch.set_num_threads(THREADS)
    base = LocalBaseModel.from_folder(BUILT_IN / "studio-tiny")
    with tempfile.TemporaryDirectory() as root:
        folder = new_job(Path(root), base, 0)
        sequences = dataset.read_dataset(
            folder.training_file, chat := ChatTemplate(base.folder), base.context_tokens
        ).sequences
        plan = Plan.from_job(folder.job, base, len(sequences))
        runs: dict[str, Callable[[int], float]] = {
            "engine.training.trainer": lambda number: engine_train(new_job(Path(root), base, number)),
            "Trainer": lambda number: hf_train(base, plan, chat.pad, sequences, Path(root)),
        }
        found: dict[str, list[float]] = {name: [] for name in runs}
        for number in range(1, ROUNDS + 1):
            for name in sorted(runs, reverse=number % 2 == 0):  # neither always comes first
                found[name].append(runs[name](number))
    yield f"{base.id}, {len(sequences)} examples, {plan.steps} steps of {plan.batch_size}, {THREADS} thread"
    for name, speeds in found.items():
        each = " ".join(f"{speed:.2f}" for speed in speeds)
        yield f"{name:>12}: median {statistics.median(speeds):.2f} steps/s ({each})"
    ratio = statistics.median(found["engine.training.trainer"]) / statistics.median(found["Trainer"])
    yield f"engine.training.trainer is {ratio:.2f} times as fast as Trainer; {LEAST_RATIO} is asked for"
    assert ratio >= LEAST_RATIO, "The engine's trainer is too slow."


def new_job(root: Path, base: LocalBaseModel, number: int) -> JobFolder:
    request = {"supervisedTuningSpec": {"hyperParameters": {"epochCount": "1"}}}
    job = {"id": str(number), "createTime": utc_now(), "model": base.id, "base": base.id, "request": request}
    return JobFolder.create(root, job, FILE, None)


def engine_train(folder: JobFolder) -> float:
    run(folder)
    assert folder.result == {"outcome": "SUCCEEDED"}, folder.result
    times = [point["wallTime"] for point in folder.read_points() if point["series"] == "/train_total_loss"]
    return steps_a_second(times)


def steps_a_second(times: Sequence[float]) -> float:
    return (len(times) - 1) / (times[-1] - times[0])


class Clock(TrainerCallback):
    """When each step was recorded."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" in logs:
            self.times.append(time.time())


def hf_train(
    base: LocalBaseModel, plan: Plan, pad: int, sequences: Sequence[TokenSequence], root: Path
) -> float:
    arguments = TrainingArguments(
        output_dir=str(root / "trainer"),
        per_device_train_batch_size=plan.batch_size,
        num_train_epochs=plan.epochs,
        learning_rate=plan.base_learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(plan.warmup * plan.steps),
        train_sampling_strategy="group_by_length",
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    clock = Clock()
    tuning = Trainer(
        model=add_adapter(load_base(base), base, plan.rank),
        args=arguments,
        train_dataset=[add_labels(sequence) for sequence in sequences],
        data_collator=lambda examples: collate(examples, pad),
        callbacks=[clock],
    )
    tuning.remove_callback(PrinterCallback)  # it would time a terminal
    tuning.train()
    assert len(clock.times) == plan.steps
    return steps_a_second(clock.times)


def add_labels(tokens: TokenSequence) -> dict[str, list[int]]:
    labels = [id if target else -100 for id, target in zip(tokens.ids, tokens.target, strict=True)]
    return {"input_ids": tokens.ids, "labels": labels}


def collate(examples: Examples, pad: int) -> dict[str, torch.Tensor]:
    width = max(len(example["input_ids"]) for example in examples)

    def pad_rows(rows: list[list[int]], filler: int) -> torch.Tensor:
        return torch.tensor([row + [filler] * (width - len(row)) for row in rows])

    ids = [example["input_ids"] for example in examples]
    return {
        "input_ids": pad_rows(ids, pad),
        "attention_mask": pad_rows([[1] * len(row) for row in ids], 0),
        "labels": pad_rows([example["labels"] for example in examples], -100),
    }
