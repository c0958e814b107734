"""Turn the texts of plain examples into columns: size, turns and two hashes for each example (pure).

Within one process, equal prompts have equal hashes, and so have equal answers. Python salts its hashes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.datasets.check.distributions import LengthStats
from jobs.datasets.check.duplicates import DuplicateFinder
from jobs.datasets.check.fast_path.plain_example import (
    LATER,
    NOT_PLAIN,
    SYSTEM,
    count_keys,
    extract_plain_texts,
)

Ints = NDArray[np.int64]
PENDING = 2**14
"""Rows collected before they are added up: for fewer, numpy's calls cost more than the sums."""
FACTOR = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio, an odd number whose powers spread over all 64 bits."""
WEIGHTS = np.multiply.accumulate(np.full(4096, FACTOR, np.uint64))
"""A prompt's hash is the sum of its texts' hashes, each times the weight of its place. After 4,096 texts,
more than conversations have, the weights repeat."""
QUESTION_WEIGHTS, ANSWER_WEIGHTS = WEIGHTS[::2], WEIGHTS[1::2]
ONE_BY_ONE = WEIGHTS.tolist()
WORD = 2**64


def empty_ints() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Rows:
    """Questions with their answers, of the kinds in plain_example.py: sizes in bytes of UTF-8, and hashes."""

    kinds: bytes = b""
    asked: Ints = field(default_factory=empty_ints)
    answered: Ints = field(default_factory=empty_ints)
    questions: Ints = field(default_factory=empty_ints)
    answers: Ints = field(default_factory=empty_ints)

    @classmethod
    def from_texts(cls, kinds: bytes, asked: list[str], answered: list[str]) -> Rows:
        """Raises ValueError if a text is empty."""
        lengths = count_bytes(asked), count_bytes(answered)
        if 0 in lengths[0] or lengths[1].count(0) != kinds.count(SYSTEM):
            raise ValueError
        columns = [np.array(column, np.int64) for column in lengths]
        return cls(kinds, columns[0], columns[1], hash_texts(asked), hash_texts(answered))

    @classmethod
    def concatenate(cls, parts: list[Rows]) -> Rows:
        return cls(
            b"".join(part.kinds for part in parts),
            np.concatenate([part.asked for part in parts]),
            np.concatenate([part.answered for part in parts]),
            np.concatenate([part.questions for part in parts]),
            np.concatenate([part.answers for part in parts]),
        )


class ExampleBuffer:
    """Collects plain examples, and passes them on many at a time and in order."""

    def __init__(self, figures: LengthStats, repeats: DuplicateFinder) -> None:
        self.figures, self.repeats = figures, repeats
        self.lines: list[Ints] = []
        self.rows: list[Rows] = []
        self.count = 0

    def extend(self, lines: Ints, rows: Rows) -> None:
        if not len(lines):
            return
        self.lines.append(lines)
        self.rows.append(rows)
        self.count += len(rows.kinds)
        if self.count >= PENDING:
            self.flush()

    def flush(self) -> None:
        if not self.count:
            return
        lines, found = np.concatenate(self.lines), build_examples(Rows.concatenate(self.rows))
        self.lines, self.rows, self.count = [], [], 0
        self.figures.extend(lines, found.asked + found.answered, found.turns)
        self.repeats.extend(lines, found.prompts, found.answers)


@dataclass(frozen=True, slots=True)
class ExampleColumns:
    """One entry for each example: bytes of everything asked, of everything answered and of the last answer,
    the number of turns, and the hashes of all but the last turn and of the last turn."""

    asked: Ints
    answered: Ints
    last_answered: Ints
    turns: Ints
    prompts: Ints
    answers: Ints


def build_examples(rows: Rows) -> ExampleColumns:
    """Combine the rows of at least one example."""
    kinds = np.frombuffer(rows.kinds, np.uint8)
    starts = np.flatnonzero(kinds != LATER)
    counts = np.diff(starts, append=len(kinds))
    instructed = kinds[starts] == SYSTEM
    questions, answers = rows.questions.view(np.uint64), rows.answers.view(np.uint64).copy()
    last = starts + counts - 1
    final = answers[last]
    answers[last] = 0
    # A system instruction does not shift the places of the questions.
    place = np.arange(len(kinds)) - np.repeat(starts - 1 + instructed, counts)
    weighted = questions * QUESTION_WEIGHTS.take(place, mode="wrap")
    weighted += answers * ANSWER_WEIGHTS.take(place, mode="wrap")
    return ExampleColumns(
        asked=np.add.reduceat(rows.asked, starts),
        answered=np.add.reduceat(rows.answered, starts),
        last_answered=rows.answered[last],
        turns=2 * (counts - instructed),
        prompts=np.add.reduceat(weighted, starts).view(np.int64),
        answers=final.view(np.int64),
    )


def count_bytes(texts: list[str]) -> list[int]:
    return [len(text) if text.isascii() else len(text.encode()) for text in texts]


def hash_texts(texts: list[str]) -> Ints:
    return np.fromiter(map(hash, texts), np.int64, len(texts))


def hash_example(value: Any) -> tuple[int, int]:
    """Return the hashes of all but the last turn, and of the last turn, of an example of any shape."""
    try:
        texts, keys = extract_plain_texts(value)
        if keys != count_keys(value):
            raise ValueError
    except NOT_PLAIN:
        *before, last = value["contents"]
        return hash(dump_canonical({**value, "contents": before})), hash(dump_canonical(last))
    answer = texts.pop()
    weights = cycle(ONE_BY_ONE)
    if len(texts) == 1 or texts[1]:
        next(weights), next(weights)
    prompt = sum(hash(text) * weight for text, weight in zip(texts, weights, strict=False)) % WORD
    return (prompt if prompt < WORD // 2 else prompt - WORD), hash(answer)


def dump_canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
