"""The plain examples of a block of lines, counted (pure)."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from orjson import loads

from jobs.datasets.lines import Block
from jobs.datasets.plain import UNUSUAL, most_keys, plain

Numbered = list[tuple[int, bytes]]


@dataclass(slots=True)
class Counted:
    """A value for each plain example, and the lines that are not plain. Sizes are in bytes of UTF-8; prompts
    and answers are hashes, which mean something in this process only."""

    lines: Sequence[int] = ()
    sizes: list[int] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    prompts: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    others: Numbered = field(default_factory=list)


def count(block: Block) -> Iterator[Counted]:
    """Of all lines at once where all are plain, else cut, and at last alone, to tell whose keys it is."""
    total = most_keys(block.content)  # first, while the processor's cache holds it
    for reading in (joined, cut):
        with uncollected():
            found, keys = taken(block, reading(block))
        whole = reading is cut or (found.lines and not found.others)
        if whole and keys_unique(total, keys, found.others):
            yield found
            return
    if block.count == 1:
        yield Counted(others=[(block.number, block.lines[0])])
    else:
        for number, line in enumerate(block.lines, block.number):
            yield from count(Block(number, line, 1))


@contextmanager
def uncollected() -> Iterator[None]:
    """Values of a block hold no cycles and are gone soon; looking for some would take a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def joined(block: Block) -> list[Any]:
    """The lines' values, read as one list, which takes less time than one by one; empty where it is none.

    A zero and a newline stand between them, so that no line borrows from the next where all values are plain:
    in a text the newline is not allowed, in an object the zero is not, in a list of turns or parts `plain`
    takes no zero, and any other list stands under a key that `keys_unique` finds. A line of two values makes
    one too many.
    """
    try:
        values = loads(b"[" + block.content.rstrip(b"\n").replace(b"\n", b"\n,0,") + b"]")
    except ValueError:
        return []
    between = values[1::2]
    aligned = len(values) == 2 * block.count - 1 and between.count(0) == len(between)
    return values[::2] if aligned else []


def cut(block: Block) -> list[Any]:
    return [value_of(line) for line in block.lines]


def value_of(line: bytes) -> Any:
    """None, which is not plain, where it has none."""
    try:
        return loads(line)
    except ValueError:
        return None


def taken(block: Block, values: list[Any]) -> tuple[Counted, int]:
    """What is plain among the values, and how many keys that has."""
    found, keys = Counted(), 0
    sizes, turns, answers, prompts = found.sizes, found.turns, found.answers, found.prompts
    odd: list[int] = []
    for place, value in enumerate(values):
        try:
            texts, own = plain(value)
        except UNUSUAL:
            odd.append(place)
            continue
        keys += own
        size = 0
        for text in texts:
            size += len(text) if text.isascii() else len(text.encode())
        sizes.append(size)
        turns.append(len(texts) & ~1)  # without the system instruction
        answers.append(hash(texts.pop()))
        prompts.append(hash(tuple(texts)))
    found.lines = range(block.number, block.number + len(values))
    if odd:
        lines, left = block.lines, set(odd)
        found.others = [(block.number + place, lines[place]) for place in odd]
        found.lines = [number for place, number in enumerate(found.lines) if place not in left]
    return found, keys


def keys_unique(total: int | None, keys: int, others: Numbered) -> bool:
    """Whether the lines that were taken, with `keys` of all keys, have none twice and none unread."""
    counts = [most_keys(other) for _number, other in others]
    return total is not None and None not in counts and total - sum(filter(None, counts)) == keys
