"""The formats of other services that a dataset may be in, and how a line is recognized."""

from __future__ import annotations

from typing import Any

FORMATS = ("openai_messages", "legacy_messages", "legacy_text_pairs", "prompt_completion")
"""Formats other than Gemini's, by the code of their problem."""


def detect_format(value: dict[str, Any]) -> str | None:
    """Recognize the formats of other services and the older ones of Vertex AI; None for Gemini's and unknown
    ones."""
    if "contents" in value:
        return None
    if isinstance(messages := value.get("messages"), list):
        roles = {str(message.get("role")) for message in messages if isinstance(message, dict)}
        return "openai_messages" if "assistant" in roles else "legacy_messages"
    if {"input_text", "output_text"} <= value.keys():
        return "legacy_text_pairs"
    if {"prompt", "completion"} <= value.keys():
        return "prompt_completion"
    return None
