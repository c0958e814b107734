"""Match the examples of two files by their hashes: unchanged, removed, added or edited (pure).

The n-th of several equal examples is matched with the n-th one of the other file, so that none is counted
twice. Remaining examples with equal prompts are matched in the same way, as edited.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.datasets.check.fast_path.columns import Ints
from jobs.datasets.diff.fingerprints import Columns

SORTED = 500_000
"""Examples sorted at once, in shares of the prompts, so that sorting takes little memory beside the
columns."""


@dataclass(frozen=True, slots=True)
class Matches:
    """Ascending line numbers; `edited` are rows of (line before, line after), ordered by the line after."""

    unchanged: int
    removed: Ints
    added: Ints
    edited: Ints


def match_examples(before: Columns, after: Columns) -> Matches:
    shares = -(-(len(before.lines) + len(after.lines)) // SORTED) or 1
    found = [
        match_share(select_share(before, shares, number), select_share(after, shares, number))
        for number in range(shares)
    ]
    edited = np.concatenate([each.edited for each in found])
    return Matches(
        unchanged=sum(each.unchanged for each in found),
        removed=np.sort(np.concatenate([each.removed for each in found])),
        added=np.sort(np.concatenate([each.added for each in found])),
        edited=edited[np.argsort(edited[:, 1])],
    )


def select_share(columns: Columns, shares: int, number: int) -> Columns:
    if shares == 1:
        return columns
    return columns.select(columns.prompts.view(np.uint64) % np.uint64(shares) == number)


def match_share(before: Columns, after: Columns) -> Matches:
    """Match one share; examples with equal prompts are always in the same share."""
    same = pair_equal_keys((before.prompts, before.answers), (after.prompts, after.answers))
    old, new = (
        columns.select(mask_without(len(columns.lines), places))
        for columns, places in zip((before, after), same, strict=True)
    )
    edited = pair_equal_keys((old.prompts,), (new.prompts,))
    return Matches(
        unchanged=len(same[0]),
        removed=old.lines[mask_without(len(old.lines), edited[0])],
        added=new.lines[mask_without(len(new.lines), edited[1])],
        edited=np.column_stack([old.lines[edited[0]], new.lines[edited[1]]]),
    )


def pair_equal_keys(before: tuple[Ints, ...], after: tuple[Ints, ...]) -> tuple[Ints, Ints]:
    """Return the places of equal keys in both, the n-th one here with the n-th one there."""
    keys = [np.concatenate(both) for both in zip(before, after, strict=True)]
    count, total = len(before[0]), len(keys[0])
    if not total:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    order = np.lexsort(keys)  # stable: among equal keys, places ascend, and the old file comes first
    group = np.cumsum(mark_group_starts([key[order] for key in keys])) - 1
    is_old = order < count
    olds = np.bincount(group[is_old], minlength=int(group[-1]) + 1)
    news = np.bincount(group[~is_old], minlength=len(olds))
    rank = np.arange(total) - (np.cumsum(olds + news) - olds - news)[group]
    rank[~is_old] -= olds[group[~is_old]]
    is_matched = rank < np.minimum(olds, news)[group]
    return order[is_matched & is_old], order[is_matched & ~is_old] - count


def mark_group_starts(keys: list[Ints]) -> NDArray[np.bool_]:
    """Mark where sorted keys change."""
    found = np.ones(len(keys[0]), bool)
    found[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return found


def mask_without(count: int, places: Ints) -> NDArray[np.bool_]:
    left = np.ones(count, bool)
    left[places] = False
    return left
