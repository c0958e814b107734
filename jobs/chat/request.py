"""Request body of generateContent for a conversation (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

BLOCKED_FINISH_REASONS = frozenset(
    {"SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "RECITATION", "MODEL_ARMOR"}
)
"""Finish reasons of answers that were cut off by a filter."""


class Exchange(Protocol):
    """Protocol of one question and its answer, implemented by Turn."""

    prompt: str
    reply: str
    finish_reason: str


class Settings(Protocol):
    """Protocol of the settings, implemented by Conversation. `generation_config` is that of the REST API."""

    system_instruction: str
    generation_config: dict[str, Any]


def build_generate_request(turns: Sequence[Exchange], settings: Settings) -> dict[str, Any]:
    """Return the body with the whole history, ending with the open question: the service stores no history.

    https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
    """
    *past, question = turns
    contents = [content for turn in past if is_worth_sending(turn) for content in exchange(turn)]
    body: dict[str, Any] = {"contents": [*contents, build_content("user", question.prompt)]}
    if settings.system_instruction.strip():
        body["systemInstruction"] = build_content("system", settings.system_instruction)
    if settings.generation_config:
        body["generationConfig"] = dict(settings.generation_config)
    return body


def is_worth_sending(turn: Exchange) -> bool:
    """Whether the turn belongs to the history. Stopped and truncated answers do.

    A question without an answer would break the alternation of user and model, and text rejected by a filter
    would be rejected again with every later question.
    """
    return bool(turn.reply.strip()) and turn.finish_reason not in BLOCKED_FINISH_REASONS


def exchange(turn: Exchange) -> tuple[dict[str, Any], dict[str, Any]]:
    return build_content("user", turn.prompt), build_content("model", turn.reply)


def build_content(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text}]}
