"""The texts of an example, whole and as they are shown (pure)."""

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
LEAD = 120
"""Characters shown before the first one that differs."""


@dataclass(frozen=True, slots=True)
class ExampleTexts:
    """`prompt` is everything before the last turn, `answer` is the last one; `earlier` turns are left out."""

    system: str
    prompt: tuple[Message, ...]
    answer: str
    earlier: int = 0

    @classmethod
    def from_conversation(cls, said: Conversation) -> ExampleTexts:
        *before, last = said.turns
        return cls(
            said.system, tuple(Message(turn.role, render_turn(turn)) for turn in before), render_turn(last)
        )

    def shorten(self) -> ExampleTexts:
        """With the texts cut, and the first turns left out where there are many."""
        prompt = tuple(Message(message.role, cut_text(message.text)) for message in self.prompt[-MAX_TURNS:])
        return dataclasses.replace(
            self, system=cut_text(self.system), prompt=prompt, earlier=len(self.prompt) - len(prompt)
        )


def render_turn(turn: Turn) -> str:
    """Its text; what it holds beside text as JSON."""
    parts = [
        part["text"] if isinstance(part.get("text"), str) else json.dumps(part, ensure_ascii=False)
        for part in turn.parts
    ]
    return "".join(parts) if turn.text and len(turn.text) == sum(map(len, parts)) else "\n".join(parts)


def read_texts(chunks: Iterable[bytes], wanted: set[int]) -> dict[int, ExampleTexts]:
    """What those lines say; the file is read up to the last of them."""
    return dict(iter_texts(chunks, sorted(wanted))) if wanted else {}


def iter_texts(chunks: Iterable[bytes], wanted: Iterable[int]) -> Iterator[tuple[int, ExampleTexts]]:
    """(line, what it says); `wanted` ascend."""
    waiting = iter(wanted)
    next_one = next(waiting, 0)
    for line in lines(chunks):
        if line.number != next_one:
            continue
        content = line.content.removeprefix(BOM) if line.number == 1 else line.content
        said = parse_conversation(content)
        if not isinstance(said, Finding):
            yield line.number, ExampleTexts.from_conversation(said)
        next_one = next(waiting, 0)
        if not next_one:
            return


def excerpt_answer(text: str, at: int) -> str:
    """What is shown of an answer: from a little before `at` on, where that is far from its beginning."""
    start = at - LEAD if at > 2 * LEAD else 0
    return (ELLIPSIS if start else "") + cut_text(text[start : start + SAMPLE_TEXT + 1])
