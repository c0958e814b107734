"""Examples of other services, and of Vertex AI's own past, in Gemini's form (pure).

https://platform.openai.com/docs/guides/supervised-fine-tuning#formatting-your-data
https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-prepare
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jobs.datasets.check.example import Conversation, check_conversation, detect_format

RoleTexts = tuple[str, list[str]]
"""A role of Gemini's, or "system", with the texts said."""

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
"""Fields of a message that Gemini's form has no place for."""
UNSUPPORTED_FIELDS = {"tools", "functions", "examples"}
INSTRUCTIONS = ("system", "context")
"""What others call the system instruction where it stands beside the messages."""


class LossyConversion(Exception):
    """Gemini's form has no place for this."""


def convert_example(value: dict[str, Any]) -> dict[str, Any] | None:
    """The example with every text as it was, free of errors; None where something said would get lost.

    Fields that no model reads, such as ids, are left out. Turns of one side that follow each other become
    one turn of several parts.
    """
    try:
        example = build_example(list(extract_messages(value)))
    except LossyConversion:
        return None
    mended = not any(
        finding.severity == "error" for finding in check_conversation(Conversation.from_value(example))
    )
    return example if mended else None


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
    if message.get("weight", 1) != 1:  # 0 keeps a turn out of training, which Gemini's form cannot say
        raise LossyConversion
    role = message.get("role", message.get("author"))
    if not isinstance(role, str) or role.lower() not in ROLES:
        raise LossyConversion
    return ROLES[role.lower()], extract_texts(message.get("content"))


def parse_pair(asked: Any, answered: Any) -> Iterator[RoleTexts]:
    yield "user", extract_texts(asked)
    yield "model", extract_texts(answered)


def extract_texts(content: Any) -> list[str]:
    """A text, or a list of text parts; empty ones say nothing and are left out."""
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


def build_example(said: list[RoleTexts]) -> dict[str, Any]:
    system: list[str] = []
    turns: list[RoleTexts] = []
    for role, texts in said:
        if role == "system":
            if turns:  # an instruction given later does not hold for what was said before
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
