"""Compare two tuning files: which examples were added, removed and edited, and what that shifts (pure).

An edited example has the same system instruction and the same turns, except for the model's last one. The
order of the lines does not matter, and equal examples are counted, not merged. Each file is read twice: for
hashes, then for the texts that are shown. An example takes 21 bytes of memory, twice that while sorting.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from jobs.datasets.check.fast_path.columns import Ints
from jobs.datasets.check.report import Distribution, Message, Problem
from jobs.datasets.diff.fingerprints import Columns, Fingerprints, fingerprint_file
from jobs.datasets.diff.matching import Matches, match_examples
from jobs.datasets.diff.texts import ExampleTexts, excerpt_answer, read_texts

MAX_CHANGES = 50
"""Changed examples of each kind that are stored with their texts, and shown; the CSV file has all."""
MAX_ANSWERS = 20
"""Short answers in the table of labels: more than fit on a screen are not compared by eye."""
Source = Callable[[], Iterable[bytes]]
"""Opens a file and yields its bytes in order, in chunks of any sizes; can be called again."""


@dataclass(frozen=True, slots=True)
class Change:
    """`before` and `after` are line numbers, 0 where the example doesn't exist; its answer is then "".
    `earlier` counts the turns that are left out of `prompt`."""

    before: int
    after: int
    system: str
    prompt: tuple[Message, ...]
    earlier: int
    old: str = ""
    new: str = ""


@dataclass(frozen=True, slots=True)
class Shift:
    before: Distribution
    after: Distribution

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Shift:
        return cls(*(Distribution.from_json(data[name]) for name in ("before", "after")))


@dataclass(frozen=True, slots=True)
class Answer:
    """A short answer of several examples, and how many have it before and after."""

    text: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two files: how many examples and broken lines it has, and the problems of the first of
    these."""

    examples: int
    broken: int = 0
    problems: list[Problem] = dataclasses.field(default_factory=list)

    @classmethod
    def from_fingerprints(cls, found: Fingerprints) -> Side:
        return cls(len(found), found.broken, found.problems)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Side:
        problems = [Problem(**{**item, "excerpt": tuple(item["excerpt"])}) for item in data["problems"]]
        return cls(data["examples"], data["broken"], problems)


@dataclass(frozen=True, slots=True)
class Diff:
    """`added`, `removed` and `edited` are the first ones of `counts`. `labels` is the number of short answers
    that occur several times, `answers` are those whose share changed."""

    before: Side
    after: Side
    counts: dict[str, int]
    input: Shift
    output: Shift
    turns: Shift
    added: list[Change] = dataclasses.field(default_factory=list)
    removed: list[Change] = dataclasses.field(default_factory=list)
    edited: list[Change] = dataclasses.field(default_factory=list)
    answers: list[Answer] = dataclasses.field(default_factory=list)
    labels: int = 0

    @property
    def change_count(self) -> int:
        return sum(self.counts[kind] for kind in ("added", "removed", "edited"))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Diff:
        """Also read results of other versions, as far as their fields are known."""
        known = {key: value for key, value in data.items() if key in cls.__dataclass_fields__}
        known |= {key: Side.from_json(data[key]) for key in ("before", "after")}
        known |= {key: Shift.from_json(data[key]) for key in ("input", "output", "turns")}
        for key in ("added", "removed", "edited"):
            known[key] = [parse_change(item) for item in data.get(key, [])]
        known["answers"] = [Answer(**item) for item in data.get("answers", [])]
        return cls(**known)


def parse_change(item: dict[str, Any]) -> Change:
    return Change(**{**item, "prompt": tuple(Message(**message) for message in item["prompt"])})


@dataclass(frozen=True, slots=True)
class LabelUsage:
    """How often each short answer occurs. `lines` has one line with it, in the old file where it
    `was_there`."""

    before: Ints
    after: Ints
    lines: Ints
    was_there: list[bool]
    labels: int


def diff_files(before: Source, after: Source) -> Diff:
    """Lines that are not examples are counted, and the first ones listed with their problem."""
    old, new = fingerprint_file(before()), fingerprint_file(after())
    columns = (old.columns, new.columns)
    found, used = match_examples(*columns), compute_label_usage(*columns)
    del columns
    return build_diff(found, used, old, new, before, after)


def build_diff(
    found: Matches, used: LabelUsage, old: Fingerprints, new: Fingerprints, before: Source, after: Source
) -> Diff:
    removed, added, edited = (
        lines[:MAX_CHANGES].tolist() for lines in (found.removed, found.added, found.edited)
    )
    labelled = list(zip(used.lines.tolist(), used.was_there, strict=True))
    olds = {*removed, *(line for line, _ in edited), *(line for line, there in labelled if there)}
    news = {*added, *(line for _, line in edited), *(line for line, there in labelled if not there)}
    was, now = read_texts(before(), olds), read_texts(after(), news)
    return Diff(
        before=Side.from_fingerprints(old),
        after=Side.from_fingerprints(new),
        counts={
            "added": len(found.added),
            "removed": len(found.removed),
            "edited": len(found.edited),
            "unchanged": found.unchanged,
        },
        input=Shift(old.asked.distribution(), new.asked.distribution()),
        output=Shift(old.answered.distribution(), new.answered.distribution()),
        turns=Shift(old.turns.distribution(), new.turns.distribution()),
        added=[change(0, line, now[line], new=now[line].answer) for line in added],
        removed=[change(line, 0, was[line], old=was[line].answer) for line in removed],
        edited=[edit(first, line, was[first], now[line]) for first, line in edited],
        answers=[
            Answer((was if there else now)[line].answer, count_before, count_after)
            for (line, there), count_before, count_after in zip(
                labelled, used.before.tolist(), used.after.tolist(), strict=True
            )
        ],
        labels=used.labels,
    )


def change(before: int, after: int, texts: ExampleTexts, old: str = "", new: str = "") -> Change:
    short = texts.shorten()
    return Change(
        before,
        after,
        short.system,
        short.prompt,
        short.earlier,
        excerpt_answer(old, 0),
        excerpt_answer(new, 0),
    )


def edit(before: int, after: int, was: ExampleTexts, now: ExampleTexts) -> Change:
    """Both answers are cut to start near their first difference."""
    start = find_first_difference(was.answer, now.answer)
    entry = change(before, after, now)
    return dataclasses.replace(
        entry, old=excerpt_answer(was.answer, start), new=excerpt_answer(now.answer, start)
    )


def compute_label_usage(before: Columns, after: Columns) -> LabelUsage:
    """Return the short answers whose share changed most."""
    answers = np.concatenate([columns.answers[columns.short] for columns in (before, after)])
    lines = np.concatenate([columns.lines[columns.short] for columns in (before, after)])
    old_short = int(before.short.sum())
    _values, first, place = np.unique(answers, return_index=True, return_inverse=True)
    olds = np.bincount(place[:old_short], minlength=len(first))
    news = np.bincount(place[old_short:], minlength=len(first))
    several = (olds > 1) | (news > 1)
    shift = abs(news / max(1, len(after.lines)) - olds / max(1, len(before.lines)))
    moved = np.flatnonzero(several & (shift > 0))
    chosen = moved[np.lexsort((first[moved], -shift[moved]))][:MAX_ANSWERS]
    return LabelUsage(
        before=olds[chosen],
        after=news[chosen],
        lines=lines[first[chosen]],
        was_there=(first[chosen] < old_short).tolist(),
        labels=int(several.sum()),
    )


def find_first_difference(old: str, new: str) -> int:
    return next(
        (place for place, (a, b) in enumerate(zip(old, new, strict=False)) if a != b),
        min(len(old), len(new)),
    )
