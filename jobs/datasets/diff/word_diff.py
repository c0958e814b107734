"""Two texts -> the newer one's words with what was taken out and put in between them (pure)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Literal

Kind = Literal["same", "out", "in"]
Piece = tuple[Kind, str]
# Japanese and Chinese write no spaces: each of their characters is a word.
WORDS = re.compile(r"\s+|(?:(?![\u2e80-\u9fff\uf900-\ufaff\uff66-\uff9f])\w)+|.", re.DOTALL)

MAX_EQUAL_PAIRS = 30_000
"""Pairs of equal words up to which each word is looked for."""


def diff_words(old: str, new: str) -> list[Piece]:
    """What is out stands before what is in; all but what is out makes `new`, all but what is in `old`."""
    pieces: list[Piece] = []
    out, put = "", ""
    for same, taken, given in iter_segments(WORDS.findall(old), WORDS.findall(new)):
        # A space between two changed words is part of one change.
        if same and (not same.isspace() or not (out or put)):
            pieces += [*make_pieces(out, put), ("same", same)]
            out, put = "", ""
        else:
            out, put = out + same + taken, put + same + given
    return pieces + make_pieces(out, put)


def iter_segments(old: list[str], new: list[str]) -> Iterator[tuple[str, str, str]]:
    """(what both have, what only the old one has, what only the new one has), in order."""
    if count_equal_pairs(old, new) > MAX_EQUAL_PAIRS:
        yield from diff_middle(old, new)
        return
    for tag, start, end, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        taken, given = "".join(old[start:end]), "".join(new[first:last])
        yield (taken, "", "") if tag == "equal" else ("", taken, given)


def count_equal_pairs(old: list[str], new: list[str]) -> int:
    """Pairs of equal words, which is what searching for the longest runs goes through."""
    counts = Counter(new)
    return sum(counts[word] for word in old)


def diff_middle(old: list[str], new: list[str]) -> Iterator[tuple[str, str, str]]:
    """What both begin and end with, and everything between as one change."""
    start = count_common_prefix(old, new)
    rest = (old[start:], new[start:])
    end = count_common_prefix(*map(reversed, rest))
    taken, given = (words[: len(words) - end] for words in rest)
    yield "".join(old[:start]), "", ""
    yield "", "".join(taken), "".join(given)
    yield "".join(old[len(old) - end :]), "", ""


def count_common_prefix(one: Iterable[str], other: Iterable[str]) -> int:
    """How many words both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def make_pieces(out: str, put: str) -> list[Piece]:
    pieces: list[Piece] = [("out", out), ("in", put)]
    return [piece for piece in pieces if piece[1]]
