"""Read one file for a comparison with another: hashes and sizes of each example, in arrays (pure).

An example is a usable line. Lines that say the same have the same hashes, however they are written: the order
of keys, `system_instruction`, fields that no model reads, and a text in one part or in two don't matter.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jobs.datasets.check.checker import detect_non_text, make_long_line_problem, problem
from jobs.datasets.check.distributions import Histogram
from jobs.datasets.check.example import Conversation, Turn, check_conversation
from jobs.datasets.check.fast_path.block_counter import count_block
from jobs.datasets.check.fast_path.columns import ExampleColumns, Ints, build_examples, hash_example
from jobs.datasets.check.fast_path.line_template import LineTemplate
from jobs.datasets.check.json_line import UnreadableLine, parse_line
from jobs.datasets.check.lines import BOM, Block, blocks
from jobs.datasets.check.report import Finding, Problem
from jobs.datasets.check.tokens import BYTES_PER_TOKEN

MAX_BROKEN = 20
"""Broken lines that are listed: as many as a report has of one code."""
SHORT = 80
"""Bytes up to which an answer may be a label, such as the name of a class, and is counted as one."""
CONFIG_FIELDS = (
    ("tools", "tools"),
    ("toolConfig", "tool_config"),
    ("generationConfig", "generation_config"),
)
"""Fields beside the conversation that a model reads, in both spellings."""


@dataclass(frozen=True, slots=True)
class Columns:
    """One entry for each example. `short` is true if its answer may be a label."""

    lines: Ints
    prompts: Ints
    answers: Ints
    short: NDArray[np.bool_]

    def select(self, chosen: NDArray[Any]) -> Columns:
        return Columns(*(column[chosen] for column in (self.lines, self.prompts, self.answers, self.short)))


@dataclass(slots=True)
class Fingerprints:
    """`broken` counts the lines that are not examples; `problems` has the first fault of the first ones. A
    file that is not text has one problem, at line 0."""

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
        """The columns in the order of the lines."""
        lines = np.array(self.lines, np.int64)
        found = Columns(
            lines,
            np.array(self.prompts, np.int64),
            np.array(self.answers, np.int64),
            np.array(self.short, np.bool_),
        )
        return found if (lines[1:] > lines[:-1]).all() else found.select(np.argsort(lines))

    def add_examples(self, lines: ArrayLike, found: ExampleColumns) -> None:
        self.lines.frombytes(np.asarray(lines, np.uint32).tobytes())
        self.prompts.frombytes(found.prompts.tobytes())
        self.answers.frombytes(found.answers.tobytes())
        self.short += (found.last_answered <= SHORT).tobytes()
        self.asked.add(-(-found.asked // BYTES_PER_TOKEN))
        self.answered.add(-(-found.answered // BYTES_PER_TOKEN))
        self.turns.add(found.turns)

    def add_broken(self, fault: Problem) -> None:
        self.broken += 1
        if len(self.problems) < MAX_BROKEN:
            self.problems.append(fault)


def fingerprint_file(chunks: Iterable[bytes]) -> Fingerprints:
    """`chunks` are the file's bytes in order, of any sizes."""
    found = Fingerprints()
    spelling = LineTemplate()
    for block in blocks(chunks):
        if block.number == 1 and (trouble := detect_non_text(block.lines[0])):
            found.add_broken(problem(0, trouble))
            break
        add_block(found, block, spelling)
    return found


def add_block(found: Fingerprints, block: Block, spelling: LineTemplate) -> None:
    if block.too_long:
        found.add_broken(make_long_line_problem(block))
        return
    if block.number == 1 and block.content.startswith(BOM):
        block = Block(1, block.content.removeprefix(BOM), block.count)
    for each in count_block(block, spelling):
        if len(each.lines):
            found.add_examples(each.lines, build_examples(each.rows))
        for number, content in each.others:
            add_line(found, number, content)


def add_line(found: Fingerprints, number: int, content: bytes) -> None:
    if not content.strip(b" \t\r"):
        return
    conversation = parse_conversation(content)
    if isinstance(conversation, Finding):
        found.add_broken(problem(number, conversation))
        return
    found.add_examples([number], measure_example(conversation))


def parse_conversation(content: bytes) -> Conversation | Finding:
    """Return the conversation of a line, or why the line is not usable."""
    try:
        conversation = Conversation.from_value(parse_line(content))
    except UnreadableLine as trouble:
        return trouble.finding
    errors = (finding for finding in check_conversation(conversation) if finding.severity == "error")
    return next(errors, conversation)


def measure_example(conversation: Conversation) -> ExampleColumns:
    prompt, answer = hash_example(canonicalize(conversation))
    answered = sum(count_text_bytes(turn) for turn in conversation.turns if turn.role == "model")
    columns = (
        conversation.size - answered,
        answered,
        count_text_bytes(conversation.turns[-1]),
        len(conversation.turns),
        prompt,
        answer,
    )
    return ExampleColumns(*(np.array([value], np.int64) for value in columns))


def count_text_bytes(turn: Turn) -> int:
    return len(turn.text.encode())


def canonicalize(conversation: Conversation) -> dict[str, Any]:
    """Return the example without fields that no model reads, and in one spelling."""
    value = conversation.value
    plain = {"systemInstruction": {"parts": [{"text": conversation.system}]}} if conversation.system else {}
    beside = {
        name: value.get(name, value.get(other))
        for name, other in CONFIG_FIELDS
        if value.get(name, value.get(other))
    }
    contents = [{"role": turn.role, "parts": list(merge_text_parts(turn))} for turn in conversation.turns]
    return {**plain, **beside, "contents": contents}


def merge_text_parts(turn: Turn) -> Iterator[dict[str, Any]]:
    """Join consecutive text parts."""
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
