"""A whole tuning on real customer messages, every hyper-parameter at its recommended value.

`make accuracy` runs it. It fails where fewer than half of the 180 messages kept aside get exactly the right
intent, or where the last evaluation's loss is more than half of the first one's.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import safe_open

from engine.bases import Base, resolve
from engine.chat import Message
from engine.data import parse
from engine.folder import JobFolder, now
from engine.options import Options
from engine.runner import Runner
from engine.serve import Server

DATA = Path(__file__).parents[2] / "jobs" / "datasets" / "samples" / "banking77"
LEAST_EXACT_MATCH = 0.5
MOST_LOSS_LEFT = 0.5
GREEDY = Options(temperature=0, max_output_tokens=32)


class Question(NamedTuple):
    messages: list[Message]
    answer: str


def main() -> int:
    base = _base()
    with tempfile.TemporaryDirectory() as root:
        started = time.monotonic()
        folder = tune(Path(root), base)
        seconds = time.monotonic() - started
        losses = evaluations(folder)
        server, questions = Server(), list(read_questions(DATA / "test.jsonl"))
        untuned = exact_match(server, base, None, questions)
        tuned = exact_match(server, base, folder.checkpoints()[-1].folder, questions)
        print_table(base, folder, losses, seconds, (untuned, tuned))
    good = tuned >= LEAST_EXACT_MATCH and losses[-1] <= MOST_LOSS_LEFT * losses[0]
    print("Good enough." if good else "Not good enough.")
    return 0 if good else 1


def _base() -> Base:
    resolved = resolve("studio-tiny")
    if resolved is None:
        sys.exit("There is no base model in engine/base/studio-tiny/.")
    return resolved.base


def tune(root: Path, base: Base) -> JobFolder:
    """Run the job as the engine would: a folder, a runner, a trainer of its own."""
    request: dict[str, Any] = {"supervisedTuningSpec": {"hyperParameters": {}}}
    job = {"id": "1", "createTime": now(), "model": base.id, "base": base.id, "request": request}
    folder = JobFolder.create(root, job, DATA / "train.jsonl", DATA / "validation.jsonl")
    runner = Runner(root)
    runner.start()
    while not folder.finished:
        time.sleep(1)
        progress = folder.progress
        print(f"\rstep {progress.get('step', 0)} of {progress.get('steps', '?')}   ", end="", flush=True)
    print()
    runner.stop()
    if folder.state["state"] != "JOB_STATE_SUCCEEDED":
        sys.exit(f"The job ended {folder.state['state']}: {folder.state.get('error')}")
    return folder


def evaluations(folder: JobFolder) -> list[float]:
    return [point["value"] for point in folder.metrics() if point["series"] == "/eval_total_loss"]


def read_questions(path: Path) -> Iterator[Question]:
    for line in path.read_bytes().splitlines():
        *messages, answer = parse(line)
        yield Question(messages, answer["content"])


def exact_match(server: Server, base: Base, adapter: Path | None, questions: list[Question]) -> float:
    """The share of questions whose greedy answer is the right one, to the letter."""
    right = 0
    for messages, answer in questions:
        said = "".join(piece.text for piece in server.generate(base, adapter, messages, GREEDY))
        right += said == answer
    return right / len(questions)


def print_table(
    base: Base, folder: JobFolder, losses: list[float], seconds: float, matches: tuple[float, float]
) -> None:
    progress = folder.progress
    with safe_open(folder.checkpoints()[-1].folder / "adapter_model.safetensors", "numpy") as adapter:
        trained = sum(adapter.get_tensor(name).size for name in adapter.keys())  # noqa: SIM118
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    rows = {
        "exact match, untuned": f"{matches[0]:.1%}",
        "exact match, tuned": f"{matches[1]:.1%}",
        "eval loss, first": f"{losses[0]:.4f}",
        "eval loss, last": f"{losses[-1]:.4f}",
        "eval loss, lowest": f"{min(losses):.4f}",
        "epochs, steps": f"{progress['epochs']}, {progress['steps']}",
        "adapter size, batch size": f"{progress['adapterSize']}, {progress['batchSize']}",
        "seconds, from PENDING to SUCCEEDED": f"{seconds:.0f}",
        "trainer's peak memory": f"{memory} MB",
        "parameters of the base, of the adapter": f"{base.parameters:,}, {trained:,}",
        "examples": folder.stats["tuningDatasetExampleCount"],
    }
    for name, value in rows.items():
        print(f"{name:<40} {value:>20}")


if __name__ == "__main__":
    sys.exit(main())
