"""Tuning data: lines of chat in Gemini's form, to tokens and the mask of those that the model is to learn.

https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-prepare
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from engine.training.chat_template import ChatTemplate, Message

ROLES = {"user": "user", "model": "assistant", "assistant": "assistant", "system": "system"}


class UnusableExample(ValueError):
    """An example cannot be used for training; the message names the place and says what to do."""


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """A rendered conversation: `target[i]` tells whether `ids[i]` is the model's to predict."""

    ids: list[int]
    target: list[bool]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Example:
    """One line of the file; several sequences where its template forces one for each turn of the model."""

    messages: list[Message]
    sequences: list[TokenSequence]


@dataclass(frozen=True, slots=True)
class DroppedLine:
    """A line that is not learned from; lines count from 1."""

    index: int
    reason: str


@dataclass(slots=True)
class Dataset:
    examples: list[Example] = field(default_factory=list)
    dropped: list[DroppedLine] = field(default_factory=list)

    @property
    def sequences(self) -> list[TokenSequence]:
        return [sequence for example in self.examples for sequence in example.sequences]


def read_dataset(
    path: Path, chat: ChatTemplate, limit: int, beat: Callable[[], None] = lambda: None
) -> Dataset:
    """The examples of the file that fit whole in `limit` tokens, and why the other lines do not serve.

    `beat` is called before each line.
    """
    dataset = Dataset()
    for index, line in _lines(path):
        beat()
        try:
            messages = parse_example(line)
            dataset.examples.append(Example(messages, encode_example(messages, chat, limit)))
        except UnusableExample as reason:
            dataset.dropped.append(DroppedLine(index, str(reason)))
    return dataset


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that hold something. Cut at newlines only: U+2028 and others may stand inside a text."""
    with path.open("rb") as file:
        for index, line in enumerate(file, start=1):
            content = (line.removeprefix(b"\xef\xbb\xbf") if index == 1 else line).strip(b" \t\r\n")
            if content:
                yield index, content


def parse_example(line: bytes) -> list[Message]:
    """The messages of one line, in Gemini's form or in the older form with `messages`.

    Raises: UnusableExample
    """
    example = _load_json(line)
    if "messages" in example and "contents" not in example:
        messages = [
            _parse_old_message(message, f"messages[{n}]")
            for n, message in _enumerate_items(example, "messages")
        ]
    else:
        messages = [
            _parse_content(content, f"contents[{n}]") for n, content in _enumerate_items(example, "contents")
        ]
        system = example.get("systemInstruction", example.get("system_instruction"))
        if system is not None:
            messages.insert(0, Message(role="system", content=_join_parts(system, "systemInstruction")))
    _check_turns(messages)
    return messages


def _load_json(line: bytes) -> dict[str, Any]:
    try:
        example = json.loads(line.decode())
    except UnicodeDecodeError:
        raise UnusableExample("The line is not valid UTF-8. Save the file as UTF-8.") from None
    except RecursionError:
        raise UnusableExample("The line is nested too deeply.") from None
    except ValueError as error:
        raise UnusableExample(f"The line is not valid JSON: {error}.") from None
    if not isinstance(example, dict):
        raise UnusableExample("The line is not a JSON object. Write one {...} per line.")
    return example


def _enumerate_items(example: dict[str, Any], key: str) -> list[tuple[int, Any]]:
    items = example.get(key)
    if not isinstance(items, list) or not items:
        raise UnusableExample(f"{key} is missing or empty. It must list the messages of the conversation.")
    return list(enumerate(items))


def _parse_content(content: Any, where: str) -> Message:
    return Message(role=_parse_role(content, where, ("user", "model")), content=_join_parts(content, where))


def _parse_old_message(message: Any, where: str) -> Message:
    role = _parse_role(message, where, ("system", "user", "model", "assistant"))
    return Message(role=role, content=_require_text(message.get("content"), f"{where}.content"))


def _parse_role(message: Any, where: str, allowed: Sequence[str]) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    if not isinstance(role, str) or role.lower() not in allowed:
        raise UnusableExample(f"{where}.role is {json.dumps(role)}. Use {' or '.join(allowed[-2:])}.")
    return ROLES[role.lower()]


def _join_parts(content: Any, where: str) -> str:
    parts = content.get("parts") if isinstance(content, dict) else None
    parts = [parts] if isinstance(parts, dict) else parts
    if not isinstance(parts, list) or not parts:
        raise UnusableExample(f"{where}.parts is missing or empty. Add a text part.")
    return _require_text(
        "".join(_part_text(part, f"{where}.parts[{n}]") for n, part in enumerate(parts)), where
    )


def _part_text(part: Any, where: str) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    if not isinstance(text, str):
        raise UnusableExample(f"{where} has no text. This engine learns from text only.")
    return text


def _require_text(text: Any, where: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise UnusableExample(f"{where} has no text.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnusableExample(
            f"{where} contains half of a character (a lone surrogate). Write the whole character."
        ) from None
    return text


def _check_turns(messages: list[Message]) -> None:
    turns = [message["role"] for message in messages[messages[0]["role"] == "system" :]]
    if "system" in turns:
        raise UnusableExample("A system message appears inside the conversation. Put it first.")
    if not turns or turns[0] != "user":
        raise UnusableExample("The conversation must start with a user message.")
    if turns[-1] != "assistant":
        raise UnusableExample("The conversation must end with a model message, the one to learn.")
    if any(one == next_one for one, next_one in pairwise(turns)):
        raise UnusableExample("Two messages in a row have the same role. User and model must take turns.")


def encode_example(messages: list[Message], chat: ChatTemplate, limit: int) -> list[TokenSequence]:
    """The conversation's tokens, those of the model's turns as targets, none of them cut.

    Raises: UnusableExample
    """
    if sum(len(message["content"]) for message in messages) > limit * chat.longest_token:
        raise UnusableExample(
            f"The example has far more than the {limit:,} tokens that the base model accepts. Shorten it."
        )
    whole = _encode_all_turns(messages, chat)
    sequences = [whole] if whole else [_encode_last_turn(part, chat) for part in _iter_prefixes(messages)]
    longest = max(map(len, sequences))
    if longest > limit:
        raise UnusableExample(
            f"The example has {longest:,} tokens; the base model accepts at most {limit:,}. Shorten it."
        )
    return sequences


def _iter_prefixes(messages: list[Message]) -> Iterator[list[Message]]:
    return (messages[: n + 1] for n, message in enumerate(messages) if message["role"] == "assistant")


def _encode_all_turns(messages: list[Message], chat: ChatTemplate) -> TokenSequence | None:
    """One sequence for all turns; None where the template writes a turn otherwise once others follow it."""
    tokens, done = TokenSequence([], []), ""
    for part in _iter_prefixes(messages):
        before, after = chat.render(part[:-1], prompt=True), chat.render(part, prompt=False)
        if not before.startswith(done) or not after.startswith(before):
            return None
        _append_turn(tokens, chat, before[len(done) :], after[len(before) :])
        done = after
    return tokens


def _encode_last_turn(messages: list[Message], chat: ChatTemplate) -> TokenSequence:
    before, after = chat.render(messages[:-1], prompt=True), chat.render(messages, prompt=False)
    if not after.startswith(before):
        raise UnusableExample("The base model's chat template does not show where the model's turn begins.")
    tokens = TokenSequence([], [])
    _append_turn(tokens, chat, before, after[len(before) :])
    return tokens


def _append_turn(tokens: TokenSequence, chat: ChatTemplate, given: str, answer: str) -> None:
    """Add a part to read and one to learn; what follows the end of the turn (a newline) is only read."""
    given_ids, answer_ids = chat.encode_text(given), chat.encode_text(answer)
    ends = [n for n, token in enumerate(answer_ids, start=1) if token in chat.stops]
    learned = ends[-1] if ends else len(answer_ids)
    tokens.ids.extend(given_ids + answer_ids)
    tokens.target.extend([False] * len(given_ids) + [True] * learned + [False] * (len(answer_ids) - learned))
