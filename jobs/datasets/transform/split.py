"""Which lines of a training file are held out for validation: exact, repeatable, in two passes (pure).

Every distinct line gets a 64-bit number from its content and the seed. In the order of these numbers, lines
are held out until round(percent) of all are; a line that stands in the file n times counts n and goes to one
side as a whole, and is passed over where n is more than is still wanted. So the share is exact to the line,
unless only repeated lines are left to choose from: then fewer are held out, and at least one distinct line.
The same file and seed always give the same parts, in whatever order the lines stand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Part = Literal["training", "validation"]
BOM = b"\xef\xbb\xbf"
BLANK = b" \t\r"
MOST_PERCENT = 50


class TooFew(ValueError):
    """The file has fewer than two different lines, so that one part would be empty."""


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """What is held out: every number up to `last` but the `skipped` ones. 8 bytes a line were enough to find
    it, and nothing is kept that grows with the file."""

    seed: int
    last: int
    skipped: frozenset[int]
    training: int
    validation: int

    def part_of(self, line: bytes) -> Part:
        number = hash_line(line, self.seed)
        return "validation" if number <= self.last and number not in self.skipped else "training"


def plan_split(chunks: Iterable[bytes], percent: int, seed: int) -> SplitPlan:
    """First pass. `chunks` are the file's bytes in order, cut anywhere. Raises TooFew."""
    distinct, counts = np.unique(hash_lines(lines(chunks), seed), return_counts=True)
    if len(distinct) < 2:
        raise TooFew
    total = int(counts.sum())
    taken = choose_lines(counts, count_held_out(total, percent))
    held = int(counts[taken].sum())
    last = int(taken[-1])
    skipped = np.setdiff1d(np.arange(last), taken)
    return SplitPlan(seed, int(distinct[last]), frozenset(distinct[skipped].tolist()), total - held, held)


def split_lines(chunks: Iterable[bytes], cut: SplitPlan) -> Iterator[tuple[Part, bytes]]:
    """Second pass: each line of the file, with its newline, and the part that it belongs to."""
    for line in lines(chunks):
        yield cut.part_of(line), line + b"\n"


def count_held_out(total: int, percent: int) -> int:
    """To the nearest line, halves up, and at least one on each side."""
    return min(max(1, (total * percent + 50) // 100), total - 1)


def choose_lines(counts: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """The places of the distinct lines to hold out, ascending; the least repeated one where none fits."""
    taken, left = [], wanted
    for place, count in enumerate(counts.tolist()):
        if count <= left:
            taken.append(place)
            left -= count
        if not left:
            break
    return np.array(taken or [int(counts.argmin())])


def hash_lines(lines: Iterable[bytes], seed: int) -> NDArray[np.uint64]:
    made = (hash_line(line, seed) for line in lines)
    return np.fromiter(made, dtype=np.uint64)


def hash_line(line: bytes, seed: int) -> int:
    digest = hashlib.blake2b(line.strip(), digest_size=8, salt=seed.to_bytes(8, "big"))
    return int.from_bytes(digest.digest(), "big")


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Without their newlines; blank lines and a byte order mark are left out."""
    for number, line in enumerate(split_at_newlines(chunks)):
        example = line if number else line.removeprefix(BOM)
        if example.strip(BLANK):
            yield example


def split_at_newlines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """And nowhere else: U+2028, form feeds and others may stand inside a text."""
    held = b""
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            yield held + piece
            held = b""
        held += rest
    if held:
        yield held
