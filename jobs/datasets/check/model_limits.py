"""Compare a checked file with a model's limits: it may suit one model and not another (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from jobs.datasets.check.report import Problem, Report, Severity
from studio.vertex.catalog import BaseModel

Purpose = Literal["training", "validation"]
MIN_EXAMPLES = 16
"""Some models reject smaller files. The reference names no minimum, so this only warns."""
INPUTS = {"file": {"image", "audio", "video", "document"}}


def check_model_limits(
    report: Report, model: BaseModel, purpose: Purpose, ratio: float = 1.0
) -> list[Problem]:
    """`ratio` is the model's tokens per estimated token, where its service has counted some (tokens.py)."""
    return [
        *size_problems(report, model),
        *count_problems(report, model, purpose),
        *length_problems(report, model, ratio),
        *content_problems(report, model),
    ]


def problem(severity: Severity, code: str, line: int = 0, field: str = "", **params: Any) -> Problem:
    return Problem(line, severity, field, code, params)


def size_problems(report: Report, model: BaseModel) -> Iterator[Problem]:
    if report.bytes > model.max_training_bytes:
        yield problem("error", "file_too_big", size=report.bytes, limit=model.max_training_bytes)


def count_problems(report: Report, model: BaseModel, purpose: Purpose) -> Iterator[Problem]:
    count = report.examples
    if purpose == "validation":
        if count > model.max_validation_examples:
            yield problem("error", "validation_too_many", count=count, limit=model.max_validation_examples)
        return
    if count > model.max_training_examples:
        yield problem("error", "training_too_many", count=count, limit=model.max_training_examples)
    if 0 < count < MIN_EXAMPLES:
        yield problem("warning", "very_few", count=count, fewest=MIN_EXAMPLES)
    elif 0 < count < model.recommended_training_examples:
        yield problem("warning", "few", count=count, recommended=model.recommended_training_examples)


def length_problems(report: Report, model: BaseModel, ratio: float) -> Iterator[Problem]:
    """Warn of the longest examples: even a calibrated estimate may be wrong for a single example."""
    limit = model.tokens_per_example
    for line, estimated in report.longest:
        tokens = round(estimated * ratio)
        if limit and tokens > limit:
            yield problem("warning", "example_too_long", line, tokens=tokens, limit=limit)


def content_problems(report: Report, model: BaseModel) -> Iterator[Problem]:
    def find_place(modality: str) -> tuple[int, str]:
        return report.where.get(modality, (0, ""))

    if "file" in report.modalities and not INPUTS["file"] & set(model.modalities):
        yield problem("error", "files_unsupported", *find_place("file"), model=model.id)
    if "function" in report.modalities:
        yield problem("warning", "functions_uncertain", *find_place("function"), model=model.id)
