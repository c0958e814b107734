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

from engine.training.chat_template import Chat, Message

ROLES = {"user": "user", "model": "assistant", "assistant": "assistant", "system": "system"}


class Unusable(ValueError):
    """Why an example cannot be learned from: names the place and says what to do."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A rendered conversation: `target[i]` tells whether `ids[i]` is the model's to predict."""

    ids: list[int]
    target: list[bool]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Example:
    """One line of the file; several sequences where its template forces one for each turn of the model."""

    messages: list[Message]
    sequences: list[Tokens]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A line that is not learned from; lines count from 1."""

    index: int
    reason: str


@dataclass(slots=True)
class Dataset:
    examples: list[Example] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)

    @property
    def sequences(self) -> list[Tokens]:
        return [sequence for example in self.examples for sequence in example.sequences]


def read(path: Path, chat: Chat, limit: int, beat: Callable[[], None] = lambda: None) -> Dataset:
    """The examples of the file that fit whole in `limit` tokens, and why the other lines do not serve.

    `beat` is called before each line.
    """
    dataset = Dataset()
    for index, line in _lines(path):
        beat()
        try:
            messages = parse(line)
            dataset.examples.append(Example(messages, encode(messages, chat, limit)))
        except Unusable as reason:
            dataset.dropped.append(Dropped(index, str(reason)))
    return dataset


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that hold something. Cut at newlines only: U+2028 and others may stand inside a text."""
    with path.open("rb") as file:
        for index, line in enumerate(file, start=1):
            content = (line.removeprefix(b"\xef\xbb\xbf") if index == 1 else line).strip(b" \t\r\n")
            if content:
                yield index, content


def parse(line: bytes) -> list[Message]:
    """The messages of one line, in Gemini's form or in the older form with `messages`.

    Raises: Unusable
    """
    example = _load(line)
    if "messages" in example and "contents" not in example:
        messages = [_old_message(message, f"messages[{n}]") for n, message in _listed(example, "messages")]
    else:
        messages = [_message(content, f"contents[{n}]") for n, content in _listed(example, "contents")]
        system = example.get("systemInstruction", example.get("system_instruction"))
        if system is not None:
            messages.insert(0, Message(role="system", content=_text(system, "systemInstruction")))
    _check_turns(messages)
    return messages


def _load(line: bytes) -> dict[str, Any]:
    try:
        example = json.loads(line.decode())
    except UnicodeDecodeError:
        raise Unusable("The line is not UTF-8: save the file as UTF-8.") from None
    except RecursionError:
        raise Unusable("The line is nested too deep.") from None
    except ValueError as error:
        raise Unusable(f"The line is not JSON: {error}.") from None
    if not isinstance(example, dict):
        raise Unusable("The line is not a JSON object: write one {...} a line.")
    return example


def _listed(example: dict[str, Any], key: str) -> list[tuple[int, Any]]:
    items = example.get(key)
    if not isinstance(items, list) or not items:
        raise Unusable(f"{key} is missing or empty: list the messages of the conversation there.")
    return list(enumerate(items))


def _message(content: Any, where: str) -> Message:
    return Message(role=_role(content, where, ("user", "model")), content=_text(content, where))


def _old_message(message: Any, where: str) -> Message:
    role = _role(message, where, ("system", "user", "model", "assistant"))
    return Message(role=role, content=_some_text(message.get("content"), f"{where}.content"))


def _role(message: Any, where: str, allowed: Sequence[str]) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    if not isinstance(role, str) or role.lower() not in allowed:
        raise Unusable(f"{where}.role is {json.dumps(role)}: use {' or '.join(allowed[-2:])}.")
    return ROLES[role.lower()]


def _text(content: Any, where: str) -> str:
    parts = content.get("parts") if isinstance(content, dict) else None
    parts = [parts] if isinstance(parts, dict) else parts
    if not isinstance(parts, list) or not parts:
        raise Unusable(f"{where}.parts is missing or empty: give it a text.")
    return _some_text("".join(_part(part, f"{where}.parts[{n}]") for n, part in enumerate(parts)), where)


def _part(part: Any, where: str) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    if not isinstance(text, str):
        raise Unusable(f"{where} has no text: this engine learns from text only.")
    return text


def _some_text(text: Any, where: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise Unusable(f"{where} has no text.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unusable(f"{where} holds half of a character (a lone surrogate): write it out whole.") from None
    return text


def _check_turns(messages: list[Message]) -> None:
    turns = [message["role"] for message in messages[messages[0]["role"] == "system" :]]
    if "system" in turns:
        raise Unusable("A system message stands inside the conversation: let it be the first.")
    if not turns or turns[0] != "user":
        raise Unusable("The conversation must start with a message of the user.")
    if turns[-1] != "assistant":
        raise Unusable("The conversation must end with a message of the model, the one to learn.")
    if any(one == next_one for one, next_one in pairwise(turns)):
        raise Unusable("Two messages of one role follow each other: user and model must take turns.")


def encode(messages: list[Message], chat: Chat, limit: int) -> list[Tokens]:
    """The conversation's tokens, those of the model's turns as targets, none of them cut.

    Raises: Unusable
    """
    if sum(len(message["content"]) for message in messages) > limit * chat.longest_token:
        raise Unusable(
            f"The example has far more than the {limit:,} tokens that the base model takes. Shorten it."
        )
    whole = _all_turns(messages, chat)
    sequences = [whole] if whole else [_last_turn(part, chat) for part in _up_to_each_answer(messages)]
    longest = max(map(len, sequences))
    if longest > limit:
        raise Unusable(
            f"The example has {longest:,} tokens; the base model takes at most {limit:,}. Shorten it."
        )
    return sequences


def _up_to_each_answer(messages: list[Message]) -> Iterator[list[Message]]:
    return (messages[: n + 1] for n, message in enumerate(messages) if message["role"] == "assistant")


def _all_turns(messages: list[Message], chat: Chat) -> Tokens | None:
    """One sequence for all turns; None where the template writes a turn otherwise once others follow it."""
    tokens, done = Tokens([], []), ""
    for part in _up_to_each_answer(messages):
        before, after = chat.render(part[:-1], prompt=True), chat.render(part, prompt=False)
        if not before.startswith(done) or not after.startswith(before):
            return None
        _append(tokens, chat, before[len(done) :], after[len(before) :])
        done = after
    return tokens


def _last_turn(messages: list[Message], chat: Chat) -> Tokens:
    before, after = chat.render(messages[:-1], prompt=True), chat.render(messages, prompt=False)
    if not after.startswith(before):
        raise Unusable("The base model's chat template does not show where the model's turn begins.")
    tokens = Tokens([], [])
    _append(tokens, chat, before, after[len(before) :])
    return tokens


def _append(tokens: Tokens, chat: Chat, given: str, answer: str) -> None:
    """Add a part to read and one to learn; what follows the end of the turn (a newline) is only read."""
    given_ids, answer_ids = chat.tokens(given), chat.tokens(answer)
    ends = [n for n, token in enumerate(answer_ids, start=1) if token in chat.stops]
    learned = ends[-1] if ends else len(answer_ids)
    tokens.ids.extend(given_ids + answer_ids)
    tokens.target.extend([False] * len(given_ids) + [True] * learned + [False] * (len(answer_ids) - learned))
