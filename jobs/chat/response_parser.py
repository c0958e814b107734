"""Parser of a streamed answer: its text, finish reason and token counts (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from jobs.tuning_job_resource import MAX_COUNT
from studio.vertex.storable import make_storable

MAX_WORD = 200
"""Characters of a reason or version; those of Vertex AI have up to 50."""
MAX_COUNTS = 30
"""Token counts of an answer; Vertex AI has six."""
MAX_MESSAGE = 2000
"""Characters of why a prompt was blocked: a few lines."""


@dataclass
class StreamedAnswer:
    """The answer so far. Responses without candidates, content or parts are accepted."""

    text: str = ""
    finish_reason: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    model_version: str = ""
    block_reason: str = ""
    block_message: str = ""
    _half: str = ""

    def add_response(self, element: dict[str, Any]) -> str:
        """Add one GenerateContentResponse and return its text."""
        candidate = get_first_mapping(element.get("candidates"))
        feedback = as_mapping(element.get("promptFeedback"))
        self.finish_reason = cut_word(candidate.get("finishReason")) or self.finish_reason
        self.usage = {**self.usage, **select_counts(as_mapping(element.get("usageMetadata")))}
        self.model_version = cut_word(element.get("modelVersion")) or self.model_version
        self.block_reason = cut_word(feedback.get("blockReason")) or self.block_reason
        self.block_message = cut_word(feedback.get("blockReasonMessage"), MAX_MESSAGE) or self.block_message
        return self._append_text(extract_text(candidate))

    def finish_text(self) -> str:
        """End the stream and return the remaining text: a lone high surrogate becomes U+FFFD."""
        rest, self._half = ("\ufffd" if self._half else ""), ""
        self.text += rest
        return rest

    def _append_text(self, text: str) -> str:
        """Append text, holding back a trailing high surrogate until its low surrogate arrives."""
        text = self._half + text
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        delta = make_storable(text.removesuffix(self._half) if self._half else text)
        self.text += delta
        return delta


def extract_text(candidate: dict[str, Any]) -> str:
    """Return the text of all parts except the model's thoughts."""
    parts = as_mapping(candidate.get("content")).get("parts")
    objects = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return "".join(str(part["text"]) for part in objects if part.get("text") and not part.get("thought"))


def cut_word(value: Any, most: int = MAX_WORD) -> str:
    """Return a text of the service in a length that a row holds; blank if there is none."""
    return make_storable(str(value))[:most] if value else ""


def select_counts(usage: dict[str, Any]) -> dict[str, Any]:
    """Return the token counts. Details by modality, and whatever is no count, are not kept."""
    counts = ((key, n) for key, n in usage.items() if isinstance(n, int) and abs(n) <= MAX_COUNT)
    return {key[:MAX_WORD]: n for key, n in islice(counts, MAX_COUNTS)}


def get_first_mapping(items: Any) -> dict[str, Any]:
    return as_mapping(items[0]) if isinstance(items, list) and items else {}


def as_mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
