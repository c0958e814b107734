"""Parse one example in Gemini's format and find what is wrong with it (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from jobs.datasets.check.formats import detect_format
from jobs.datasets.check.report import Finding

KNOWN = {"contents", "systemInstruction", "system_instruction", "tools", "toolConfig", "tool_config"} | {
    "generationConfig",
    "generation_config",
}
ASKING = {"user", "function", "tool"}
"""Roles that the model answers. A function's result takes the place of the user's turn."""
ROLES = ASKING | {"model"}
PAYLOADS = {
    "fileData": "file",
    "file_data": "file",
    "inlineData": "file",
    "inline_data": "file",
    "functionCall": "function",
    "function_call": "function",
    "functionResponse": "function",
    "function_response": "function",
}
TURN_FIELDS = {"role", "parts"}
PART_FIELDS = {"text", "videoMetadata", "video_metadata", "thought", "thoughtSignature", "thought_signature"}
FILE_URI = re.compile(r"(?:gs|https?)://[^\s]+")


@dataclass(frozen=True, slots=True)
class Turn:
    """`role` is in lower case, or "" where it is missing; `parts` are those parts that are objects."""

    role: str
    raw: Any
    parts: list[dict[str, Any]]

    @property
    def text(self) -> str:
        return "".join(part["text"] for part in self.parts if isinstance(part.get("text"), str))


@dataclass(frozen=True, slots=True)
class Conversation:
    value: Any
    turns: list[Turn]
    system: str

    @classmethod
    def from_value(cls, value: Any) -> Conversation:
        contents = value.get("contents") if isinstance(value, dict) else None
        turns = [parse_turn(item) for item in contents] if isinstance(contents, list) else []
        instruction = system_instruction(value) if isinstance(value, dict) else None
        return cls(value, turns, parse_turn(instruction).text if isinstance(instruction, dict) else "")

    @property
    def size(self) -> int:
        """Bytes of all texts in UTF-8."""
        return len(self.system.encode()) + sum(len(turn.text.encode()) for turn in self.turns)

    @property
    def modalities(self) -> dict[str, str]:
        """Each modality with the field where it occurs first."""
        found = {"text": ""}
        for place, turn in enumerate(self.turns):
            for number, part in enumerate(turn.parts):
                for key in part.keys() & PAYLOADS.keys():
                    found.setdefault(PAYLOADS[key], f"contents[{place}].parts[{number}].{key}")
        return found


def parse_turn(item: Any) -> Turn:
    if not isinstance(item, dict):
        return Turn("", item, [])
    parts = item.get("parts")
    role = item.get("role")
    return Turn(
        role.lower() if isinstance(role, str) else "",
        item,
        [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else [],
    )


def system_instruction(value: dict[str, Any]) -> Any:
    return value.get("systemInstruction", value.get("system_instruction"))


def check_conversation(conversation: Conversation) -> Iterator[Finding]:
    value = conversation.value
    if not isinstance(value, dict):
        yield error("", "not_object", kind=name_json_type(value))
        return
    if other := detect_format(value):
        yield error("", other)
        return
    yield from unknown_fields("", value, KNOWN)
    if {"systemInstruction", "system_instruction"} <= value.keys():
        yield error("system_instruction", "instruction_twice")
    yield from instruction_problems(system_instruction(value))
    yield from contents_problems(value.get("contents"), conversation.turns)


def error(field: str, code: str, **params: Any) -> Finding:
    return Finding("error", field, code, params)


def name_json_type(value: Any) -> str:
    names = {list: "list", dict: "object", str: "text", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def unknown_fields(place: str, value: dict[str, Any], known: Iterable[str]) -> Iterator[Finding]:
    for key in value:
        if key not in known:
            yield Finding("warning", f"{place}{key[:60]}", "unknown_field", {"key": key[:60]})


def instruction_problems(instruction: Any) -> Iterator[Finding]:
    if instruction is None:
        return
    if not isinstance(instruction, dict) or not isinstance(instruction.get("parts"), list):
        yield error("systemInstruction", "instruction_shape")
    elif not parse_turn(instruction).text.strip():
        yield error("systemInstruction", "instruction_empty")


def contents_problems(contents: Any, turns: list[Turn]) -> Iterator[Finding]:
    if contents is None:
        yield error("contents", "contents_missing")
    elif not isinstance(contents, list):
        yield error("contents", "contents_not_list", kind=name_json_type(contents))
    elif not contents:
        yield error("contents", "contents_empty")
    else:
        for index, turn in enumerate(turns):
            yield from turn_problems(f"contents[{index}]", turn)
        if all(turn.role in ROLES for turn in turns):
            yield from order_problems(turns)


def turn_problems(field: str, turn: Turn) -> Iterator[Finding]:
    if not isinstance(turn.raw, dict):
        yield error(field, "turn_not_object", kind=name_json_type(turn.raw))
        return
    if turn.role not in ROLES:
        yield role_problem(f"{field}.role", turn.raw.get("role"))
    yield from unknown_fields(f"{field}.", turn.raw, TURN_FIELDS)
    parts = turn.raw.get("parts")
    if parts and not isinstance(parts, list):
        yield error(f"{field}.parts", "parts_not_list", kind=name_json_type(parts))
        return
    if not parts:
        yield error(f"{field}.parts", "parts_empty")
        return
    for index, part in enumerate(parts):
        yield from part_problems(f"{field}.parts[{index}]", part)


def role_problem(field: str, role: Any) -> Finding:
    match role:
        case None:
            return error(field, "role_missing")
        case "assistant":
            return error(field, "role_assistant")
        case "system":
            return error(field, "role_system")
        case _:
            return error(field, "role_unknown", role=str(role)[:40])


def part_problems(field: str, part: Any) -> Iterator[Finding]:
    if not isinstance(part, dict):
        yield error(field, "part_not_object", kind=name_json_type(part))
    elif "text" in part:
        yield from unknown_fields(f"{field}.", part, PART_FIELDS | PAYLOADS.keys())
        yield from text_problems(f"{field}.text", part["text"])
    elif not part.keys() & PAYLOADS.keys():
        yield error(field, "part_unknown", keys=", ".join(sorted(part))[:60])
    else:
        yield from file_problems(field, part)


def text_problems(field: str, text: Any) -> Iterator[Finding]:
    if not isinstance(text, str):
        yield error(field, "text_not_text", kind=name_json_type(text))
    elif not text or text.isspace():
        yield error(field, "text_empty")
    elif not is_encodable(text):
        yield error(field, "lone_surrogate")


def is_encodable(text: str) -> bool:
    """Whether the text can be written as UTF-8: it has no lone surrogate, which is half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def file_problems(field: str, part: dict[str, Any]) -> Iterator[Finding]:
    data = part.get("fileData", part.get("file_data"))
    if isinstance(data, dict):
        uri = str(data.get("fileUri", data.get("file_uri", "")))
        if not FILE_URI.fullmatch(uri):
            yield error(f"{field}.fileData.fileUri", "file_uri", uri=uri[:80])


def order_problems(turns: list[Turn]) -> Iterator[Finding]:
    """Yield only the first fault: one wrong turn makes every later turn look wrong."""
    if turns[0].role == "model":
        yield error("contents[0].role", "first_not_user")
        return
    for index in range(1, len(turns)):
        both_model = turns[index - 1].role == turns[index].role == "model"
        both_ask = {turns[index - 1].role, turns[index].role} <= {"user"}
        if both_model or both_ask:
            yield error(f"contents[{index}].role", "role_twice", role=turns[index].role)
            return
    if turns[-1].role != "model":
        yield error(f"contents[{len(turns) - 1}].role", "last_not_model")
