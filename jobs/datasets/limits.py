"""What a model's limits say about a checked file: it may serve one model and not another (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from jobs.datasets.report import Problem, Report, Severity
from studio.vertex.catalog import BaseModel

Purpose = Literal["training", "validation"]
FEWEST = 16
CHARACTERS_PER_TOKEN = 4
"""About; a tokenizer is not asked here, so what follows from it only warns."""
INPUTS = {"file": {"image", "audio", "video", "document"}}


def judge(report: Report, model: BaseModel, purpose: Purpose) -> list[Problem]:
    return [
        *size_problems(report, model),
        *count_problems(report, model, purpose),
        *content_problems(report, model),
    ]


def problem(severity: Severity, code: str, line: int = 0, **params: Any) -> Problem:
    return Problem(line, severity, "", code, params)


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
    if 0 < count < FEWEST:
        yield problem("warning", "very_few", count=count, fewest=FEWEST)
    elif 0 < count < model.recommended_training_examples:
        yield problem("warning", "few", count=count, recommended=model.recommended_training_examples)


def content_problems(report: Report, model: BaseModel) -> Iterator[Problem]:
    tokens = report.longest // CHARACTERS_PER_TOKEN
    if model.tokens_per_example and tokens > model.tokens_per_example:
        yield problem(
            "warning", "example_too_long", report.longest_line, tokens=tokens, limit=model.tokens_per_example
        )
    if "file" in report.modalities and not INPUTS["file"] & set(model.modalities):
        yield problem("error", "files_unsupported", model=model.id)
    if "function" in report.modalities:
        yield problem("warning", "functions_uncertain", model=model.id)
