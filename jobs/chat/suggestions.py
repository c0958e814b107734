"""Sample examples of a job's data -> its system instruction and first messages to try (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from jobs.datasets.check.report import Sample
from jobs.tuning_job_resource import Json, tuning_data_stats

MAX_STARTERS = 3


@dataclass(frozen=True, slots=True)
class Opening:
    """What a conversation about a job begins with."""

    system_instruction: str
    starters: tuple[str, ...]


def opening(samples: Sequence[Sample], remote: Json) -> Opening:
    """`samples` with those that the model has not learned from first. Texts that were cut are no use here."""
    prompts = dict.fromkeys([*first_questions(samples), *remote_questions(remote)])
    systems = (sample.system for sample in samples)
    return Opening(
        next(filter(is_complete, systems), ""),
        tuple(islice(filter(is_complete, prompts), MAX_STARTERS)),
    )


def is_complete(text: str) -> bool:
    """The dataset check cuts long texts with an ellipsis, the service's statistics with three dots."""
    return bool(text.strip()) and not text.endswith(("…", "..."))


def first_questions(samples: Sequence[Sample]) -> Iterator[str]:
    for sample in samples:
        yield next((message.text for message in sample.messages if message.role == "user"), "")


def remote_questions(remote: Json) -> Iterator[str]:
    examples = tuning_data_stats(remote).get("userDatasetExamples")
    for content in examples if isinstance(examples, list) else []:
        if str(content.get("role", "user")).lower() == "user":
            yield "".join(str(part.get("text") or "") for part in content.get("parts") or [])
