"""Count the plain examples in a block of lines (pure)."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from orjson import loads

from jobs.datasets.check.fast_path.columns import Ints, Rows, empty_ints
from jobs.datasets.check.fast_path.line_template import LineTemplate
from jobs.datasets.check.fast_path.plain_example import (
    FIRST,
    LATER,
    NOT_PLAIN,
    SYSTEM,
    count_raw_keys,
    extract_plain_texts,
)
from jobs.datasets.check.lines import NUL_ESCAPE, Block

LATER_ROW = bytes([LATER])
Numbered = list[tuple[int, bytes]]


@dataclass(slots=True)
class BlockCount:
    """The line numbers and rows of the plain lines, and the lines that are not plain."""

    lines: Ints = field(default_factory=empty_ints)
    rows: Rows = field(default_factory=Rows)
    others: Numbered = field(default_factory=list)


def count_block(block: Block, spelling: LineTemplate) -> Iterator[BlockCount]:
    """Count all lines at once if they are formatted like earlier ones; otherwise one by one, and learn their
    format. A line with a NUL is not plain: the strict check warns of it."""
    try:
        if NUL_ESCAPE in block.content:
            raise ValueError
        rows = spelling.parse_rows(block.content)
    except NOT_PLAIN:
        yield from count_by_shape(block, spelling)
    else:
        yield BlockCount(np.arange(block.number, block.last + 1), rows)


def count_by_shape(block: Block, spelling: LineTemplate) -> Iterator[BlockCount]:
    """Parse the lines one by one. Where their keys don't add up, each line is counted alone, to find the line
    with repeated or unread keys."""
    total = count_raw_keys(block.content)
    with pause_gc():
        found, keys = collect_plain_lines(block, spelling)
    if are_keys_unique(total, keys, found.others):
        yield found
    elif block.count == 1:
        yield BlockCount(others=[(block.number, block.lines[0])])
    else:
        for number, line in enumerate(block.lines, block.number):
            yield from count_by_shape(Block(number, line, 1), spelling)


@contextmanager
def pause_gc() -> Iterator[None]:
    """Parsed values have no cycles and are freed soon; collecting garbage would take a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def collect_plain_lines(block: Block, spelling: LineTemplate) -> tuple[BlockCount, int]:
    """Return the plain lines, counted, and the number of their keys."""
    numbers: list[int] = []
    others: Numbered = []
    texts: list[str] = []
    kinds, keys = bytearray(), 0
    unlearned = {FIRST, SYSTEM}
    has_nul = NUL_ESCAPE in block.content
    for number, line in enumerate(block.lines, block.number):
        try:
            if has_nul and NUL_ESCAPE in line:
                raise ValueError
            value = loads(line)
            line_texts, own = extract_plain_texts(value)
        except NOT_PLAIN:
            others.append((number, line))
            continue
        numbers.append(number)
        texts += line_texts
        keys += own
        kind = FIRST if line_texts[1] else SYSTEM
        kinds += bytes([kind]) + LATER_ROW * (len(line_texts) // 2 - 1)
        if kind in unlearned:
            unlearned.remove(kind)
            spelling.learn(line, value)
    rows = Rows.from_texts(bytes(kinds), texts[::2], texts[1::2])
    return BlockCount(np.array(numbers, np.int64), rows, others), keys


def are_keys_unique(total: int | None, keys: int, others: Numbered) -> bool:
    """Whether the plain lines, which have `keys` of the `total` keys, have no repeated and no unread keys."""
    counts = [count_raw_keys(other) for _number, other in others]
    return total is not None and None not in counts and total - sum(filter(None, counts)) == keys
