"""The texts of an example, complete or shortened for the screen (pure)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jobs.datasets.check.example import Conversation, Turn
from jobs.datasets.check.excerpt import ELLIPSIS, SAMPLE_TEXT, cut_text
from jobs.datasets.check.lines import BOM, lines
from jobs.datasets.check.report import Finding, Message
from jobs.datasets.diff.fingerprints import parse_conversation

MAX_TURNS = 4
"""Turns shown of a prompt: enough to follow its last question."""
LEAD = 120
"""Characters shown before the first difference of two answers: about two lines."""


@dataclass(frozen=True, slots=True)
class ExampleTexts:
    """`prompt` is everything before the last turn, `answer` the last turn; `earlier` turns are left out."""

    system: str
    prompt: tuple[Message, ...]
    answer: str
    earlier: int = 0

    @classmethod
    def from_conversation(cls, conversation: Conversation) -> ExampleTexts:
        *before, last = conversation.turns
        return cls(
            conversation.system,
            tuple(Message(turn.role, render_turn(turn)) for turn in before),
            render_turn(last),
        )

    def shorten(self) -> ExampleTexts:
        """Return it with its texts cut, and only the last MAX_TURNS turns of the prompt."""
        prompt = tuple(Message(message.role, cut_text(message.text)) for message in self.prompt[-MAX_TURNS:])
        return dataclasses.replace(
            self, system=cut_text(self.system), prompt=prompt, earlier=len(self.prompt) - len(prompt)
        )


def render_turn(turn: Turn) -> str:
    """Return a turn's text, with parts other than text as JSON."""
    parts = [
        part["text"] if isinstance(part.get("text"), str) else json.dumps(part, ensure_ascii=False)
        for part in turn.parts
    ]
    return "".join(parts) if turn.text and len(turn.text) == sum(map(len, parts)) else "\n".join(parts)


def read_texts(chunks: Iterable[bytes], wanted: set[int]) -> dict[int, ExampleTexts]:
    """Return the texts of the `wanted` lines. The file is read up to the last of them."""
    return dict(iter_texts(chunks, sorted(wanted))) if wanted else {}


def iter_texts(chunks: Iterable[bytes], wanted: Iterable[int]) -> Iterator[tuple[int, ExampleTexts]]:
    """Yield (line, texts) of the `wanted` lines, which ascend."""
    waiting = iter(wanted)
    next_one = next(waiting, 0)
    for line in lines(chunks):
        if line.number != next_one:
            continue
        content = line.content.removeprefix(BOM) if line.number == 1 else line.content
        conversation = parse_conversation(content)
        if not isinstance(conversation, Finding):
            yield line.number, ExampleTexts.from_conversation(conversation)
        next_one = next(waiting, 0)
        if not next_one:
            return


def excerpt_answer(text: str, at: int) -> str:
    """Return the part of an answer that is shown: from shortly before `at`, if that is far from the start."""
    start = at - LEAD if at > 2 * LEAD else 0
    return (ELLIPSIS if start else "") + cut_text(text[start : start + SAMPLE_TEXT + 1])
