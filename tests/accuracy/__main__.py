"""`make accuracy`: whole tunings of the sample tasks, every hyper-parameter at its recommended value.

    python -m tests.accuracy [--tasks banking77 ...] [--seeds 0 1 2] [--part test]

Each task is tuned once for each seed, as the engine would, and answers the messages of the part greedily; an
answer counts where it is right to the letter. Fails where a tuning falls short of what TASKS asks for, where
the untuned base knows the answers, or where a job or the base is larger than promised.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from engine.base_models.registry import LocalBaseModel, resolve_base_model
from engine.inference.options import Options
from engine.inference.server import ModelServer
from engine.queue.job_folder import JobFolder, utc_now
from engine.queue.runner import Runner
from engine.training.chat_template import Message
from engine.training.dataset import parse_example
from tests.paths import SAMPLES

TASKS = {"banking77": 0.75, "captain_byte": 0.8, "table_bookings": 0.8, "orders_ja": 0.8}
"""The share of exact answers that each task has to reach."""
MOST_UNTUNED = 0.05
MOST_LOSS_LEFT = 0.5
MOST_STEPS, MOST_PARAMETERS = 420, 3_000_000
GREEDY = Options(temperature=0, max_output_tokens=96)


class Question(NamedTuple):
    messages: list[Message]
    answer: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One tuning: shares of exact answers, first and last evaluation loss, steps, seconds from PENDING on."""

    task: str
    seed: int
    untuned: float
    tuned: float
    losses: list[float]
    epochs: int
    steps: int
    seconds: float

    @property
    def faults(self) -> list[str]:
        found = {
            f"exact match {self.tuned:.1%} < {TASKS[self.task]:.0%}": self.tuned < TASKS[self.task],
            f"untuned {self.untuned:.1%} > {MOST_UNTUNED:.0%}": self.untuned > MOST_UNTUNED,
            "too much of the evaluation loss is left": self.losses[-1] > MOST_LOSS_LEFT * self.losses[0],
            f"{self.steps} steps > {MOST_STEPS}": self.steps > MOST_STEPS,
        }
        return [fault for fault, there in found.items() if there]

    def format_row(self) -> str:
        loss = f"{self.losses[0]:.3f} -> {self.losses[-1]:.3f}"
        return (
            f"{self.task:<16} {self.seed:>4} {self.epochs:>6} {self.steps:>5} {self.seconds:>7.0f} "
            f"{loss:>18} {self.untuned:>8.1%} {self.tuned:>8.1%}  {'; '.join(self.faults)}"
        )


HEAD = (
    f"{'task':<16} {'seed':>4} {'epochs':>6} {'steps':>5} {'seconds':>7} "
    f"{'evaluation loss':>18} {'untuned':>8} {'tuned':>8}"
)


def main() -> int:
    arguments = _parse_arguments()
    base, server = _load_base(), ModelServer()
    print(
        f"{base.id}: {base.parameters:,} parameters; exact answers on {arguments.part}.jsonl",
        HEAD,
        sep="\n",
        flush=True,
    )
    faults = (
        []
        if base.parameters <= MOST_PARAMETERS
        else [f"the base has more than {MOST_PARAMETERS:,} parameters"]
    )
    for task in arguments.tasks:
        questions = list(read_questions(SAMPLES / task / f"{arguments.part}.jsonl"))
        untuned = exact_match(server, base, None, questions)
        for seed in arguments.seeds:
            with tempfile.TemporaryDirectory() as root:
                outcome = _measure_outcome(Path(root), server, base, task, seed, questions, untuned)
            print(outcome.format_row(), flush=True)
            faults += outcome.faults
    print("Not good enough." if faults else "Good enough.")
    return bool(faults)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Tune the sample tasks and count exact answers.")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--part", choices=("validation", "test"), default="test")
    return parser.parse_args()


def _load_base() -> LocalBaseModel:
    resolved = resolve_base_model("studio-tiny")
    if resolved is None:
        sys.exit("There is no base model in engine/base/studio-tiny/.")
    return resolved.base


def _measure_outcome(
    root: Path,
    server: ModelServer,
    base: LocalBaseModel,
    task: str,
    seed: int,
    questions: list[Question],
    untuned: float,
) -> Outcome:
    started = time.monotonic()
    folder = run_tuning(root, base, task, seed)
    seconds = time.monotonic() - started
    tuned = exact_match(server, base, folder.checkpoints()[-1].folder, questions)
    progress = folder.progress
    return Outcome(
        task, seed, untuned, tuned, read_eval_losses(folder), progress["epochs"], progress["steps"], seconds
    )


def run_tuning(root: Path, base: LocalBaseModel, task: str, seed: int) -> JobFolder:
    """Run the job as the engine would: a folder, a runner, a trainer of its own."""
    request: dict[str, Any] = {"supervisedTuningSpec": {"hyperParameters": {}}}
    job = {
        "id": "1",
        "createTime": utc_now(),
        "model": base.id,
        "base": base.id,
        "request": request,
        "seed": seed,
    }
    folder = JobFolder.create(root, job, SAMPLES / task / "train.jsonl", SAMPLES / task / "validation.jsonl")
    runner = Runner(root)
    runner.start()
    while not folder.is_finished:
        time.sleep(0.5)
    runner.stop()
    if folder.state["state"] != "JOB_STATE_SUCCEEDED":
        sys.exit(f"The job ended {folder.state['state']}: {folder.state.get('error')}")
    return folder


def read_eval_losses(folder: JobFolder) -> list[float]:
    return [point["value"] for point in folder.read_points() if point["series"] == "/eval_total_loss"]


def read_questions(path: Path) -> Iterator[Question]:
    for line in path.read_bytes().splitlines():
        *messages, answer = parse_example(line)
        yield Question(messages, answer["content"])


def exact_match(
    server: ModelServer, base: LocalBaseModel, adapter: Path | None, questions: list[Question]
) -> float:
    right = 0
    for messages, answer in questions:
        said = "".join(piece.text for piece in server.generate(base, adapter, messages, GREEDY))
        right += said == answer
    return right / len(questions)


if __name__ == "__main__":
    sys.exit(main())
