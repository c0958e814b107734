"""Jobs for tests: small, and the same each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.queue.job_folder import JobFolder, utc_now
from engine.training.metrics_log import Point
from tests.engine.tiny_base import example, write_lines


def make_color_examples(count: int) -> list[dict[str, Any]]:
    """Examples of two labels and of unequal lengths."""
    labels = ("red", "green")
    return [
        example(f"{'word ' * (number % 5)}{number}", labels[number % 2], system="Say.")
        for number in range(count)
    ]


def new_job(
    folder: Path,
    number: int = 1,
    epochs: int | None = 4,
    train: int | list[dict[str, Any]] = 12,
    validation: int = 6,
    hyper_parameters: dict[str, Any] | None = None,
    pre_tuned: Path | None = None,
    **spec: Any,
) -> JobFolder:
    """A PENDING job under folder/root."""
    training = write_lines(
        folder / f"train-{number}.jsonl", train if isinstance(train, list) else make_color_examples(train)
    )
    held_out = (
        write_lines(folder / f"validation-{number}.jsonl", make_color_examples(validation))
        if validation
        else None
    )
    chosen = {"epochCount": str(epochs)} if epochs else {}
    job = {
        "id": f"{number:019}",
        "createTime": utc_now(),
        "model": "studio-tiny",
        "base": "studio-tiny",
        "request": {
            "supervisedTuningSpec": {"hyperParameters": {**chosen, **(hyper_parameters or {})}, **spec}
        },
    }
    return JobFolder.create(folder / "root", job, training, held_out, pre_tuned)


def values(points: list[Point]) -> list[tuple[str, int, float]]:
    """The points without their times."""
    return [(point["series"], point["step"], point["value"]) for point in points]


def series(folder: JobFolder, name: str) -> dict[int, float]:
    """Step -> value of one series, which must not hold a step twice."""
    found = [(step, value) for one, step, value in values(folder.read_points()) if one == name]
    assert len(found) == len(dict(found)), f"{name} holds a step twice"
    return dict(found)


def weights(folder: JobFolder) -> list[bytes]:
    return [(each.folder / "adapter_model.safetensors").read_bytes() for each in folder.checkpoints()]
