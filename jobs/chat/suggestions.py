"""System instruction and suggested messages of a job, from samples of its data (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from jobs.datasets.check.report import Sample
from jobs.tuning_job_resource import Json, tuning_data_stats

MAX_STARTERS = 3
"""Suggestions that fit side by side above the message box."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The start of a conversation about a job."""

    system_instruction: str
    starters: tuple[str, ...]


def opening(samples: Sequence[Sample], remote: Json) -> Opening:
    """Return the opening.

    `samples` are ordered with validation examples first; truncated texts are skipped.
    """
    prompts = dict.fromkeys([*first_questions(samples), *remote_questions(remote)])
    systems = (sample.system for sample in samples)
    return Opening(
        next(filter(is_complete, systems), ""),
        tuple(islice(filter(is_complete, prompts), MAX_STARTERS)),
    )


def is_complete(text: str) -> bool:
    """Whether a text isn't truncated: the dataset check ends cut texts with "…", the service with "..."."""
    return bool(text.strip()) and not text.endswith(("…", "..."))


def first_questions(samples: Sequence[Sample]) -> Iterator[str]:
    for sample in samples:
        yield next((message.text for message in sample.messages if message.role == "user"), "")


def remote_questions(remote: Json) -> Iterator[str]:
    for content in as_objects(tuning_data_stats(remote).get("userDatasetExamples")):
        if str(content.get("role", "user")).lower() == "user":
            yield "".join(str(part.get("text") or "") for part in as_objects(content.get("parts")))


def as_objects(listed: Any) -> list[Json]:
    """Return the objects of a list, whatever else the service put there."""
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
