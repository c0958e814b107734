"""Find duplicate examples, and prompts with different answers, by 64-bit hashes in arrays (pure)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAX_EXAMPLES = 6_000_000
"""Examples that are compared, at 16 bytes each (96 MB). A file of 1 GB, the largest that is accepted, hardly
has as many; examples after these are not compared."""
PENDING = 2**16
"""Examples collected before numpy stores them: for fewer, its calls cost more than the copying."""
SORTED = 500_000
"""Examples sorted at once, so that sorting takes little memory beside the 96 MB."""

Rows = tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint32]]
Pair = tuple[int, int]
"""A line, and the first line that it repeats."""


class DuplicateFinder:
    """Stores 64 bits of each prompt's hash, and 32 of its answer's: answers are compared only where prompts
    are equal."""

    def __init__(self) -> None:
        self._clear_pending()
        self.batches: list[Rows] = []
        self.count = 0

    def _clear_pending(self) -> None:
        self.lines, self.prompts, self.answers = array("q"), array("q"), array("q")

    def extend(self, lines: ArrayLike, prompts: ArrayLike, answers: ArrayLike) -> None:
        """Add examples by line number and by the hashes of their prompts and answers."""
        if self.count >= MAX_EXAMPLES:
            return
        for column, values in ((self.lines, lines), (self.prompts, prompts), (self.answers, answers)):
            column.frombytes(np.asarray(values, np.int64).tobytes())
        if len(self.lines) >= PENDING:
            self.flush()

    def flush(self) -> None:
        self.count += len(self.lines)
        answers = np.array(self.answers, np.int64).astype(np.uint32)
        self.batches.append((np.array(self.prompts, np.int64), answers, np.array(self.lines, np.uint32)))
        self._clear_pending()

    def iter_duplicates(self) -> Iterator[tuple[str, int, int]]:
        """Yield (code, line, the first line that it repeats), ordered by code and line."""
        self.flush()
        shares = -(-self.count // SORTED)
        pairs = [find_repeats(select_share(self.batches, shares, number)) for number in range(shares)]
        for code, place in (("duplicate", 0), ("prompt_conflict", 1)):
            both = np.concatenate([np.zeros((0, 2), np.uint32), *(pair[place] for pair in pairs)])
            for line, first in both[np.argsort(both[:, 0])]:
                yield code, int(line), int(first)


def select_share(batches: list[Rows], shares: int, number: int) -> Rows:
    """Return the rows whose prompts are in share `number` of `shares`."""
    chosen = [rows[0].view(np.uint64) % np.uint64(shares) == number for rows in batches]
    prompts, answers, lines = (
        np.concatenate([rows[column][mask] for rows, mask in zip(batches, chosen, strict=True)])
        for column in range(3)
    )
    return prompts, answers, lines


def find_repeats(rows: Rows) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the duplicates, and the other answers to a prompt, as rows of (line, first line)."""
    prompts, answers, lines = select_repeated_prompts(rows)
    order = np.lexsort((lines, answers, prompts))
    prompts, answers, lines = prompts[order], answers[order], lines[order]
    new_prompt = np.ones(len(order), bool)
    new_prompt[1:] = prompts[1:] != prompts[:-1]
    new_answer = new_prompt.copy()
    new_answer[1:] |= answers[1:] != answers[:-1]
    same, asked = (find_first_of_group(lines, begins) for begins in (new_answer, new_prompt))
    duplicates = np.column_stack([lines, same])[~new_answer]
    conflicts = np.column_stack([lines, asked])[new_answer & (lines != asked)]
    return duplicates, conflicts


def select_repeated_prompts(rows: Rows) -> Rows:
    """Return the rows whose prompts occur more than once. They are few, so that only few are sorted by three
    keys."""
    prompts = np.sort(rows[0])
    several = np.isin(rows[0], prompts[1:][prompts[1:] == prompts[:-1]])
    return rows[0][several], rows[1][several], rows[2][several]


def find_first_of_group(lines: NDArray[np.uint32], begins: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Return the smallest line of each row's group; groups begin where `begins` is true."""
    if not len(lines):
        return lines
    least: NDArray[np.uint32] = np.minimum.reduceat(lines, np.flatnonzero(begins))
    of_rows: NDArray[np.uint32] = least[np.cumsum(begins) - 1]
    return of_rows
