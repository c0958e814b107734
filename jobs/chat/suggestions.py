"""System instruction and suggested messages of a job, from samples of its data (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

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
    examples = tuning_data_stats(remote).get("userDatasetExamples")
    for content in examples if isinstance(examples, list) else []:
        if str(content.get("role", "user")).lower() == "user":
            yield "".join(str(part.get("text") or "") for part in content.get("parts") or [])
