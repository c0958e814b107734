"""Texts of plain examples -> a size, turns and two hashes for each example (pure).

Equal prompts have equal hashes, and so have equal answers, in one process: Python salts them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.datasets.figures import Figures
from jobs.datasets.plain import LATER, SYSTEM, UNUSUAL, count_keys, plain
from jobs.datasets.repeats import Repeats

PENDING = 2**14
FACTOR = 0x9E3779B97F4A7C15
WEIGHTS = np.multiply.accumulate(np.full(4096, FACTOR, np.uint64))
"""A prompt's hash is the sum of its texts' hashes, each times the weight of its place."""
QUESTION_WEIGHTS, ANSWER_WEIGHTS = WEIGHTS[::2], WEIGHTS[1::2]
ONE_BY_ONE = WEIGHTS.tolist()
WORD = 2**64


@dataclass(slots=True)
class Rows:
    """Questions with their answers, as `plain` has kinds of them; sizes are in bytes of UTF-8."""

    kinds: bytearray = field(default_factory=bytearray)
    asked: list[int] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    questions: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, kinds: bytes | bytearray, asked: list[str], answered: list[str]) -> Rows:
        """Raises ValueError for an empty text."""
        rows = cls(bytearray(kinds), sizes(asked), sizes(answered))
        if 0 in rows.asked or rows.answered.count(0) != kinds.count(SYSTEM):
            raise ValueError
        rows.questions, rows.answers = [*map(hash, asked)], [*map(hash, answered)]
        return rows

    def extend(self, more: Rows) -> None:
        self.kinds += more.kinds
        self.asked += more.asked
        self.answered += more.answered
        self.questions += more.questions
        self.answers += more.answers


class Tally:
    """Hands on what it knows of examples, by many at once and in order."""

    def __init__(self, figures: Figures, repeats: Repeats) -> None:
        self.figures, self.repeats = figures, repeats
        self.lines: list[int] = []
        self.rows = Rows()

    def extend(self, lines: Iterable[int], rows: Rows) -> None:
        self.lines.extend(lines)
        self.rows.extend(rows)
        if len(self.rows.kinds) >= PENDING:
            self.flush()

    def flush(self) -> None:
        if not self.lines:
            return
        lines, rows = self.lines, self.rows
        self.lines, self.rows = [], Rows()
        found = examples_of(rows)
        self.figures.extend(lines, (found.asked + found.answered).tolist(), found.turns.tolist())
        self.repeats.extend(lines, found.prompts.tolist(), found.answers.tolist())


@dataclass(frozen=True, slots=True)
class Examples:
    """One entry for each example: bytes that are asked and answered, and those of the last answer alone, how
    many turns, and the hashes of all but the last turn, and of the last turn."""

    asked: NDArray[np.int64]
    answered: NDArray[np.int64]
    last_answered: NDArray[np.int64]
    turns: NDArray[np.int64]
    prompts: NDArray[np.int64]
    answers: NDArray[np.int64]


def examples_of(rows: Rows) -> Examples:
    """Of at least one example."""
    kinds = np.frombuffer(rows.kinds, np.uint8)
    starts = np.flatnonzero(kinds != LATER)
    counts = np.diff(starts, append=len(kinds))
    instructed = kinds[starts] == SYSTEM
    asked, answered = np.array(rows.asked, np.int64), np.array(rows.answered, np.int64)
    questions, answers = (
        np.array(column, np.int64).view(np.uint64) for column in (rows.questions, rows.answers)
    )
    last = starts + counts - 1
    final = answers[last]
    answers[last] = 0
    # A first question has the same place with a system instruction as without.
    place = np.arange(len(kinds)) - np.repeat(starts - 1 + instructed, counts)
    weighted = questions * QUESTION_WEIGHTS.take(place, mode="wrap")
    weighted += answers * ANSWER_WEIGHTS.take(place, mode="wrap")
    return Examples(
        asked=np.add.reduceat(asked, starts),
        answered=np.add.reduceat(answered, starts),
        last_answered=answered[last],
        turns=2 * (counts - instructed),
        prompts=np.add.reduceat(weighted, starts).view(np.int64),
        answers=final.view(np.int64),
    )


def sizes(texts: list[str]) -> list[int]:
    return [len(text) if text.isascii() else len(text.encode()) for text in texts]


def digests(value: Any) -> tuple[int, int]:
    """Hashes of one example of whatever shape: of all but the last turn, and of the last turn."""
    try:
        texts, keys = plain(value)
        if keys != count_keys(value):
            raise ValueError
    except UNUSUAL:
        *before, last = value["contents"]
        return hash(written({**value, "contents": before})), hash(written(last))
    answer = texts.pop()
    weights = cycle(ONE_BY_ONE)
    if len(texts) == 1 or texts[1]:
        next(weights), next(weights)
    prompt = sum(hash(text) * weight for text, weight in zip(texts, weights, strict=False)) % WORD
    return (prompt if prompt < WORD // 2 else prompt - WORD), hash(answer)


def written(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
