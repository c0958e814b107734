"""Convert examples of other services, and older ones of Vertex AI, to Gemini's format (pure).

https://platform.openai.com/docs/guides/supervised-fine-tuning#formatting-your-data
https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-prepare
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jobs.datasets.check.example import Conversation, check_conversation
from jobs.datasets.check.formats import detect_format

RoleTexts = tuple[str, list[str]]
"""One of Gemini's roles, or "system", with its texts."""

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "model",
    "model": "model",
    "bot": "model",
}
TEXT_PARTS = {"text", "input_text", "output_text"}
UNSUPPORTED_MESSAGE_FIELDS = {
    "tool_calls",
    "function_call",
    "tool_call_id",
    "name",
    "refusal",
    "audio",
    "thinking",
}
"""Fields of a message that Gemini's format has no place for."""
UNSUPPORTED_FIELDS = {"tools", "functions", "examples"}
INSTRUCTIONS = ("system", "context")
"""Names of a system instruction outside the messages."""


class LossyConversion(Exception):
    """Gemini's format has no place for part of the example."""


def convert_example(value: dict[str, Any]) -> dict[str, Any] | None:
    """Return the example with all its texts, and without errors; None where a text would get lost.

    Fields that no model reads, such as ids, are left out. Consecutive turns of one role become one turn with
    several parts.
    """
    try:
        example = build_example(list(extract_messages(value)))
    except LossyConversion:
        return None
    has_errors = any(
        finding.severity == "error" for finding in check_conversation(Conversation.from_value(example))
    )
    return None if has_errors else example


def extract_messages(value: dict[str, Any]) -> Iterator[RoleTexts]:
    if any(value.get(key) for key in UNSUPPORTED_FIELDS):
        raise LossyConversion
    for key in INSTRUCTIONS:
        if instruction := value.get(key):
            yield "system", extract_texts(instruction)
    match detect_format(value):
        case "openai_messages" | "legacy_messages":
            yield from map(parse_message, value["messages"])
        case "legacy_text_pairs":
            yield from parse_pair(value["input_text"], value["output_text"])
        case "prompt_completion":
            yield from parse_pair(value["prompt"], value["completion"])
        case _:
            raise LossyConversion


def parse_message(message: Any) -> RoleTexts:
    if not isinstance(message, dict) or any(message.get(key) for key in UNSUPPORTED_MESSAGE_FIELDS):
        raise LossyConversion
    if message.get("weight", 1) != 1:  # 0 excludes a turn from training, which Gemini's format can't express
        raise LossyConversion
    role = message.get("role", message.get("author"))
    if not isinstance(role, str) or role.lower() not in ROLES:
        raise LossyConversion
    return ROLES[role.lower()], extract_texts(message.get("content"))


def parse_pair(asked: Any, answered: Any) -> Iterator[RoleTexts]:
    yield "user", extract_texts(asked)
    yield "model", extract_texts(answered)


def extract_texts(content: Any) -> list[str]:
    """Return the texts of a text or of a list of text parts, without empty ones."""
    parts = [content] if isinstance(content, str) else content
    if not isinstance(parts, list):
        raise LossyConversion
    return [text for text in map(extract_text, parts) if text]


def extract_text(part: Any) -> str:
    if isinstance(part, str):
        return part
    if (
        isinstance(part, dict)
        and part.get("type", "text") in TEXT_PARTS
        and isinstance(part.get("text"), str)
    ):
        return str(part["text"])
    raise LossyConversion


def build_example(messages: list[RoleTexts]) -> dict[str, Any]:
    system: list[str] = []
    turns: list[RoleTexts] = []
    for role, texts in messages:
        if role == "system":
            if turns:  # a later instruction doesn't apply to the turns before it
                raise LossyConversion
            system += texts
        elif turns and turns[-1][0] == role:
            turns[-1][1].extend(texts)
        else:
            turns.append((role, list(texts)))
    contents = [{"role": role, "parts": build_parts(texts)} for role, texts in turns]
    instruction = {"systemInstruction": {"parts": build_parts(system)}} if system else {}
    return {**instruction, "contents": contents}


def build_parts(texts: list[str]) -> list[dict[str, str]]:
    return [{"text": text} for text in texts]
