"""The plain examples of a block of lines, counted (pure)."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from orjson import loads

from jobs.datasets.check.fast_path.columns import Ints, Rows, none
from jobs.datasets.check.fast_path.line_template import Spelling
from jobs.datasets.check.fast_path.plain_example import FIRST, LATER, SYSTEM, UNUSUAL, most_keys, plain
from jobs.datasets.check.lines import Block

LATER_ROW = bytes([LATER])
Numbered = list[tuple[int, bytes]]


@dataclass(slots=True)
class Counted:
    """The numbers and the rows of the plain lines, and the lines that are not plain."""

    lines: Ints = field(default_factory=none)
    rows: Rows = field(default_factory=Rows)
    others: Numbered = field(default_factory=list)


def count(block: Block, spelling: Spelling) -> Iterator[Counted]:
    """At once where all lines have the spelling of earlier ones, which is learned otherwise."""
    try:
        rows = spelling.rows(block.content)
    except UNUSUAL:
        yield from by_shape(block, spelling)
    else:
        yield Counted(np.arange(block.number, block.last + 1), rows)


def by_shape(block: Block, spelling: Spelling) -> Iterator[Counted]:
    """Lines that have the shape alone are counted together, or at last alone, to tell whose keys it is."""
    total = most_keys(block.content)
    with uncollected():
        found, keys = taken(block, spelling)
    if keys_unique(total, keys, found.others):
        yield found
    elif block.count == 1:
        yield Counted(others=[(block.number, block.lines[0])])
    else:
        for number, line in enumerate(block.lines, block.number):
            yield from by_shape(Block(number, line, 1), spelling)


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


def taken(block: Block, spelling: Spelling) -> tuple[Counted, int]:
    """What is plain among the lines, and how many keys that has."""
    numbers: list[int] = []
    others: Numbered = []
    texts: list[str] = []
    kinds, keys = bytearray(), 0
    unlearned = {FIRST, SYSTEM}
    for number, line in enumerate(block.lines, block.number):
        try:
            value = loads(line)
            said, own = plain(value)
        except UNUSUAL:
            others.append((number, line))
            continue
        numbers.append(number)
        texts += said
        keys += own
        kind = FIRST if said[1] else SYSTEM
        kinds += bytes([kind]) + LATER_ROW * (len(said) // 2 - 1)
        if kind in unlearned:
            unlearned.remove(kind)
            spelling.learn(line, value)
    rows = Rows.of(bytes(kinds), texts[::2], texts[1::2])
    return Counted(np.array(numbers, np.int64), rows, others), keys


def keys_unique(total: int | None, keys: int, others: Numbered) -> bool:
    """Whether the lines that were taken, with `keys` of all keys, have none twice and none unread."""
    counts = [most_keys(other) for _number, other in others]
    return total is not None and None not in counts and total - sum(filter(None, counts)) == keys
