"""One file -> what it takes to compare it with another: hashes and sizes of each example, in arrays (pure).

An example is a line that can be learned from. What two lines say alike has the same hashes, however they are
written: the order of keys, `system_instruction`, fields that no model reads, a text in one part or in two.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jobs.datasets.check.checker import not_text, problem, too_long
from jobs.datasets.check.distributions import Histogram
from jobs.datasets.check.example import Conversation, Turn, problems_of
from jobs.datasets.check.fast_path.block_counter import count
from jobs.datasets.check.fast_path.columns import Examples, Ints, digests, examples_of
from jobs.datasets.check.fast_path.line_template import Spelling
from jobs.datasets.check.json_line import Unreadable, parse
from jobs.datasets.check.lines import BOM, Block, blocks
from jobs.datasets.check.report import Finding, Problem
from jobs.datasets.check.tokens import BYTES_PER_TOKEN

BROKEN_KEPT = 20
SHORT = 80
"""Bytes up to which an answer may be a label."""
GIVEN_BESIDE = (
    ("tools", "tools"),
    ("toolConfig", "tool_config"),
    ("generationConfig", "generation_config"),
)
"""What an example says beside its conversation, in both spellings."""


@dataclass(frozen=True, slots=True)
class Columns:
    """One entry for each example. `short` tells whether its answer may be a label."""

    lines: Ints
    prompts: Ints
    answers: Ints
    short: NDArray[np.bool_]

    def of(self, chosen: NDArray[Any]) -> Columns:
        return Columns(*(column[chosen] for column in (self.lines, self.prompts, self.answers, self.short)))


@dataclass(slots=True)
class Digest:
    """`broken` lines are no examples: how many, and the first of them, each with its first fault; what is no
    text at all is one of line 0."""

    lines: array[int] = field(default_factory=lambda: array("I"))
    prompts: array[int] = field(default_factory=lambda: array("q"))
    answers: array[int] = field(default_factory=lambda: array("q"))
    short: bytearray = field(default_factory=bytearray)
    asked: Histogram = field(default_factory=Histogram)
    answered: Histogram = field(default_factory=Histogram)
    turns: Histogram = field(default_factory=Histogram)
    broken: int = 0
    problems: list[Problem] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def columns(self) -> Columns:
        """In the order of the lines."""
        lines = np.array(self.lines, np.int64)
        found = Columns(
            lines,
            np.array(self.prompts, np.int64),
            np.array(self.answers, np.int64),
            np.array(self.short, np.bool_),
        )
        return found if (lines[1:] > lines[:-1]).all() else found.of(np.argsort(lines))

    def take(self, lines: ArrayLike, found: Examples) -> None:
        self.lines.frombytes(np.asarray(lines, np.uint32).tobytes())
        self.prompts.frombytes(found.prompts.tobytes())
        self.answers.frombytes(found.answers.tobytes())
        self.short += (found.last_answered <= SHORT).tobytes()
        self.asked.add(-(-found.asked // BYTES_PER_TOKEN))
        self.answered.add(-(-found.answered // BYTES_PER_TOKEN))
        self.turns.add(found.turns)

    def take_broken(self, fault: Problem) -> None:
        self.broken += 1
        if len(self.problems) < BROKEN_KEPT:
            self.problems.append(fault)


def digest(chunks: Iterable[bytes]) -> Digest:
    """`chunks` are the file's bytes in order, cut anywhere."""
    found = Digest()
    spelling = Spelling()
    for block in blocks(chunks):
        if block.number == 1 and (trouble := not_text(block.lines[0])):
            found.take_broken(problem(0, trouble))
            break
        take_block(found, block, spelling)
    return found


def take_block(found: Digest, block: Block, spelling: Spelling) -> None:
    if block.too_long:
        found.take_broken(too_long(block))
        return
    if block.number == 1 and block.content.startswith(BOM):
        block = Block(1, block.content.removeprefix(BOM), block.count)
    for each in count(block, spelling):
        if len(each.lines):
            found.take(each.lines, examples_of(each.rows))
        for number, content in each.others:
            take_line(found, number, content)


def take_line(found: Digest, number: int, content: bytes) -> None:
    if not content.strip(b" \t\r"):
        return
    said = conversation_of(content)
    if isinstance(said, Finding):
        found.take_broken(problem(number, said))
        return
    found.take([number], one_example(said))


def conversation_of(content: bytes) -> Conversation | Finding:
    """What a line says, or why it cannot be learned from."""
    try:
        conversation = Conversation.of(parse(content))
    except Unreadable as trouble:
        return trouble.finding
    errors = (finding for finding in problems_of(conversation) if finding.severity == "error")
    return next(errors, conversation)


def one_example(said: Conversation) -> Examples:
    prompt, answer = digests(canonical(said))
    answered = sum(size(turn) for turn in said.turns if turn.role == "model")
    columns = (said.size - answered, answered, size(said.turns[-1]), len(said.turns), prompt, answer)
    return Examples(*(np.array([value], np.int64) for value in columns))


def size(turn: Turn) -> int:
    return len(turn.text.encode())


def canonical(said: Conversation) -> dict[str, Any]:
    """The example without what does not count: fields that nobody reads, and the spelling of the others."""
    value = said.value
    plain = {"systemInstruction": {"parts": [{"text": said.system}]}} if said.system else {}
    beside = {
        name: value.get(name, value.get(other))
        for name, other in GIVEN_BESIDE
        if value.get(name, value.get(other))
    }
    contents = [{"role": turn.role, "parts": list(parts_of(turn))} for turn in said.turns]
    return {**plain, **beside, "contents": contents}


def parts_of(turn: Turn) -> Iterator[dict[str, Any]]:
    """Texts that follow each other are one."""
    text = ""
    for part in turn.parts:
        if part.keys() == {"text"}:
            text += part["text"]
            continue
        if text:
            yield {"text": text}
        text = ""
        yield part
    if text:
        yield {"text": text}
