"""Examples of other services, and of Vertex AI's own past, in Gemini's form (pure).

https://platform.openai.com/docs/guides/supervised-fine-tuning#formatting-your-data
https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-prepare
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jobs.datasets.check.example import Conversation, other_format, problems_of

Said = tuple[str, list[str]]
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
SAID_BESIDE = {"tool_calls", "function_call", "tool_call_id", "name", "refusal", "audio", "thinking"}
"""Fields of a message that Gemini's form has no place for."""
GIVEN_BESIDE = {"tools", "functions", "examples"}
INSTRUCTIONS = ("system", "context")
"""What others call the system instruction where it stands beside the messages."""


class Lossy(Exception):
    """Gemini's form has no place for this."""


def convert(value: dict[str, Any]) -> dict[str, Any] | None:
    """The example with every text as it was, free of errors; None where something said would get lost.

    Fields that no model reads, such as ids, are left out. Turns of one side that follow each other become
    one turn of several parts.
    """
    try:
        example = example_of(list(said_in(value)))
    except Lossy:
        return None
    mended = not any(finding.severity == "error" for finding in problems_of(Conversation.of(example)))
    return example if mended else None


def said_in(value: dict[str, Any]) -> Iterator[Said]:
    if any(value.get(key) for key in GIVEN_BESIDE):
        raise Lossy
    for key in INSTRUCTIONS:
        if instruction := value.get(key):
            yield "system", texts_of(instruction)
    match other_format(value):
        case "openai_messages" | "legacy_messages":
            yield from map(message_said, value["messages"])
        case "legacy_text_pairs":
            yield from pair_said(value["input_text"], value["output_text"])
        case "prompt_completion":
            yield from pair_said(value["prompt"], value["completion"])
        case _:
            raise Lossy


def message_said(message: Any) -> Said:
    if not isinstance(message, dict) or any(message.get(key) for key in SAID_BESIDE):
        raise Lossy
    if message.get("weight", 1) != 1:  # 0 keeps a turn out of training, which Gemini's form cannot say
        raise Lossy
    role = message.get("role", message.get("author"))
    if not isinstance(role, str) or role.lower() not in ROLES:
        raise Lossy
    return ROLES[role.lower()], texts_of(message.get("content"))


def pair_said(asked: Any, answered: Any) -> Iterator[Said]:
    yield "user", texts_of(asked)
    yield "model", texts_of(answered)


def texts_of(content: Any) -> list[str]:
    """A text, or a list of text parts; empty ones say nothing and are left out."""
    parts = [content] if isinstance(content, str) else content
    if not isinstance(parts, list):
        raise Lossy
    return [text for text in map(text_of, parts) if text]


def text_of(part: Any) -> str:
    if isinstance(part, str):
        return part
    if (
        isinstance(part, dict)
        and part.get("type", "text") in TEXT_PARTS
        and isinstance(part.get("text"), str)
    ):
        return str(part["text"])
    raise Lossy


def example_of(said: list[Said]) -> dict[str, Any]:
    system: list[str] = []
    turns: list[Said] = []
    for role, texts in said:
        if role == "system":
            if turns:  # an instruction given later does not hold for what was said before
                raise Lossy
            system += texts
        elif turns and turns[-1][0] == role:
            turns[-1][1].extend(texts)
        else:
            turns.append((role, list(texts)))
    contents = [{"role": role, "parts": parts_of(texts)} for role, texts in turns]
    instruction = {"systemInstruction": {"parts": parts_of(system)}} if system else {}
    return {**instruction, "contents": contents}


def parts_of(texts: list[str]) -> list[dict[str, str]]:
    return [{"text": text} for text in texts]
