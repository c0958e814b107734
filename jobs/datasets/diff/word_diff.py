"""Compare two texts word by word (pure)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Literal

Kind = Literal["same", "out", "in"]
Piece = tuple[Kind, str]
# Japanese and Chinese have no spaces between words, so each character is a word.
WORDS = re.compile(r"\s+|(?:(?![\u2e80-\u9fff\uf900-\ufaff\uff66-\uff9f])\w)+|.", re.DOTALL)

MAX_EQUAL_PAIRS = 30_000
"""Pairs of equal words up to which words are matched, in well under a second. With more, such as in one word
repeated a thousand times, only the common start and end are matched."""


def diff_words(old: str, new: str) -> list[Piece]:
    """Return the words in order, each removed piece before the added one. Without the removed pieces they
    make `new`, without the added ones `old`."""
    pieces: list[Piece] = []
    out, put = "", ""
    for same, removed, added in iter_segments(WORDS.findall(old), WORDS.findall(new)):
        # A space between two changed words is part of one change.
        if same and (not same.isspace() or not (out or put)):
            pieces += [*make_pieces(out, put), ("same", same)]
            out, put = "", ""
        else:
            out, put = out + same + removed, put + same + added
    return pieces + make_pieces(out, put)


def iter_segments(old: list[str], new: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield (in both, only in `old`, only in `new`) in order."""
    if count_equal_pairs(old, new) > MAX_EQUAL_PAIRS:
        yield from diff_middle(old, new)
        return
    for tag, start, end, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        removed, added = "".join(old[start:end]), "".join(new[first:last])
        yield (removed, "", "") if tag == "equal" else ("", removed, added)


def count_equal_pairs(old: list[str], new: list[str]) -> int:
    """Count the pairs of equal words: the search for the longest common runs takes time by these."""
    counts = Counter(new)
    return sum(counts[word] for word in old)


def diff_middle(old: list[str], new: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the common start, everything between as one change, and the common end."""
    start = count_common_prefix(old, new)
    rest = (old[start:], new[start:])
    end = count_common_prefix(*map(reversed, rest))
    removed, added = (words[: len(words) - end] for words in rest)
    yield "".join(old[:start]), "", ""
    yield "", "".join(removed), "".join(added)
    yield "".join(old[len(old) - end :]), "", ""


def count_common_prefix(one: Iterable[str], other: Iterable[str]) -> int:
    """Count the words that both start with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def make_pieces(out: str, put: str) -> list[Piece]:
    pieces: list[Piece] = [("out", out), ("in", put)]
    return [piece for piece in pieces if piece[1]]
