"""The texts of an example, whole and as they are shown (pure)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jobs.datasets.check.example import Conversation, Turn
from jobs.datasets.check.excerpt import ELLIPSIS, SAMPLE_TEXT, cut
from jobs.datasets.check.lines import BOM, lines
from jobs.datasets.check.report import Finding, Message
from jobs.datasets.diff.fingerprints import conversation_of

TURNS_SHOWN = 4
LEAD = 120
"""Characters shown before the first one that differs."""


@dataclass(frozen=True, slots=True)
class Said:
    """`prompt` is everything before the last turn, `answer` is the last one; `earlier` turns are left out."""

    system: str
    prompt: tuple[Message, ...]
    answer: str
    earlier: int = 0

    @classmethod
    def of(cls, said: Conversation) -> Said:
        *before, last = said.turns
        return cls(said.system, tuple(Message(turn.role, words(turn)) for turn in before), words(last))

    def shown(self) -> Said:
        """With the texts cut, and the first turns left out where there are many."""
        prompt = tuple(Message(message.role, cut(message.text)) for message in self.prompt[-TURNS_SHOWN:])
        return dataclasses.replace(
            self, system=cut(self.system), prompt=prompt, earlier=len(self.prompt) - len(prompt)
        )


def words(turn: Turn) -> str:
    """Its text; what it holds beside text as JSON."""
    parts = [
        part["text"] if isinstance(part.get("text"), str) else json.dumps(part, ensure_ascii=False)
        for part in turn.parts
    ]
    return "".join(parts) if turn.text and len(turn.text) == sum(map(len, parts)) else "\n".join(parts)


def said_in(chunks: Iterable[bytes], wanted: set[int]) -> dict[int, Said]:
    """What those lines say; the file is read up to the last of them."""
    return dict(said_lines(chunks, sorted(wanted))) if wanted else {}


def said_lines(chunks: Iterable[bytes], wanted: Iterable[int]) -> Iterator[tuple[int, Said]]:
    """(line, what it says); `wanted` ascend."""
    waiting = iter(wanted)
    next_one = next(waiting, 0)
    for line in lines(chunks):
        if line.number != next_one:
            continue
        content = line.content.removeprefix(BOM) if line.number == 1 else line.content
        said = conversation_of(content)
        if not isinstance(said, Finding):
            yield line.number, Said.of(said)
        next_one = next(waiting, 0)
        if not next_one:
            return


def excerpt(text: str, at: int) -> str:
    """What is shown of an answer: from a little before `at` on, where that is far from its beginning."""
    start = at - LEAD if at > 2 * LEAD else 0
    return (ELLIPSIS if start else "") + cut(text[start : start + SAMPLE_TEXT + 1])
