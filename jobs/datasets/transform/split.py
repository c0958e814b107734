"""Split off lines of a training file for validation: exact, repeatable, in two passes (pure).

Every distinct line gets a 64-bit number from its content and the seed. In the order of these numbers, lines
are held out until their share is reached, rounded to a line. A line that occurs n times counts n and goes to
one side with all its copies; it is skipped if n is more than the lines still to hold out. So the share is
exact to the line, unless only repeated lines remain: then fewer are held out, but at least one distinct line.
The same file and seed always give the same parts, in any order of the lines.
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
"""Per cent of the lines. With more, the held-out part would be the larger one."""


class TooFew(ValueError):
    """The file has fewer than two different lines, so that one part would be empty."""


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """Lines with a number up to `last` are held out, except the `skipped` ones. Finding it takes 8 bytes per
    line; the plan itself does not grow with the file."""

    seed: int
    last: int
    skipped: frozenset[int]
    training: int
    validation: int

    def part_of(self, line: bytes) -> Part:
        number = hash_line(line, self.seed)
        return "validation" if number <= self.last and number not in self.skipped else "training"


def plan_split(chunks: Iterable[bytes], percent: int, seed: int) -> SplitPlan:
    """The first pass. `chunks` are the file's bytes in order, of any sizes. Raises TooFew."""
    distinct, counts = np.unique(hash_lines(lines(chunks), seed), return_counts=True)
    if len(distinct) < 2:
        raise TooFew
    total = int(counts.sum())
    places = choose_lines(counts, count_held_out(total, percent))
    held = int(counts[places].sum())
    last = int(places[-1])
    skipped = np.setdiff1d(np.arange(last), places)
    return SplitPlan(seed, int(distinct[last]), frozenset(distinct[skipped].tolist()), total - held, held)


def split_lines(chunks: Iterable[bytes], cut: SplitPlan) -> Iterator[tuple[Part, bytes]]:
    """The second pass: yield the part of each line, and the line with its newline."""
    for line in lines(chunks):
        yield cut.part_of(line), line + b"\n"


def count_held_out(total: int, percent: int) -> int:
    """Round to the nearest line, halves up, with at least one line on each side."""
    return min(max(1, (total * percent + 50) // 100), total - 1)


def choose_lines(counts: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """Return the ascending places of the distinct lines to hold out; the least repeated line if none fits."""
    places, left = [], wanted
    for place, count in enumerate(counts.tolist()):
        if count <= left:
            places.append(place)
            left -= count
        if not left:
            break
    return np.array(places or [int(counts.argmin())])


def hash_lines(lines: Iterable[bytes], seed: int) -> NDArray[np.uint64]:
    made = (hash_line(line, seed) for line in lines)
    return np.fromiter(made, dtype=np.uint64)


def hash_line(line: bytes, seed: int) -> int:
    digest = hashlib.blake2b(line.strip(), digest_size=8, salt=seed.to_bytes(8, "big"))
    return int.from_bytes(digest.digest(), "big")


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines without newlines, blank lines and a byte order mark."""
    for number, line in enumerate(split_at_newlines(chunks)):
        example = line if number else line.removeprefix(BOM)
        if example.strip(BLANK):
            yield example


def split_at_newlines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Split at newlines only: a text may contain U+2028 or form feeds."""
    held = b""
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            yield held + piece
            held = b""
        held += rest
    if held:
        yield held
